/** Messages that are found by their id: paging both ways from them; pins with their messages; who deleted what; acknowledgements and events. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { deletions, eventsFirst, hasAfter, hasBefore, loadAfter, loadBefore, messagesAround, messagesIn, pinsIn } from "../../../../sdk/js/dist/index.js";
import { channel, settled, world } from "./world.mjs";

const NEWEST = 300;
const message = (seq, more = {}) => ({
  id: `msg_${seq}`, channel_id: "den", number: seq, seq, user_id: "bob", text: `${seq}`, attachments: [], custom: {}, silent: false, created_at: "2026", updated_at: "2026", deleted_at: null, ...more,
});
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => from + n);
const seqs = (messages) => messages.map(({ seq }) => seq);

/** A channel of 300 messages. */
function rest(address) {
  const { pathname, searchParams } = new URL(address);
  if (pathname.endsWith("/pins")) return { body: { pins: [{ ...pin(7), message: message(7) }] } };
  const limit = Number(searchParams.get("limit"));
  const at = (name) => Number(searchParams.get(name).slice(4));
  let from = NEWEST - limit + 1;
  if (searchParams.has("before")) from = at("before") - limit;
  if (searchParams.has("after")) from = at("after") + 1;
  if (searchParams.has("around")) from = at("around") - limit / 2;
  const to = searchParams.has("before") ? at("before") - 1 : from + limit - 1;
  const found = range(Math.max(1, from), Math.min(NEWEST, to));
  return { body: { messages: found.map((seq) => message(seq)), has_before: found[0] > 1, has_after: found.at(-1) < NEWEST } };
}

const pin = (seq) => ({ message_id: `msg_${seq}`, message_seq: seq, pinned_by: "bob", pinned_at: `2026-0${seq % 10}`, expires_at: null });
const fresh = { recovered: false, channels: [channel("den", NEWEST)], grants: {}, blocks: [], cursor: "c1", has_more: false };

async function entered(answers = {}, wrapped = (transport) => transport) {
  const made = world({ rest, wrapped, answers: { sync: () => fresh, "channel.watch": () => ({ channel: channel("den", NEWEST), presence: null, watchers: null, receipts: null }), ...answers } });
  await made.client.connect();
  await made.client.open("den");
  return made;
}

let seq = NEWEST;
/** An event of the channel's log, as the server tells it. */
async function told({ wires }, type, data, actor = "bob") {
  wires.at(-1).on.event(type, { type, channel_id: "den", seq: (seq += 1), epoch: "e", at: "", actor, data });
  await settled();
}

test("from a message that was found, pages go both ways until they meet what is there", async () => {
  const { client, requests } = await entered();
  assert.equal(await client.loadAround("den", "msg_150"), 150);
  const shown = () => seqs(messagesAround(client.state, "den", 150));
  assert.deepEqual(shown(), range(125, 174));
  assert.equal(await loadBefore(client, "den", 150), true);
  assert.deepEqual(shown(), range(75, 174));
  assert.deepEqual(seqs(messagesIn(client.state, "den")), range(251, 300), "the newest are as they were");
  assert.equal(await loadAfter(client, "den", 150), true);
  assert.deepEqual(shown(), range(75, 224));
  assert.equal(await loadAfter(client, "den", 150), false);
  assert.deepEqual(shown(), range(75, 300));
  assert.equal(hasAfter(client.state, "den", 150), false);
  assert.equal(await loadBefore(client, "den", 150), true);
  assert.equal(await client.loadOlder("den"), false);
  assert.deepEqual(seqs(messagesIn(client.state, "den")), range(1, 300));
  assert.equal(hasBefore(client.state, "den", 150), false);
  const asked = requests.length;
  assert.deepEqual([await client.loadOlder("den"), await loadAfter(client, "den", 150)], [false, false]);
  assert.equal(requests.length, asked, "nothing is read twice");
  await client.close();
});

