/** Injected surroundings: a clock that goes when it is told to, and a server of which a test says what it answers. */
import { Client, NoAnswer } from "../../../../sdk/js/dist/index.js";

export class Clock {
  time = Date.parse("2026-01-01T00:00:00Z");
  #timers = [];

  now() {
    return this.time;
  }

  after(ms, action) {
    const timer = { at: this.time + ms, action };
    this.#timers.push(timer);
    return () => (this.#timers = this.#timers.filter((each) => each !== timer));
  }

  /** Let time go by, with what is to happen meanwhile. */
  async pass(ms) {
    const end = this.time + ms;
    await settled();
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#timers = this.#timers.filter((each) => each !== next);
      this.time = Math.max(this.time, next.at);
      next.action();
      await settled();
    }
    this.time = end;
  }
}

/** Whatever runs without a clock has run. */
export const settled = () => new Promise((go) => setImmediate(go));

export const USER = { id: "ada", name: "Ada", image: null, role: "user", custom: {} };

export function channel(id, seq = 0) {
  const membership = {
    role: "member", read_number: 0, unread: 0, joined_at: "", history_from: 0, archived_at: null, hidden: false, muted_at: null, muted_until: null, pin_order: null,
  };
  return {
    id, type: "group", name: null, image: null, custom: {}, created_by: null, frozen: false, grants: {}, history: "all", truncated_to: 0, truncated_number: 0,
    slow_mode: 0, distinct: false, created_at: "", updated_at: "", member_count: 2, last_number: 0, seq, membership, capabilities: null,
  };
}

/** An access token that lasts so many seconds from now on. */
export function token(clock, seconds) {
  const iat = Math.floor(clock.now() / 1000);
  return `h.${btoa(JSON.stringify({ iat, exp: iat + seconds }))}.s`;
}

/** A client, and the server that it meets: `wires` are its connections, each with what was asked on it. */
export function world({ answers = {}, random = () => 0.5, lasts = 900, wrapped = (transport) => transport, ...options } = {}) {
  const clock = new Clock();
  const wires = [];
  const tokens = [];
  const server = { up: true, refuse: null };
  const transport = (url, key, auth, on) => {
    const wire = { url, auth, on, calls: [], at: clock.now(), open: true };
    wires.push(wire);
    queueMicrotask(() => {
      if (!server.up) return on.refused(server.refuse);
      on.event("connection.ready", { user: USER, recovered: auth.cursor ? true : null, cursor: auth.cursor ?? "c0", expires_at: "" });
    });
    return {
      async call(event, payload) {
        wire.calls.push([event, payload]);
        const answer = answers[event]?.(payload) ?? (event === "sync" ? { recovered: false, channels: [channel("den")], grants: {}, blocks: [], cursor: "c1", has_more: false } : {});
        if (answer === "none") throw new NoAnswer(event);
        return answer;
      },
      close: () => (wire.open = false),
    };
  };
  const provide = () => {
    tokens.push(clock.now());
    return token(clock, lasts);
  };
  const requests = [];
  const fetch = async (address, init) => {
    requests.push([init?.method ?? "GET", String(address), clock.now(), init?.headers ?? {}]);
    const { status = 200, body = {}, headers = {} } = options.rest?.(String(address), requests.length) ?? {};
    return new Response(JSON.stringify(body), { status, headers });
  };
  const client = new Client({ key: "pk_1", user: "ada", token: provide, url: "http://node", clock, random, transport: wrapped(transport), fetch, ...options });
  return { client, clock, wires, tokens, requests, server };
}
