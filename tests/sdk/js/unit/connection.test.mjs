/** When the client comes back, and when it asks for anything at all. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { settled, world } from "./world.mjs";

const { closings } = JSON.parse(readFileSync(new URL("../../../../sdk/protocol/closings.json", import.meta.url), "utf8"));

for (const { code, reconnect } of closings) {
  test(`${code}: ${reconnect ? "comes back, and not before it is told to" : "stays away"}`, async () => {
    const { client, clock, wires } = world();
    await client.connect();
    const [first] = wires;
    first.on.event("connection.closing", { code, reconnect, after_ms: 7_000, resync: true });
    first.on.closed(!reconnect);
    await clock.pass(6_900);
    assert.equal(wires.length, 1);
    await clock.pass(60_000);
    assert.equal(wires.length, reconnect ? 2 : 1);
    assert.equal(client.state.connection.status, reconnect ? "online" : "refused");
    if (reconnect) assert.equal(wires[1].auth.cursor, "c1");
    else assert.equal(client.state.connection.problem.code, code);
    await client.close();
  });
}

test("an idle client makes no calls for hours, but to renew its token", async () => {
  const { client, clock, wires, requests, tokens } = world({ lasts: 3600 });
  await client.connect();
  await clock.pass(55 * 60_000);
  assert.deepEqual(wires.map(({ calls }) => calls.map(([event]) => event)), [["sync"]]);
  await clock.pass(4 * 60_000);
  assert.deepEqual(wires[0].calls.map(([event]) => event), ["sync", "auth.refresh"]);
  assert.equal(tokens.length, 2);
  assert.deepEqual(requests, []);
  await client.close();
});

test("attempts to reconnect are spread, further apart each time, and end with success", async () => {
  const { client, clock, wires, server } = world({ random: () => 0.999 });
  await client.connect();
  server.up = false;
  wires[0].on.closed(false);
  await clock.pass(120_000);
  const waits = wires.slice(1).map(({ at }, index) => Math.round((at - wires[index].at) / 100) / 10);
  assert.deepEqual(waits, [0.5, 1, 2, 4, 8, 16, 30, 30]);
  server.up = true;
  await clock.pass(30_000);
  assert.equal(client.state.connection.status, "online");
  await client.close();
});

test("a refusal that says how long to wait is obeyed, one that is final is final", async () => {
  const { client, clock, wires, server } = world({ random: () => 0 });
  await client.connect();
  server.up = false;
  server.refuse = { code: "unavailable", message: "Soon", retryable: true, retry_after: 20 };
  wires[0].on.closed(false);
  await clock.pass(19_000);
  assert.equal(wires.length, 2);
  server.refuse = { code: "user_deactivated", message: "No", retryable: false };
  await clock.pass(600_000);
  assert.equal(wires.length, 3);
  assert.equal(client.state.connection.problem.code, "user_deactivated");
  await assert.rejects(client.call("typing.start", {}), { code: "no_answer" });
  await client.close();
});

test("a token that the server does not take is asked for anew, twice", async () => {
  const { client, clock, server, tokens, wires } = world();
  server.up = false;
  server.refuse = { code: "token_expired", message: "Old", retryable: false };
  const connecting = client.connect();
  connecting.catch(() => {});
  await clock.pass(60_000);
  assert.equal(tokens.length, 3);
  assert.equal(wires.length, 3);
  await assert.rejects(connecting, { code: "token_expired" });
  await client.close();
});

test("a provider that fails is asked again until it has a token", async () => {
  let fails = 3;
  const { client, clock, wires } = world({ token: () => (fails-- > 0 ? Promise.reject(new Error("away")) : "t") });
  const connecting = client.connect();
  await clock.pass(30_000);
  await connecting;
  assert.equal(wires.length, 1);
  await client.close();
});

test("REST obeys Retry-After and asks with the same key of idempotency", async () => {
  const { client, clock, requests } = world({
    rest: (_, n) => (n < 3 ? { status: 429, body: { code: "rate_limited", retryable: true }, headers: { "retry-after": "5" } } : { body: { id: "x" } }),
  });
  await client.connect();
  const asked = client.request("POST", "/v1/channels", { name: "New" });
  await clock.pass(11_000);
  assert.deepEqual(await asked, { id: "x" });
  assert.equal(requests.length, 3);
  assert.equal(requests[2][2] - requests[0][2], 10_000);
  const keys = requests.map(([, , , headers]) => headers["idempotency-key"]);
  assert.equal(new Set(keys).size, 1);
  assert.match(keys[0], /^[0-9a-z]{26}$/);
  await client.close();
});

test("operations of one channel keep their order, and one that is slowed down waits as told", async () => {
  let slow = 1;
  const sent = [];
  const { client, clock } = world({
    answers: {
      "message.send": ({ text, id, channel_id }) => {
        if (slow-- > 0) return { error: { code: "channel_slow", message: "", retryable: true, retry_after: 30 } };
        sent.push([text, clock.now()]);
        return { message: { id, channel_id, seq: sent.length, number: sent.length, text, user_id: "ada", attachments: [], custom: {}, silent: false, created_at: "", updated_at: "", deleted_at: null } };
      },
    },
  });
  await client.connect();
  const began = clock.now();
  client.send("den", "one");
  client.send("den", "two");
  await clock.pass(29_000);
  assert.deepEqual(sent, []);
  await clock.pass(2_000);
  assert.deepEqual(sent.map(([text, at]) => [text, at - began]), [["one", 30_000], ["two", 30_000]]);
  await client.close();
});

test("without an answer an operation is made again with the same id", async () => {
  const ids = [];
  const { client, clock, wires } = world({ answers: { "message.send": ({ id }) => (ids.push(id), "none") } });
  await client.connect();
  client.send("den", "one");
  await clock.pass(5_000);
  wires[0].on.closed(false);
  await clock.pass(5_000);
  assert.ok(ids.length > 3);
  assert.equal(new Set(ids).size, 1);
  assert.equal(client.state.outbox.length, 1);
  await client.close();
  await settled();
});

test("who does not wait for what is refused gets no unhandled rejection, and is told", async () => {
  const unhandled = [];
  const note = (error) => unhandled.push(error);
  process.on("unhandledRejection", note);
  const refusal = { error: { code: "permission_missing", message: "No", retryable: false } };
  const { client } = world({ answers: { "message.send": () => refusal, "message.update": () => refusal } });
  const told = [];
  client.on("refused", ({ operation, error }) => told.push([operation.act.kind, error.code]));
  await client.connect();
  client.send("den", "one");
  await settled();
  client.edit({ id: "msg_x", channel_id: "den" }, { text: "two" });
  await settled();
  await settled();
  assert.deepEqual(told, [["send", "permission_missing"], ["edit", "permission_missing"]]);
  assert.deepEqual(unhandled, []);
  process.off("unhandledRejection", note);
  await client.close();
});

test("after a refusal, connecting again tries again, with another token", async () => {
  const { client, server, wires, clock, tokens } = world();
  await client.connect();
  server.up = false;
  server.refuse = { code: "user_deactivated", message: "No", retryable: false };
  wires[0].on.closed(false);
  await clock.pass(2_000);
  assert.equal(client.state.connection.status, "refused");
  server.up = true;
  assert.equal(tokens.length, 1);
  await client.connect();
  await settled();
  assert.equal(client.state.connection.status, "online");
  assert.equal(tokens.length, 2);
  await client.close();
});

test("whoever is followed is followed again after a reconnect, as many at a time as a call may name", async () => {
  const followed = [];
  const answers = { "presence.subscribe": ({ user_ids }) => ({ presence: user_ids.map((user_id) => ({ user_id, status: "online", text: null })) }) };
  const { client, clock, wires } = world({ answers });
  await client.connect();
  await client.followPresence(["bob"]);
  await client.followPresence(Array.from({ length: 149 }, (_, n) => `user${n}`));
  wires[0].on.closed(false);
  assert.deepEqual(client.state.presence, {});
  await clock.pass(2_000);
  for (const { calls } of wires) followed.push(calls.filter(([event]) => event === "presence.subscribe").map(([, { user_ids }]) => user_ids.length));
  assert.deepEqual(followed, [[1, 100, 49], [100, 50]]);
  assert.equal(Object.keys(client.state.presence).length, 150);
  await client.close();
});

test("a server that takes a connection and says nothing is left for another attempt", async () => {
  const silent = { calls: 0 };
  const { client, clock, server } = world({
    transport: (url, key, auth, on) => {
      silent.calls += 1;
      void [url, key, auth, on];
      return { call: () => new Promise(() => {}), close() {} };
    },
  });
  void server;
  client.connect().catch(() => {});
  await clock.pass(100_000);
  assert.ok(silent.calls >= 3);
  await client.close();
});
