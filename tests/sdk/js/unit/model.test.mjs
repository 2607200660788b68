/**
 * Clients against a model of the server, in short histories made by chance: packets, answers and pages come at any moment,
 * connections end, pages die with what was kept so far. In the end a client has what the server has.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, MemoryStorage, messagesIn, NoAnswer, pinsIn, unreadOf } from "../../../../sdk/js/dist/index.js";
import { channel, Clock, settled, token, USER } from "./world.mjs";

const ME = USER.id;
const EMOJI = ["+", "!"];
/** For more of them: NATTER_MODEL_HISTORIES=30000 node --test model.test.mjs. */
const FIRST = Number(process.env.NATTER_MODEL_SEED ?? 1);
const HISTORIES = Number(process.env.NATTER_MODEL_HISTORIES ?? 800);

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
function chances(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One channel's log, and the log of one user. An entry names its message, and shows it as it is when it is read. */
class Server {
  log = [];
  seq = 0;
  own = 0;
  number = 0;
  read = 0;
  back = false;
  truncated = [0, 0];
  messages = new Map();
  hidden = new Set();
  pins = new Map();

  #write(type, data, log = "den") {
    const seq = log ? (this.seq += 1) : (this.own += 1);
    const event = () => ({ type, channel_id: log || null, seq, epoch: "e", at: "", actor: null, data: structuredClone(data()) });
    this.log.push({ log, event });
    return seq;
  }

  /** A message as an event shows it; with what the user has reacted with, as a page does. */
  view(id, page = false) {
    const { reactions, quoted_id, ...message } = this.messages.get(id);
    const gone = message.deleted_at !== null;
    const counts = Object.fromEntries(EMOJI.map((each) => [each, reactions.filter(([, emoji]) => emoji === each).length]).filter(([, count]) => count));
    if (gone) return { ...message, text: "" };
    if (Object.keys(counts).length) {
      message.reactions = counts;
      if (page) message.own_reactions = reactions.filter(([user]) => user === ME).map(([, emoji]) => emoji);
    }
    if (quoted_id) {
      const other = this.messages.get(quoted_id);
      message.quoted_id = quoted_id;
      if (other.seq >= this.truncated[0]) message.quoted = { id: other.id, seq: other.seq, user_id: other.user_id, text: other.deleted_at ? "" : other.text, attachment_count: 0, deleted: other.deleted_at !== null };
    }
    return message;
  }

  visible() {
    return [...this.messages.keys()].filter((id) => !this.hidden.has(id) && this.messages.get(id).seq >= this.truncated[0]);
  }

  channel() {
    const plain = channel("den", this.seq);
    return { ...plain, last_number: this.number, truncated_to: this.truncated[0], truncated_number: this.truncated[1], membership: { ...plain.membership, read_number: this.read, hidden_numbers: this.hiddenNumbers() } };
  }

  hiddenNumbers() {
    return [...this.hidden].map((id) => this.messages.get(id).number);
  }

  page({ limit, before }) {
    const all = this.visible();
    const end = before ? all.filter((id) => this.messages.get(id).seq < this.messages.get(before).seq).length : all.length;
    const start = Math.max(0, end - Math.min(limit, 3));
    return { messages: all.slice(start, end).map((id) => this.view(id, true)), has_before: start > 0 };
  }

  send(user_id, id, text, quoted_id) {
    if (!this.messages.has(id)) {
      this.number += 1;
      const message = { id, channel_id: "den", number: this.number, seq: this.seq + 1, user_id, text, attachments: [], custom: {}, silent: false, created_at: "1", updated_at: "1", deleted_at: null, reactions: [], ...(quoted_id ? { quoted_id } : {}) };
      this.messages.set(id, message);
      if (user_id === ME) this.read = this.number;
      this.#write("message.created", () => ({ message: this.#told(id) }));
    }
    return { message: this.view(id) };
  }

  #told(id) {
    return this.hidden.has(id) ? { ...this.view(id), text: "", hidden: true } : this.view(id);
  }

  change(id, type, fields) {
    const message = this.messages.get(id);
    Object.assign(message, fields);
    if (type === "message.deleted") this.pins.delete(id);
    if (type === "message.restored") message.reactions = [];
    this.#write(type, () => ({ message: this.#told(id) }));
  }

  react(user, id, emoji, on, unique) {
    const message = this.messages.get(id);
    const own = message.reactions.filter(([who]) => who === user).map(([, each]) => each);
    const replaced = on && unique ? own.filter((each) => each !== emoji) : [];
    if (message.deleted_at || (on ? own.includes(emoji) && !replaced.length : !own.includes(emoji))) return;
    message.reactions = message.reactions.filter(([who, each]) => who !== user || !(each === emoji ? !on : replaced.includes(each)));
    if (on && !own.includes(emoji)) message.reactions.push([user, emoji]);
    const data = { message_id: id, message_seq: message.seq, user_id: user, emoji, reactions: this.view(id).reactions ?? {}, ...(on ? { replaced } : {}) };
    this.#write(on ? "reaction.added" : "reaction.removed", () => data);
  }

  pin(id, on) {
    if (on === this.pins.has(id) || this.messages.get(id).deleted_at) return;
    const pin = { message_id: id, message_seq: this.messages.get(id).seq, pinned_by: "bob", pinned_at: String(this.seq), expires_at: null };
    if (on) this.pins.set(id, pin);
    else this.pins.delete(id);
    this.#write(on ? "message.pinned" : "message.unpinned", () => pin);
  }

  hide(id) {
    if (this.hidden.has(id)) return;
    this.hidden.add(id);
    this.#write("message.hidden", () => ({ channel_id: "den", message_id: id, number: this.messages.get(id).number, thread_id: null, reply_number: null }), "");
  }

  mark(number, back) {
    if (!back && number <= this.read) return;
    this.read = number;
    const data = { channel_id: "den", read_number: number, marked_unread: back, hidden_numbers: this.hiddenNumbers() };
    this.#write("unread.changed", () => data, "");
  }

  truncate() {
    this.truncated = [this.seq + 1, this.number];
    const data = { truncated_to: this.seq + 1, truncated_number: this.number };
    for (const [id, pin] of this.pins) if (pin.message_seq < this.truncated[0]) this.pins.delete(id);
    this.#write("channel.truncated", () => data);
  }

  fresh() {
    return { recovered: false, channels: [this.channel()], grants: {}, blocks: [], own_seq: this.own, cursor: String(this.log.length), has_more: false };
  }

  /** What the user's calls do. */
  call(event, payload) {
    const { id = payload.message_id, cursor, text } = payload;
    if (event === "sync" && !cursor) return this.fresh();
    if (event === "sync") {
      const to = Math.min(this.log.length, Number(cursor) + 3);
      return { recovered: true, events: this.log.slice(Number(cursor), to).map(({ event }) => event()), cursor: String(to), has_more: to < this.log.length };
    }
    if (event === "channel.watch") return { channel: this.channel(), presence: null, watchers: null, receipts: null };
    if (event === "message.send") return this.send(ME, id, text, payload.quoted_id);
    if (!this.visible().includes(id)) return { error: { code: "not_found", status: 404, message: "", retryable: false } };
    if (event === "message.update") this.change(id, "message.updated", { text });
    if (event === "message.hide") this.hide(id);
    if (event === "reaction.add") this.react(ME, id, payload.emoji, true, payload.unique);
    if (event === "reaction.remove") this.react(ME, id, payload.emoji, false);
    return { message: this.view(id, true) };
  }

  /** What others do, the user's other device among them. */
  act(chance) {
    const pick = (from) => from[Math.floor(chance() * from.length)];
    const id = pick(this.visible());
    const user = pick([ME, ME, "bob"]);
    const kind = chance();
    if (!id || kind < 0.2) return this.send(user, `msg_o${this.seq}`, `${this.seq}`, chance() < 0.5 ? id : undefined);
    const { deleted_at } = this.messages.get(id);
    if (kind < 0.6) return this.react(user, id, pick(EMOJI), chance() < 0.65, chance() < 0.3);
    if (kind < 0.68) return !deleted_at && this.change(id, "message.updated", { text: `edited ${this.seq}` });
    if (kind < 0.82) return deleted_at ? this.change(id, "message.restored", { deleted_at: null }) : this.change(id, "message.deleted", { deleted_at: "2" });
    if (kind < 0.92) return this.pin(id, chance() < 0.7);
    if (kind < 0.95) return this.hide(id);
    if (kind < 0.98) return this.mark(Math.floor(chance() * (this.number + 1)), chance() < 0.5);
    return this.truncate();
  }
}

