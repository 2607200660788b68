// The SDK's clients, driven over standard input and output: one JSON object a line, as `tests/clients/js/driver.mjs`.
//
// In: {id, do, client, …}, see `commands`. Out: {id, ok} or {id, failed, code} for each.
import { createInterface } from "node:readline";
import { Client, hasOlder, MemoryStorage, messagesIn, NoAnswer, socketIo } from "../../../sdk/js/dist/index.js";
import { views } from "./views.mjs";

const clients = new Map();
/** By name: what outlives a client, as a browser's does a page. */
const storages = new Map();
const say = (object) => process.stdout.write(JSON.stringify(object) + "\n");

function open({ client: name, token, storage = name, skew = 0, connect = true, ...options }) {
  if (!storages.has(storage)) storages.set(storage, new MemoryStorage());
  const disk = storages.get(storage);
  const kept = { token, tokens: 0, requests: [], wires: [], calls: [], refused: [], alive: true, skew };
  // A client that is killed does nothing any more, as a page that is gone.
  const never = new Promise(() => {});
  const client = new Client({
    ...options,

    token: () => ((kept.tokens += 1), kept.token),
    storage: {
      read: (prefix) => disk.read(prefix),
      write: (changes) => (kept.alive ? disk.write(changes) : never),
    },
    clock: {
      now: () => Date.now() + kept.skew,
      after: (ms, action) => {
        const timer = setTimeout(() => kept.alive && action(), ms);
        return () => clearTimeout(timer);
      },
    },
    fetch: (url, init) => {
      kept.requests.push(`${init?.method ?? "GET"} ${new URL(url).pathname}${new URL(url).search}`);
      return fetch(url, init);
    },
    transport: (url, key, auth, on) => {
      const alive = (act) => (...given) => kept.alive && act(...given);
      const event = (name, payload) => {
        if (kept.drop === name) kept.drop = null;
        else on.event(name, payload);
      };
      const wire = socketIo(url, key, auth, { event: alive(event), closed: alive(on.closed), refused: alive(on.refused) });
      kept.wires.push({ cursor: auth.cursor ?? null });
      kept.wire = wire;
      return {
        call: async (event, payload, within) => {
          kept.calls.push(event);
          const answer = kept.alive ? await wire.call(event, payload, within) : await never;
          // The answer is lost on its way, and so is the connection.
          if (kept.lose === event) {
            kept.lose = null;
            wire.close();
            kept.alive && queueMicrotask(() => on.closed(false));
            throw new NoAnswer(event);
          }
          return answer;
        },
        close: () => wire.close(),
      };
    },
  });
  client.on("refused", ({ operation, error }) => kept.refused.push([operation.act.kind, error.code]));
  kept.client = client;
  clients.set(name, kept);
  return connect ? client.connect() : undefined;
}

/** Read everything of every channel, as an app that shows everything would. */
async function load({ client }) {
  const quiet = (work) => work.catch((error) => error); // what is gone is gone; an event says so
  const { state } = client;
  await quiet(client.loadInvites());
  await quiet(client.loadThreads());
  for (const id of Object.keys(state.channels)) {
    await quiet(client.open(id));
    await quiet(client.loadPins(id));
    while ((await quiet(client.loadMembers(id))) === true);
    while (client.state.channels[id] && hasOlder(client.state, id) && (await quiet(client.loadOlder(id))) === true);
  }
}

const of = ({ client }) => clients.get(client);
const commands = {
  open,
  do: async (command) => of(command).client[command.method](...command.args) ?? null,
  /** Begin something, and do not wait for it. */
  begin: (command) => void of(command).client[command.method](...command.args).catch(() => {}),
  view: async (command) => {
    const kept = of(command);
    if (command.load) await load(kept);
    return { ...views(kept.client.state, [], new Date().toISOString()), outbox: kept.client.state.outbox.filter(({ error }) => !error).length };
  },
  messages: (command) => messagesIn(of(command).client.state, command.channel, command.thread ?? null),
  status: (command) => {
    const { client, tokens, requests, wires, calls, refused } = of(command);
    const { connection, cursor, gaps } = client.state;
    return { ...connection, cursor, gaps, tokens, requests, wires, calls, refused };
  },
  /** Wait until a connection's status is this one. */
  until: (command) =>
    new Promise((resolve) => {
      const { client } = of(command);
      const look = () => client.state.connection.status === command.status;
      if (look()) return resolve(null);
      const stop = client.subscribe((state) => state.connection.status, () => look() && (stop(), resolve(null)));
    }),
  /** Put another cursor in the place of the one that is kept. */
  spoil: async ({ storage, cursor }) => {
    for (const [key, value] of await storages.get(storage).read("")) if (key.endsWith("/rest")) value.cursor = cursor;
  },
  token: (command) => void (of(command).token = command.token),
  skew: (command) => void (of(command).skew = command.ms),
  /** Lose the next answer to this event, and the connection with it. */
  lose: (command) => void (of(command).lose = command.event),
  /** Do not hear the next event of this name. */
  drop: (command) => void (of(command).drop = command.event),
  /** Be gone, as a page that is closed or a process that is killed. */
  kill: (command) => {
    const kept = of(command);
    kept.alive = false;
    kept.wire?.close();
  },
  close: async (command) => {
    const kept = of(command);
    if (kept?.alive) await kept.client.close();
    clients.delete(command.client);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  Promise.resolve()
    .then(() => commands[command.do](command))
    .then(
      (ok) => say({ id: command.id, ok: ok ?? null }),
      (error) => say({ id: command.id, failed: `${error.code ?? ""} ${error.stack ?? error}` }),
    );
}
process.exit(0);
