/** What the client asks for is what was asked for in the recorded sessions, to the letter. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { channel, settled, world } from "./world.mjs";

const FOLDER = new URL("../../../../sdk/protocol/vectors/", import.meta.url);
const ref = (id) => ({ id, channel_id: "den" });

/** How an app asks for each of them. */
const ASKED = {
  "message.send": (client, { id: _, channel_id, ...draft }) => client.send(channel_id, draft),
  "message.update": (client, { id, ...edit }) => client.edit(ref(id), edit),
  "message.delete": (client, { id, hard }) => client.delete(ref(id), hard),
  "message.restore": (client, { id }) => client.restore(ref(id)),
  "message.hide": (client, { id }) => client.hide(ref(id)),
  "reaction.add": (client, { message_id, emoji, unique }) => client.react(ref(message_id), emoji, unique),
  "reaction.remove": (client, { message_id, emoji }) => client.unreact(ref(message_id), emoji),
  "receipt.read": (client, { channel_id, message_id }) => client.markRead(channel_id, message_id),
  "channel.watch": (client, { channel_id }) => client.open(channel_id),
  "presence.subscribe": (client, { user_ids }) => client.followPresence(user_ids),
  "typing.start": async (client, { channel_id }) => client.typing(channel_id),
};
/** False and null are what is left out; the client makes ids itself. */
const bare = ({ id: _, ...payload }, event) => Object.fromEntries(
  Object.entries(event === "message.send" ? payload : { id: _, ...payload }).filter(([, value]) => value !== undefined && value !== null && value !== false),
);

for (const file of readdirSync(FOLDER)) {
  const { name, steps } = JSON.parse(readFileSync(new URL(file, FOLDER), "utf8"));
  if (!steps.some(({ call }) => call)) continue;
  test(`the calls of ${name}`, async () => {
    const answers = { "message.send": ({ id, channel_id }) => ({ message: { id, channel_id, seq: 1, number: 1 } }), "presence.subscribe": () => ({ presence: [] }) };
    answers["channel.watch"] = ({ channel_id }) => ({ channel: channel(channel_id), presence: null, watchers: null, receipts: null });
    const { client, wires } = world({ answers, rest: () => ({ body: { messages: [], has_before: false, has_after: false } }) });
    await client.connect();
    for (const { call, event, payload } of steps) {
      if (!call) continue;
      const from = wires[0].calls.length;
      if (ASKED[event]) await ASKED[event](client, payload);
      else await client.call(event, payload);
      await settled();
      const asked = wires[0].calls.slice(from).find(([name]) => name === event);
      assert.ok(asked, `${event} was not asked`);
      assert.deepEqual(bare(asked[1], event), bare(payload, event));
      if (event === "message.send") assert.match(asked[1].id, /^msg_[0-9a-z]{26}$/);
    }
    await client.close();
  });
}
