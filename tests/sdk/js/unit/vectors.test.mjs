/** The reducer ends where a fresh reader was, for every session that was recorded from real nodes. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { act, begin, EMPTY, reduce } from "../../../../sdk/js/dist/index.js";
import { views } from "../views.mjs";

const FOLDER = new URL("../../../../sdk/protocol/vectors/", import.meta.url);

function replay(vector) {
  let state = act(begin(EMPTY, vector.fresh), { do: "user", user: vector.user });
  let meanwhile = {};
  let subscribed = new Set();
  let watched = {};
  const asked = {};
  const clear = () => {
    subscribed = new Set();
    watched = {};
  };
  for (const step of vector.steps) {
    if (step.heard === "connection.ready") {
      if (step.payload.recovered === false) state = begin(state, step.payload);
      state = act(state, { do: "connection", status: "online" });
      state = act(state, { do: "user", user: step.payload.user });
    } else if (step.heard === "watch.ended") {
      state = act(state, { do: "unwatched", channel_id: step.payload.channel_id });
    } else if (step.heard && step.payload.type) {
      (meanwhile[step.payload.channel_id] ??= []).push(step.payload);
      state = reduce(state, step.payload);
      if (step.payload.seq !== null) assert.equal(reduce(state, step.payload), state, "a repeat does nothing");
      assert.deepEqual(state.gaps, {}, `a gap before ${step.payload.type}`);
      if (step.heard === "membership.added") meanwhile[step.payload.data.channel.id] = [];
    } else if (step.read === "invites") state = act(state, { do: "invites", invites: step.invites });
    else if (step.read === "threads") state = act(state, { do: "threads", threads: step.threads });
    else if (step.read === "channel") {
      const { channel_id } = step;
      const told = { channel_id, entered: state.channels[channel_id].entered, meanwhile: meanwhile[channel_id] ?? [] };
      const first = step.page.has_before ? step.page.messages[0].seq : 0;
      state = act(state, { do: "members", members: step.members, whole: true, ...told });
      state = act(state, { do: "page", thread_id: null, messages: step.page.messages, stretch: [first, Infinity], newest: true, ...told });
      state = act(state, { do: "pins", pins: step.pins, ...told });
    } else if (step.call) asked[step.call] = step;
    else if (step.answered && !step.answer.error) {
      const { event, payload } = asked[step.answered];
      if (event === "channel.watch") {
        state = act(state, { do: "watched", answer: step.answer });
        watched[payload.channel_id] = step.answer.presence?.members?.map(({ user_id }) => user_id) ?? [];
      }
      if (event === "presence.subscribe") {
        state = act(state, { do: "presence", presence: step.answer.presence });
        step.answer.presence.forEach(({ user_id }) => subscribed.add(user_id));
      }
      if (event === "message.send") state = act(state, { do: "sent", message: step.answer.message });
    } else if (step.lost) {
      state = act(state, { do: "connection", status: "away" });
      for (const [id, { channel }] of Object.entries(state.channels)) if (channel.membership === null) state = act(state, { do: "unwatched", channel_id: id });
      clear();
    }
  }
  return { state, followed: [...subscribed, ...Object.values(watched).flat()].filter((id) => id !== vector.user.id) };
}

for (const file of readdirSync(FOLDER)) {
  const vector = JSON.parse(readFileSync(new URL(file, FOLDER), "utf8"));
  test(`${vector.name}: ${vector.about}`, () => {
    const { state, followed } = replay(vector);
    const made = views(state, followed, new Date().toISOString());
    const { mentions: _, ...unread } = vector.after.unread; // it takes the whole history to count them
    assert.deepEqual(JSON.parse(JSON.stringify(made)), { ...vector.after, unread });
  });
}