test("a reply in a thread is found without paging back to it, and pages go both ways from there", async () => {
  const { client, requests } = await entered();
  const thread = "msg_9000";
  assert.equal(await client.loadAround("den", "msg_150", undefined, thread), 150);
  const asked = () => requests.map(([, address]) => new URL(address)).filter(({ pathname }) => pathname === `/v1/messages/${thread}/replies`);
  assert.deepEqual(asked().map(({ search }) => search), ["?limit=50&around=msg_150"]);
  const shown = () => seqs(messagesAround(client.state, "den", 150, thread));
  assert.deepEqual(shown(), range(125, 174));
  assert.deepEqual([await loadBefore(client, "den", 150, thread), await loadAfter(client, "den", 150, thread)], [true, true]);
  assert.deepEqual(shown(), range(75, 224));
  assert.equal(hasAfter(client.state, "den", 150, thread), true);
  assert.deepEqual(seqs(messagesIn(client.state, "den", thread)), [], "the newest replies were not read");
  await client.openThread({ id: thread, channel_id: "den" });
  assert.deepEqual(seqs(messagesIn(client.state, "den", thread)), range(251, 300));
  while (await client.loadOlder("den", thread));
  assert.deepEqual(seqs(messagesIn(client.state, "den", thread)), range(1, 300));
  assert.deepEqual(shown(), range(1, 300));
  assert.equal(hasBefore(client.state, "den", 150, thread), false);
  const done = asked().length;
  assert.equal(await client.loadAround("den", "msg_7", undefined, thread), 7);
  assert.equal(asked().length, done, "nothing is read twice");
  assert.deepEqual(seqs(messagesIn(client.state, "den")), range(251, 300), "the channel is as it was");
  await client.close();
});

test("a pin brings its message, which stays as it is now", async () => {
  seq = NEWEST;
  const made = await entered();
  const { client, requests } = made;
  const texts = () => pinsIn(client.state, "den", "2026").map((each) => [each.message_seq, each.message?.text]);
  await client.loadPins("den");
  assert.deepEqual(texts(), [[7, "7"]]);
  await told(made, "message.pinned", pin(299));
  assert.deepEqual(texts(), [[299, "299"], [7, "7"]]);
  await told(made, "message.updated", { message: message(7, { text: "seven" }) });
  await told(made, "message.updated", { message: message(299, { text: "edited" }) });
  assert.deepEqual(texts(), [[299, "edited"], [7, "seven"]]);
  await told(made, "message.unpinned", pin(299));
  const asked = requests.length;
  await client.loadPins("den");
  assert.equal(requests.length, asked);
  await told(made, "message.pinned", pin(8));
  assert.deepEqual(texts(), [[8, undefined], [7, "seven"]], "it is on a page that was not read");
  await client.loadPins("den");
  assert.equal(requests.length, asked + 1, "so the pins are read again");
  await client.close();
});

test("who deleted a message is told by the event alone", async () => {
  seq = NEWEST;
  const made = await entered();
  const deletedBy = deletions(made.client);
  await told(made, "message.deleted", { message: message(300, { text: "", deleted_at: "2026" }) }, "carol");
  await told(made, "message.deleted", { message: message(299, { text: "", deleted_at: "2026" }) }, null);
  assert.deepEqual(["msg_300", "msg_299", "msg_298"].map(deletedBy), ["carol", null, undefined]);
  assert.deepEqual(Object.keys(messagesIn(made.client.state, "den").at(-1)), [...Object.keys(message(300)), "state"]);
  await made.client.close();
});

test("what was done is shown until its event has come, which is after the acknowledgement", async () => {
  seq = NEWEST;
  const made = await entered({ "message.update": ({ text }) => ({ message: message(300, { text }) }) }, eventsFirst);
  const { client } = made;
  const newest = () => [messagesIn(client.state, "den").at(-1)].map(({ text, state }) => [text, state])[0];
  let done = false;
  const editing = client.edit({ id: "msg_300", channel_id: "den" }, { text: "edited" }).then(() => (done = true));
  await settled();
  assert.equal(made.wires[0].calls.at(-1)[0], "message.update");
  await told(made, "message.updated", { message: message(299, { text: "another" }) });
  assert.deepEqual([newest(), done], [["edited", "waiting"], false]);
  await told(made, "message.updated", { message: message(300, { text: "edited" }) });
  await editing;
  assert.deepEqual(newest(), ["edited", "stored"]);
  await client.close();
});

test("what changes nothing has no event, and waits a moment alone", async () => {
  const { client } = await entered({ "reaction.add": () => ({ message: message(300) }) }, eventsFirst);
  await client.react({ id: "msg_300", channel_id: "den" }, "+");
  assert.deepEqual(client.state.outbox, []);
  await client.close();
});
