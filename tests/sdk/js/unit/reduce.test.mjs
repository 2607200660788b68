/** What stays the same object, what is a gap, and which stretches of history are known. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { act, begin, EMPTY, hasOlder, messagesAround, messagesIn, reduce, unreadOf } from "../../../../sdk/js/dist/index.js";
import { Ids } from "../../../../sdk/js/dist/ids.js";
import { channel, USER } from "./world.mjs";

const start = (seq = 0) => act(begin(EMPTY, { channels: [channel("den", seq), channel("lab")], grants: {}, blocks: [], cursor: "c" }), { do: "user", user: USER });
const message = (seq, more = {}) => ({
  id: `msg_${seq}`, channel_id: "den", number: seq, seq, user_id: "bob", text: `${seq}`, attachments: [], custom: {}, silent: false, created_at: "2026", updated_at: "2026", deleted_at: null, ...more,
});
const created = (seq, more) => ({ type: "message.created", channel_id: "den", seq, epoch: "e", at: "", actor: "bob", data: { message: message(seq, more) } });
const page = (state, from, to, { before = true, newest = false, upTo = to } = {}) =>
  act(state, {
    do: "page", channel_id: "den", entered: state.channels.den.entered, thread_id: null, newest, meanwhile: [],
    messages: Array.from({ length: to - from + 1 }, (_, n) => message(from + n)), stretch: [before ? from : 0, upTo],
  });
const seqs = (messages) => messages.map(({ seq }) => seq);

test("what an event does not touch is the same object", () => {
  const before = start();
  const after = reduce(before, created(1));
  assert.notEqual(after.channels.den, before.channels.den);
  for (const part of ["lab"]) assert.equal(after.channels[part], before.channels[part]);
  for (const part of ["grants", "blocks", "threads", "users", "outbox"]) assert.equal(after[part], before[part]);
  assert.equal(reduce(after, created(1)), after, "a repeat changes nothing");
  assert.equal(messagesIn(after, "den"), messagesIn(reduce(after, { ...created(1), channel_id: "lab", data: { message: message(1, { channel_id: "lab" }) } }), "den"));
});

test("what comes too early is not applied, and its log is told", () => {
  const gap = reduce(start(), created(3));
  assert.deepEqual(gap.gaps, { den: 3 });
  assert.deepEqual(seqs(messagesIn(gap, "den")), []);
  assert.deepEqual(act(gap, { do: "cursor", cursor: "later" }).cursor, "c", "a resume has to start before the gap");
  const mended = [1, 2, 3].map((seq) => created(seq)).reduce(reduce, gap);
  assert.deepEqual([mended.gaps, seqs(messagesIn(mended, "den"))], [{}, [1, 2, 3]]);
});

test("pages join to one stretch, and what lies beyond a hole is not shown with it", () => {
  let state = page(start(20), 16, 20, { newest: true });
  assert.deepEqual(seqs(messagesIn(state, "den")), [16, 17, 18, 19, 20]);
  state = page(state, 5, 8);
  assert.deepEqual(seqs(messagesIn(state, "den")), [16, 17, 18, 19, 20]);
  assert.deepEqual(seqs(messagesAround(state, "den", 6)), [5, 6, 7, 8]);
  state = page(state, 9, 15, { upTo: 16 });
  assert.deepEqual(seqs(messagesIn(state, "den")), Array.from({ length: 16 }, (_, n) => n + 5));
  assert.ok(hasOlder(state, "den"));
  state = page(state, 1, 4, { before: false, upTo: 5 });
  assert.ok(!hasOlder(state, "den"));
});

test("a page that was read before the channel was entered anew is not taken", () => {
  const old = start(20);
  const late = act(begin(old, { channels: [channel("den", 30)], grants: {}, blocks: [], cursor: "d" }), {
    do: "page", channel_id: "den", entered: 20, thread_id: null, newest: true, meanwhile: [], messages: [message(20)], stretch: [0, 0],
  });
  assert.deepEqual(seqs(messagesIn(late, "den")), []);
  assert.equal(late.channels.den.loaded, false);
});

test("an edit that came while an older page was read is not lost", () => {
  const edit = { ...created(21), type: "message.updated", data: { message: message(18, { text: "edited" }) } };
  const state = act(reduce(start(20), edit), {
    do: "page", channel_id: "den", entered: 20, thread_id: null, newest: true, meanwhile: [edit], messages: [message(18), message(20)], stretch: [0, 0],
  });
  assert.deepEqual(messagesIn(state, "den").map(({ text }) => text), ["edited", "20"]);
});

test("messages stand in order, wherever they come from", () => {
  let state = start();
  const order = Array.from({ length: 300 }, (_, n) => ((n * 7919) % 300) + 1);
  for (const seq of order) state = act(state, { do: "sent", message: message(seq) });
  assert.deepEqual(seqs(messagesIn(state, "den")), Array.from({ length: 300 }, (_, n) => n + 1));
});

test("one's own message is read with what is before it, others' are unread", () => {
  let state = [1, 2].map((seq) => created(seq)).reduce(reduce, start());
  assert.deepEqual(unreadOf(state), { total: 2, channels_unread: 1, thread_replies: 0, threads_unread: 0 });
  state = reduce(state, created(3, { user_id: "ada" }));
  assert.equal(unreadOf(state).total, 0);
});

test("ids are UUIDv7 that sort as they were made, inside a millisecond too", () => {
  const ids = new Ids(() => 1_767_225_600_000, Math.random);
  const made = Array.from({ length: 5_000 }, () => ids.make("msg_"));
  assert.deepEqual([...made].sort(), made);
  assert.equal(new Set(made).size, made.length);
  const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
  const value = [...made[0].slice(4)].reduce((sum, letter) => sum * 32n + BigInt(ALPHABET.indexOf(letter)), 0n);
  const hex = value.toString(16).padStart(32, "0");
  assert.equal(parseInt(hex.slice(0, 12), 16), 1_767_225_600_000);
  assert.equal(hex[12], "7");
  assert.match(hex[16], /[89ab]/);
});
