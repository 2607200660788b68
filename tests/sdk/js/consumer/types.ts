import { channelList, Client, ChatError, IndexedDbStorage, messagesIn, type Message, ServerError, sharedTabs, type ShownMessage, type State } from "@natter/client";

const client: Client = new Client({
  key: "pk_1",
  user: "alice",
  token: async () => "token",
  url: "http://127.0.0.1:1",
  storage: new IndexedDbStorage(),
  tabs: sharedTabs(),
});
const stop: () => void = client.subscribe(
  (state: State) => messagesIn(state, "general"),
  (messages: readonly ShownMessage[]) => messages.map(({ text }) => text.length),
);
const names: (string | null)[] = channelList(client.state).map(({ name }) => name);
client.send("general", { text: "Hello", mentions: { users: ["bob"] } }).then((message: Message) => message.number).catch((error: ChatError) => {
  if (error instanceof ServerError && error.code === "channel_frozen") return error.retryAfter;
  // @ts-expect-error: no such code
  return error instanceof ServerError && error.code === "no_such_code";
});
export { names, stop };
