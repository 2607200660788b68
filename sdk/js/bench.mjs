/** How long 10,000 events take through the reducer, one by one and in batches, and what an app downloads. */
import { gzipSync } from "node:zlib";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { act, begin, EMPTY, reduce, reduceAll } from "./dist/index.js";

const EVENTS = 10_000;
const ROUNDS = 7;

/** Sends, reactions, edits, reads and typing in so many channels, in the mix of a busy app. */
function session(channels, count) {
  const at = "2026-01-01T00:00:00.000Z";
  const applied = {};
  const newest = {};
  let own = 0;
  return Array.from({ length: count }, (_, n) => {
    const channel_id = `c${n % channels}`;
    const event = (type, data, log = channel_id) => ({
      type,
      channel_id: log,
      seq: type === "typing.started" ? null : log === null ? (own += 1) : (applied[log] = (applied[log] ?? 0) + 1),
      epoch: "e",
      at,
      actor: "bob",
      data,
    });
    const known = newest[channel_id];
    const kind = Math.floor(n / channels) % 10;
    if (kind < 6 || !known) {
      const created = event("message.created", {});
      const seq = created.seq;
      const message = {
        id: `msg_${n}`, channel_id, number: seq, seq, user_id: n % 2 ? "ada" : "bob", text: `Message ${n}`, attachments: [],
        custom: {}, silent: false, created_at: at, updated_at: at, deleted_at: null,
      };
      newest[channel_id] = message;
      return { ...created, data: { message } };
    }
    if (kind === 6) return event("message.updated", { message: { ...known, text: "Edited" } });
    if (kind === 7) return event("unread.changed", { channel_id, read_number: known.number, last_number: known.number, unread: 0, marked_unread: false }, null);
    if (kind === 8) return event("typing.started", { user_id: "bob", thread_id: null });
    return event("reaction.added", { message_id: known.id, message_seq: known.seq, user_id: "bob", emoji: "👍", created_at: at, reactions: { "👍": 1 }, replaced: [] });
  });
}

function start(channels) {
  const fresh = Array.from({ length: channels }, (_, n) => ({
    id: `c${n}`, type: "group", name: null, image: null, custom: {}, created_by: null, frozen: false, grants: {}, history: "all", truncated_to: 0,
    truncated_number: 0, slow_mode: 0, distinct: false, created_at: "", updated_at: "", member_count: 2, last_number: 0, seq: 0, capabilities: null,
    membership: { role: "member", read_number: 0, unread: 0, joined_at: "", history_from: 0, archived_at: null, hidden: false, muted_at: null, muted_until: null, pin_order: null },
  }));
  const user = { id: "ada", name: null, image: null, role: "user", custom: {} };
  return act(begin(EMPTY, { channels: fresh, grants: {}, blocks: [], own_seq: 0, cursor: "x" }), { do: "user", user });
}

function best(work) {
  const took = Array.from({ length: ROUNDS }, () => {
    const began = performance.now();
    const state = work();
    if (Object.keys(state.gaps).length) throw new Error("the events have a gap");
    return performance.now() - began;
  });
  return Math.min(...took); // whatever else the machine does only adds
}

export function reducing(channels) {
  const events = session(channels, EVENTS);
  const from = start(channels);
  return {
    channels,
    events: EVENTS,
    one_by_one_ms: best(() => events.reduce(reduce, from)),
    batches_ms: best(() => {
      let state = from;
      for (let at = 0; at < EVENTS; at += 100) state = reduceAll(state, events.slice(at, at + 100));
      return state;
    }),
  };
}

/** Bytes, gzipped, of what a bundler makes of an import, beside socket.io-client. */
export async function size(names) {
  const { outputFiles } = await build({
    stdin: { contents: `export ${names} from "./dist/index.js"`, resolveDir: fileURLToPath(new URL(".", import.meta.url)) },
    bundle: true, minify: true, write: false, format: "esm", target: "es2022", external: ["socket.io-client"],
  });
  return gzipSync(outputFiles[0].contents, { level: 9 }).length;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const measured = {
    reducer: [1, 50, 1000].map(reducing),
    gzipped_bytes: { everything: await size("*"), reducer: await size("{ reduce }") },
  };
  console.log(JSON.stringify(measured, null, 2));
}
