// The peer of REST: Fastify with a checked JWT, one query, one page of 50 messages.
import fastify from "fastify";
import jwt from "@fastify/jwt";
import pg from "pg";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
const app = fastify();
await app.register(jwt, { secret: process.env.SECRET });

await pool.query("drop table if exists peer_messages");
await pool.query(
  "create table peer_messages (id bigint generated always as identity primary key, channel_id text not null, user_id text not null, text text not null, attachments jsonb not null default '[]', custom jsonb not null default '{}', silent boolean not null default false, created_at timestamptz not null, updated_at timestamptz not null, deleted_at timestamptz)",
);
await pool.query("drop table if exists peer_members; create table peer_members (channel_id text, user_id text, primary key (channel_id, user_id))");
await pool.query("create index on peer_messages (channel_id, id)");
await pool.query(
  "insert into peer_messages (channel_id, user_id, text, created_at, updated_at) select 'room', 'user' || n % 10, $1, now(), now() from generate_series(1, $2::int) n",
  [process.env.TEXT, Number(process.env.MESSAGES)],
);
await pool.query("insert into peer_members select 'room', 'user' || n from generate_series(0, 9) n");
await pool.query("analyze");

app.get("/v1/channels/:channel/messages", async (request, reply) => {
  const { sub } = await request.jwtVerify();
  const { channel } = request.params;
  const limit = Math.min(Number(request.query.limit ?? 50), 100);
  const member = await pool.query({ name: "member", text: "select 1 from peer_members where channel_id = $1 and user_id = $2", values: [channel, sub] });
  if (!member.rowCount) return reply.code(404).send({ error: "not found" });
  const { rows } = await pool.query({
    name: "page",
    text: "select id, user_id, text, attachments, custom, silent, created_at, updated_at, deleted_at from peer_messages where channel_id = $1 order by id desc limit $2",
    values: [channel, limit],
  });
  return {
    messages: rows.reverse().map((row) => ({ ...row, id: `msg_${String(row.id).padStart(26, "0")}`, channel_id: channel, number: Number(row.id), seq: Number(row.id) })),
    has_more: rows.length === limit,
  };
});

process.stdout.write(app.jwt.sign({ sub: "user0" }) + "\n");
await app.listen({ port: Number(process.env.PORT), host: "127.0.0.1" });
console.log("ready");
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(0));
