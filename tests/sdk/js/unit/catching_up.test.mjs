/** What comes again, comes twice, or was on its way while the client began or was cut off. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { messagesIn } from "../../../../sdk/js/dist/index.js";
import { channel, settled, world } from "./world.mjs";

const den = (read_number = 0) => ({ ...channel("den", 1), last_number: 1, membership: { ...channel("den").membership, read_number } });
const fresh = (read_number, own_seq = 0) => ({ recovered: false, channels: [den(read_number)], grants: {}, blocks: [], own_seq, cursor: "c1", has_more: false });
const watch = () => ({ channel: den(), presence: null, watchers: null, receipts: null });
const entry = (seq, type, data, channel_id = "den") => ({ type, channel_id, seq, epoch: "e", at: "", actor: "ada", data });
const reaction = (seq, type, reactions) => entry(seq, type, { message_id: "msg_1", message_seq: 1, user_id: "ada", emoji: "+", created_at: "", reactions, replaced: [] });
const syncs = ({ calls }) => calls.filter(([event]) => event === "sync").map(([, { cursor = null }]) => cursor);

test("what is replayed and was known already does not take back what a page has said meanwhile", async () => {
  let answer;
  const page = new Promise((go) => (answer = (body) => go({ ok: true, text: async () => JSON.stringify(body) })));
  const { client, clock, wires } = world({ answers: { sync: () => fresh(), "channel.watch": watch }, fetch: () => page });
  await client.connect();
  const events = [reaction(2, "reaction.removed", {}), reaction(3, "reaction.added", { "+": 1 })];
  events.forEach((event) => wires[0].on.event(event.type, event));
  await settled();
  wires[0].on.closed(false);
  await clock.pass(3000);
  void client.open("den");
  await settled();
  wires[1].on.event(events[0].type, events[0]);
  await settled();
  const message = { id: "msg_1", channel_id: "den", number: 1, seq: 1, user_id: "bob", text: "", attachments: [], custom: {}, silent: false, created_at: "", updated_at: "", deleted_at: null };
  answer({ messages: [{ ...message, reactions: { "+": 1 }, own_reactions: ["+"] }], has_before: false, has_after: false });
  await settled();
  wires[1].on.event(events[1].type, events[1]);
  await settled();
  const [{ reactions, own_reactions }] = messagesIn(client.state, "den");
  assert.deepEqual([reactions, own_reactions], [{ "+": 1 }, ["+"]]);
});

test("an event of one's own that fresh state has already is not applied to it", async () => {
  const own = (seq, type, data) => entry(seq, type, { channel_id: "den", ...data }, null);
  const mark = own(7, "unread.changed", { read_number: 0, marked_unread: true, hidden_numbers: [] });
  const muted = own(9, "membership.arranged", { muted_at: "2026" });
  const sync = () => {
    [mark, muted].forEach((event) => wires[0].on.event(event.type, event));
    return fresh(1, 8);
  };
  const { client, wires } = world({ answers: { sync } });
  await client.connect();
  await settled();
  const { read_number, muted_at } = client.state.channels.den.channel.membership;
  assert.deepEqual([read_number, muted_at], [1, "2026"], "what is newer than that was not lost");
  // Nor when it comes late, after all of what followed it.
  wires[0].on.event(mark.type, mark);
  await settled();
  assert.equal(client.state.channels.den.channel.membership.read_number, 1);
  assert.deepEqual([syncs(wires[0]), client.state.cursor], [[null], "c1"], "and nothing is asked again");
});

test("a gap that the end of the connection left open is filled by the next one, not by beginning anew", async () => {
  const { client, clock, wires } = world({ answers: { sync: ({ cursor }) => (cursor ? "none" : fresh()) } });
  await client.connect();
  const early = reaction(3, "reaction.added", { "+": 1 });
  wires[0].on.event(early.type, early);
  await settled();
  assert.deepEqual(syncs(wires[0]), [null, "c1"]);
  wires[0].on.closed(false);
  await clock.pass(5000);
  assert.deepEqual([syncs(wires[1]), wires[1].auth.cursor], [[], "c1"]);
});
