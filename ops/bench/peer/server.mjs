// The peer: a plain socket.io server as one would write it on the first day. With DATABASE_URL it stores each message
// by one INSERT before it answers; without, it stores nothing.
import { createServer } from "node:http";
import { Server } from "socket.io";
import pg from "pg";

const url = process.env.DATABASE_URL;
const pool = url ? new pg.Pool({ connectionString: url, max: 10 }) : null;
const insert = "insert into peer_messages (channel_id, user_id, text, custom, created_at) values ($1, $2, $3, $4, now()) returning id, created_at";

if (pool) {
  await pool.query("drop table if exists peer_messages");
  await pool.query(
    "create table peer_messages (id bigint generated always as identity primary key, channel_id text not null, user_id text not null, text text not null, custom jsonb not null, created_at timestamptz not null)",
  );
  await pool.query("create index on peer_messages (channel_id, id)");
}

const http = createServer();
const io = new Server(http, { perMessageDeflate: false });
let counter = 0;

io.on("connection", (socket) => {
  const { user, rooms } = socket.handshake.auth;
  for (const room of rooms) socket.join(room);

  socket.on("message.send", async ({ channel_id, text, custom }, ack) => {
    let id = ++counter;
    let at = new Date();
    if (pool) {
      try {
        const { rows } = await pool.query(insert, [channel_id, user, text, custom]);
        [{ id, created_at: at }] = rows;
      } catch (error) {
        ack({ error: { message: error.message } });
        return;
      }
    }
    const message = {
      id: `msg_${String(id).padStart(26, "0")}`, channel_id, number: Number(id), seq: Number(id), user_id: user, text,
      attachments: [], custom, silent: false, created_at: at, updated_at: at, deleted_at: null,
    };
    io.to(channel_id).emit("message.created", {
      type: "message.created", channel_id, seq: Number(id), epoch: "34b181d9c9", at, actor: user, data: { message },
    });
    ack({ message });
  });

  socket.on("typing.start", (_, ack) => ack({}));
});

http.listen(Number(process.env.PORT), "127.0.0.1", () => console.log("ready"));
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(0));
