// The official JavaScript client, driven over standard input and output: one JSON object a line.
//
// In:  {id, do, client, …}, see `commands`. Out: {id, ok} or {id, failed} for each, and {client, on, …} for what happens.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const clients = new Map();
const say = (object) => process.stdout.write(JSON.stringify(object) + "\n");

function open({ client: name, url, options, token, cursor, resume, mute }) {
  const state = { token, cursor, resume };
  // Asked again at each reconnect: a fresh token, and where to go on.
  const auth = (give) => {
    if (mute) return;
    give({ token: state.token, ...(state.cursor ? { cursor: state.cursor } : {}) });
  };
  const socket = io(url, { auth, forceNew: true, ...options });
  state.socket = socket;
  clients.set(name, state);
  const tell = (on, more) => say({ client: name, on, now: Date.now(), ...more });
  socket.on("connect", () => tell("connect", { transport: socket.io.engine.transport.name }));
  socket.on("disconnect", (reason) => tell("disconnect", { reason, active: socket.active }));
  socket.on("connect_error", (error) =>
    tell("connect_error", {
      message: error.message,
      data: error.data,
      status: error.description?.status ?? error.description,
      body: error.context?.responseText,
      active: socket.active,
    }),
  );
  socket.onAny((event, payload) => {
    if (state.resume && payload?.cursor) state.cursor = payload.cursor;
    tell("event", { event, payload });
  });
  socket.io.on("open", () => {
    socket.io.engine.on("upgrade", (transport) => tell("upgrade", { transport: transport.name }));
    socket.io.engine.on("close", (reason, details) =>
      tell("engine_close", {
        reason,
        status: details?.description?.description ?? details?.description,
        body: details?.description?.context?.responseText,
      }),
    );
  });
  socket.io.on("reconnect_attempt", (attempt) => tell("reconnect_attempt", { attempt }));
}

const socketOf = (name) => clients.get(name).socket;
const withAck = (socket, event, payload, patience = 20_000) => socket.timeout(patience).emitWithAck(event, payload);

const commands = {
  open,
  emit: ({ client, event, payload }) => withAck(socketOf(client), event, payload),
  // All in one turn of the event loop: a polling client puts them into one request.
  burst: ({ client, event, payloads }) =>
    Promise.all(payloads.map((payload) => withAck(socketOf(client), event, payload))),
  // Call all the time, whatever happens: `calls` is [{id, at, told, answer}], all times in ms. `told` is when the
  // connection on which the call was made was told to go, and for when; a reconnect makes that undone.
  hammer: ({ client, channel, every }) => {
    const state = clients.get(client);
    const { socket } = state;
    state.calls = [];
    socket.on("connection.closing", (closing) => (state.leaveAt = Date.now() + closing.after_ms));
    socket.on("connect", () => (state.leaveAt = null));
    let n = 0;
    state.hammer = setInterval(() => {
      if (!socket.connected) return; // what is sent then waits in the client, and is no call yet
      const call = { text: `${client}/${n++}`, at: Date.now(), leaveAt: state.leaveAt ?? null, answer: null };
      state.calls.push(call);
      withAck(socket, "message.send", { channel_id: channel, text: call.text }, 6_000).then(
        (answer) => (call.answer = answer),
        () => (call.answer = null),
      );
    }, every);
  },
  rest: async ({ client }) => {
    const state = clients.get(client);
    clearInterval(state.hammer);
    await new Promise((resolve) => setTimeout(resolve, 6_500));
    return state.calls;
  },
  binary: ({ client, event }) => void socketOf(client).emit(event, { data: Buffer.from([1, 2, 3]) }),
  token: ({ client, token }) => void (clients.get(client).token = token),
  close: ({ client }) => {
    clients.get(client)?.socket.disconnect();
    clients.delete(client);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  Promise.resolve()
    .then(() => commands[command.do](command))
    .then(
      (ok) => say({ id: command.id, ok: ok ?? null }),
      (error) => say({ id: command.id, failed: String(error) }),
    );
}
for (const { socket } of clients.values()) socket.disconnect();
