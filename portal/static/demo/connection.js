/**
 * One user's connection: the official Socket.IO client, a fresh token at every attempt, resume by cursor.
 *
 * `state` is one of
 *   connecting   the first attempt
 *   online       `connection.ready` has come
 *   away         lost; the client tries again by itself
 *   off          the user switched it off
 *   refused      the server said no, and waiting does not help; `problem` says why
 */
import { io } from "../vendor/socket.io.esm.min.js";

const ANSWER_WITHIN = 10_000;
const REFRESH_AHEAD = 90_000;
const TOKEN_CODES = new Set(["token_expired", "token_invalid", "token_revoked", "unauthenticated"]);

/** The server answered with an error; `code` is from the error table. */
export class Refused extends Error {
  constructor({ code, message, retryable, retry_after }) {
    super(message);
    Object.assign(this, { code, retryable: Boolean(retryable), retryAfter: retry_after });
  }
}

export class Connection {
  state = "connecting";
  problem = null;
  cursor = null;
  failures = 0;
  /** Why the portal gave no token for the attempt that runs. */
  denied = null;
  #timers = new Set();
  #closing = null;
  #tokenFailures = 0;

  /** `on` has `state()`, `ready(data)`, `event(event)`, `wire(direction, name, payload)`, `unreachable()`, `refused()`. */
  constructor({ url, key, user, tokens, on }) {
    Object.assign(this, { user, tokens, on });
    const auth = (give) => {
      this.denied = null;
      tokens.get(user).then(
        ({ token }) => give(this.cursor ? { token, cursor: this.cursor } : { token }),
        (error) => {
          this.denied = error;
          give({});
        },
      );
    };
    const waits = { reconnectionDelay: 500, reconnectionDelayMax: 5000, timeout: 8000 };
    this.socket = io(url, { query: { key }, auth, forceNew: true, autoConnect: false, ...waits });
    this.socket.onAny((name, payload) => this.#received(name, payload));
    this.socket.on("disconnect", (reason) => this.#lost(reason));
    this.socket.on("connect_error", (error) => this.#failed(error));
  }

  get online() {
    return this.state === "online";
  }

  connect() {
    this.#stopTimers();
    this.#become(this.state === "connecting" ? "connecting" : "away");
    this.socket.connect();
  }

  /** The user's own switch: as if the network were gone. */
  disconnect() {
    this.#stopTimers();
    this.socket.disconnect();
    this.#become("off");
  }

  /** Do not wait for the next attempt. */
  hurry() {
    if (this.state !== "away" && this.state !== "refused") return;
    this.#stopTimers();
    this.socket.disconnect();
    this.connect();
  }

  /** Send an event and wait until it is committed. Raises `Refused`, or another error when no answer came. */
  async emit(event, payload) {
    if (!this.online) throw new Error("not connected");
    const began = performance.now();
    this.on.wire("out", event, payload);
    const answer = await this.socket.timeout(ANSWER_WITHIN).emitWithAck(event, payload);
    this.on.wire("ack", event, answer, performance.now() - began);
    if (answer?.error) throw new Refused(answer.error);
    return answer;
  }

  #received(name, payload) {
    this.on.wire("in", name, payload);
    if (name === "connection.ready") this.#ready(payload);
    else if (name === "sync.cursor") this.cursor = payload.cursor;
    else if (name === "connection.closing") this.#closing = payload;
    else if (payload?.type) this.on.event(payload);
  }

  #ready(data) {
    this.cursor = data.cursor;
    this.failures = this.#tokenFailures = 0;
    this.#closing = null;
    this.#refreshBefore(data.expires_at);
    this.#become("online");
    this.on.ready(data);
  }

  #lost(reason) {
    if (this.state === "off") return;
    this.#stopTimers();
    const closing = this.#closing;
    this.#closing = null;
    if (reason !== "io server disconnect") return this.#become("away");
    if (closing?.reconnect === false) return this.#refuse({ code: closing.code, message: "" });
    this.#become("away");
    this.#later(closing?.after_ms || 1000, () => this.socket.connect());
  }

  #failed(error) {
    if (this.state === "off") return;
    this.failures += 1;
    const refusal = error.data;
    if (!refusal?.code) {
      // The transport failed: the client goes on trying, and the portal may know why.
      if (this.state !== "connecting" || this.failures > 1) this.#become("away");
      if (this.failures % 3 === 2) this.on.unreachable();
      return;
    }
    if (this.denied?.code === "portal_away") {
      this.#become("away");
      return this.#later(3000, () => this.socket.connect());
    }
    if (this.denied) return this.#refuse({ code: this.denied.code, message: this.denied.message });
    if (TOKEN_CODES.has(refusal.code) && this.#tokenFailures++ < 2) {
      this.tokens.forget();
      this.#become("away");
      return this.#later(500 * this.#tokenFailures, () => this.socket.connect());
    }
    if (refusal.retryable) {
      this.#become("away");
      return this.#later((refusal.retry_after ?? 1) * 1000, () => this.socket.connect());
    }
    this.#refuse(refusal);
  }

  #refuse(problem) {
    this.problem = problem;
    this.#become("refused");
    this.on.refused();
  }

  #refreshBefore(expires) {
    const left = Date.parse(expires) - Date.now();
    this.#later(Math.max(1000, left - Math.min(REFRESH_AHEAD, left / 2)), () => this.#refresh());
  }

  async #refresh() {
    try {
      this.tokens.forget();
      const { token } = await this.tokens.get(this.user);
      this.#refreshBefore((await this.emit("auth.refresh", { token })).expires_at);
    } catch {
      // The portal is away, or the answer was lost: try again while the old token lasts; after that a reconnect asks.
      if (this.online) this.#later(10_000, () => this.#refresh());
    }
  }

  #become(state) {
    if (state !== "refused") this.problem = null;
    this.state = state;
    this.on.state();
  }

  #later(ms, action) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, ms);
    this.#timers.add(timer);
  }

  #stopTimers() {
    this.#timers.forEach(clearTimeout);
    this.#timers.clear();
  }
}