async function history(seed) {
  const chance = chances(seed);
  const server = new Server();
  const clock = new Clock();
  for (let n = 0; n < 4; n += 1) server.act(chance);
  let disk = new MemoryStorage();
  let page;

  const start = async () => {
    const here = { dead: false, asked: [], wire: null };
    const storage = {
      read: (prefix) => disk.read(prefix),
      write: async (changes) => void (here.dead || (await disk.write(structuredClone(changes)))),
    };
    /** An answer, made when the server comes to it and told when it has come back. */
    const ask = (work, wire = null) => new Promise((resolve, reject) => here.asked.push({ work, wire, resolve, reject, answer: null }));
    const transport = (url, key, auth, on) => {
      const wire = { on, open: true, sent: Number(auth.cursor ?? 0), packets: [], ready: false };
      here.wire = wire;
      // Live from now on, after what is replayed; entries that were not read yet show what is then.
      queueMicrotask(() => {
        if (!wire.open || here.dead) return;
        wire.ready = true;
        if (!auth.cursor) wire.sent = server.log.length;
        on.event("connection.ready", { user: USER, recovered: auth.cursor ? true : null, cursor: auth.cursor ?? null });
      });
      return { call: (event, payload) => ask(() => server.call(event, payload), wire), close: () => (wire.open = false) };
    };
    const fetch = async (address) => {
      const url = new URL(address);
      const { limit, ...where } = Object.fromEntries(url.searchParams);
      const body = await ask(() => (url.pathname.endsWith("/pins") ? { pins: [...server.pins.values()].filter(({ message_id }) => !server.hidden.has(message_id)) } : server.page({ limit: Number(limit), ...where })));
      return { ok: true, text: async () => JSON.stringify(body) };
    };
    here.client = new Client({ key: "pk_1", user: ME, token: () => token(clock, 9e5), url: "http://node", clock, random: () => 0.5, transport, fetch, storage });
    page = here;
    void here.client.connect().catch(() => {});
    await settled();
    void here.client.open("den").then(() => here.client.loadPins("den")).catch(() => {});
  };

  const cut = async () => {
    const { wire } = page;
    if (!wire?.open) return;
    for (const each of page.asked.filter((each) => each.wire === wire)) each.reject(new NoAnswer("cut"));
    page.asked = page.asked.filter((each) => each.wire !== wire);
    wire.on.closed(false);
    await clock.pass(500);
  };
  /** One thing that was asked for goes on: the server does it, or its answer comes. */
  const goOn = (each) => {
    if (each.answer === null) return void (each.answer = structuredClone(each.work()));
    page.asked.splice(page.asked.indexOf(each), 1);
    each.resolve(each.answer);
  };
  const read = (most) => {
    const { wire } = page;
    for (let n = 0; wire?.ready && n < most && wire.sent < server.log.length; n += 1) wire.packets.push(server.log[wire.sent++].event());
  };
  const tell = (most) => {
    const { wire } = page;
    for (let n = 0; wire?.open && n < most && wire.packets.length; n += 1) wire.on.event(wire.packets[0].type, wire.packets.shift());
    if (wire?.ready && wire.open && !wire.packets.length && chance() < 0.3) wire.on.event("sync.cursor", { cursor: String(wire.sent) });
  };
  /** What the user does. */
  const use = () => {
    const { client } = page;
    const quiet = (done) => void done?.catch(() => {});
    const shown = messagesIn(client.state, "den");
    const message = shown[Math.floor(chance() * shown.length)];
    const kind = chance();
    if (kind < 0.35 || !message) return quiet(client.send("den", { text: `${seed}`, ...(message?.seq < 1e9 && chance() < 0.3 ? { quoted_id: message.id } : {}) }));
    if (kind < 0.6) return quiet(client.react(message, EMOJI[chance() < 0.5 ? 0 : 1], chance() < 0.3));
    if (kind < 0.7) return quiet(client.unreact(message, EMOJI[0]));
    if (kind < 0.8) return quiet(client.edit(message, { text: "mine" }));
    if (kind < 0.85) return quiet(client.hide(message));
    return quiet(client.loadOlder("den"));
  };

  await start();
  for (let step = 0; step < 40; step += 1) {
    const kind = chance();
    if (kind < 0.25) server.act(chance);
    else if (kind < 0.45 && page.asked.length) goOn(page.asked[Math.floor(chance() * page.asked.length)]);
    else if (kind < 0.6) read(1 + Math.floor(chance() * 4));
    else if (kind < 0.75) tell(1 + Math.floor(chance() * 4));
    else if (kind < 0.88) use();
    else if (kind < 0.93) await cut();
    else if (kind < 0.97) await clock.pass(600);
    else {
      page.dead = true;
      page.wire && (page.wire.open = false);
      await start();
    }
    if (chance() < 0.7) await settled();
  }
  for (let round = 0, quiet = 0; quiet < 3; round += 1) {
    assert.ok(round < 200, "it comes to rest");
    const before = page.asked.length + server.log.length - (page.wire?.sent ?? -1) + (page.wire?.packets.length ?? 0) + page.client.state.outbox.length;
    [...page.asked].forEach(goOn);
    read(99);
    tell(99);
    await (before ? settled() : clock.pass(1500));
    quiet = before ? 0 : quiet + 1;
    if (round % 20 === 19) await clock.pass(1500);
  }
  while (page.client.state.channels.den && (await (async () => {
    let more = null;
    page.client.loadOlder("den").then((found) => (more = found), () => (more = false));
    for (let n = 0; more === null && n < 20; n += 1) {
      [...page.asked].forEach(goOn);
      await settled();
    }
    return more;
  })()));

  const order = ({ own_reactions: own, quoted, ...message }) => ({
    ...message,
    ...(own ? { own_reactions: [...own].sort() } : {}),
    // Of what the user has hidden, entries that are read later do not tell what is in it, so quotes of it may be older.
    ...(quoted ? { quoted: server.hidden.has(quoted.id) ? quoted.id : quoted } : {}),
  });
  const state = page.client.state;
  const shown = messagesIn(state, "den").filter((each) => each.state !== "failed").map(({ state: _, ...message }) => order(message));
  assert.deepEqual(shown, server.visible().map((id) => order(server.view(id, true))));
  const pins = [...server.pins.keys()].filter((id) => !server.hidden.has(id)).sort();
  assert.deepEqual(pinsIn(state, "den", "9").map(({ message_id }) => message_id).sort(), pins);
  const read_number = Math.max(server.read, server.truncated[1]);
  assert.equal(unreadOf(state).total, Math.max(0, server.number - read_number - server.hiddenNumbers().filter((number) => number > read_number).length));
  page.dead = true;
}

test("whatever the order in which things come, a client has in the end what the server has", async () => {
  for (let seed = FIRST; seed < FIRST + HISTORIES; seed += 1) {
    await history(seed).catch((error) => {
      throw new Error(`NATTER_MODEL_SEED=${seed}`, { cause: error });
    });
  }
});
