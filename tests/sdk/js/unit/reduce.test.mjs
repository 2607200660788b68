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

const entry = (seq, type, data) => ({ type, channel_id: "den", seq, epoch: "e", at: "", actor: "bob", data });
const told = (type, seq, of, more) => entry(seq, type, { message: message(of, more) });
const reacted = (seq, user_id, emoji, reactions) => entry(seq, "reaction.added", { message_id: "msg_1", message_seq: 1, user_id, emoji, created_at: "", reactions, replaced: [] });
const own = (state) => messagesIn(state, "den")[0].own_reactions;
const newest = (state, messages, meanwhile = []) => act(state, { do: "page", channel_id: "den", entered: state.channels.den.entered, thread_id: null, newest: true, messages, stretch: [0, 0], meanwhile });

test("the acknowledgement of a repeated send does not stand in the way of the page that says which reactions are one's own", () => {
  const counted = { user_id: "ada", reactions: { "+": 1 } };
  const acknowledged = act(start(2), { do: "sent", message: message(1, counted) });
  assert.deepEqual(own(newest(acknowledged, [message(1, { ...counted, own_reactions: ["+"] })])), ["+"]);
});

test("an acknowledgement shows a message until its event comes, and none that was taken away", () => {
  assert.deepEqual(seqs(messagesIn(act(start(), { do: "sent", message: message(1) }), "den")), [1]);
  assert.deepEqual(messagesIn(newest(act(start(1), { do: "sent", message: message(1) }), []), "den"), []);
});

test("a deletion takes one's own reactions away, though the message has been restored and has others when it is read", () => {
  const state = [created(1), reacted(2, "ada", "+", { "+": 1 })].reduce(reduce, start());
  assert.deepEqual(own(state), ["+"]);
  const now = { reactions: { "+": 1 } };
  const replay = [told("message.updated", 3, 1, now), told("message.deleted", 4, 1, now), told("message.restored", 5, 1, now), reacted(6, "bob", "+", { "+": 1 })];
  assert.deepEqual(own(replay.reduce(reduce, state)), []);
});

test("a deletion takes the pin away, though the message has been restored when it is read", () => {
  const pinned = entry(2, "message.pinned", { message_id: "msg_1", message_seq: 1, pinned_by: "bob", pinned_at: "", expires_at: null });
  const read = act(start(), { do: "pins", channel_id: "den", entered: 0, pins: [], meanwhile: [] });
  const state = [created(1), pinned, told("message.deleted", 3, 1), told("message.restored", 4, 1)].reduce(reduce, read);
  assert.deepEqual(state.channels.den.pins, {});
});

test("pins that were read before the channel was cut are not kept", () => {
  const cut = reduce(start(2), entry(3, "channel.truncated", { truncated_to: 3, truncated_number: 2 }));
  const pin = { message_id: "msg_1", message_seq: 1, pinned_by: "bob", pinned_at: "", expires_at: null, message: message(1) };
  const kept = { ...pin, message_id: "msg_3", message_seq: 3 };
  const { pins } = act(cut, { do: "pins", channel_id: "den", entered: 2, pins: [pin, kept], meanwhile: [] }).channels.den;
  assert.deepEqual(Object.keys(pins), ["msg_3"]);
  assert.deepEqual(pins.msg_3, kept);
});

test("quotes follow what they quote: after a restoration, to what is hidden, and not past a cut", () => {
  const quoted = { id: "msg_1", seq: 1, user_id: "bob", text: "1", attachment_count: 0, deleted: false };
  const text = (state) => messagesIn(state, "den").at(-1).quoted?.text;
  const gone = [created(1), created(2, { deleted_at: "2" }), told("message.restored", 3, 2, { quoted_id: "msg_1", quoted })].reduce(reduce, start());
  const edited = reduce(gone, told("message.updated", 4, 1, { text: "edited" }));
  assert.equal(text(edited), "edited");
  assert.equal(text(reduce(edited, told("message.updated", 5, 1, { text: "", hidden: true }))), "edited");
  const arranged = { ...entry(1, "membership.arranged", { channel_id: "den", history_from: 2 }), channel_id: null };
  const cleared = reduce(edited, arranged);
  assert.equal(text(cleared), undefined);
  assert.equal(text(reduce(cleared, told("message.updated", 5, 1))), undefined);
});
