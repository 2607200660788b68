/**
 * One user's client of the SDK, with what the demo adds: a switch that cuts the network, and a look at what goes over it.
 *
 * `state` is one of
 *   connecting   the first attempt
 *   online       `connection.ready` has come
 *   away         lost; the client tries again by itself
 *   off          the user switched it off
 *   refused      the server or the portal said no, and waiting does not help; `problem` says why
 */
import { Client, eventsFirst, socketIo } from "../vendor/natter.js";
import { Waiting } from "./keep.js";

/** Tokens are revoked by the second: one that was made in the same second is not taken either. */
const REVOKED_AGAIN = 1000;
const REVOKED_ATTEMPTS = 2;

export class Connection {
  #off = false;
  #begun = null;
  /** Whom the attempt that runs, or the connection that stands, is told of. */
  #listener = null;
  #token = null;
  /** Why the portal gives no token, where that is more than that it is away. */
  #denied = null;
  /** Why there was no token the last time, whatever it was. */
  #why = null;
  #failures = 0;
  #revoked = 0;
  /** Whether a refusal may be of an attempt that began before the demo was ready, and out of date by now. */
  #early = false;

  /**
   * `on` has `state()`, `ready(data)`, `event(event)`, `taken(operation, error)`,
   * `wire(direction, name, payload, took)`, `unreachable()`, `refused()`.
   */
  constructor({ url, key, user, tokens, on }) {
    Object.assign(this, { user, tokens, on });
    const transport = eventsFirst((...given) => this.#open(...given));
    this.client = new Client({ url, key, user, transport, token: () => this.#provide(), storage: new Waiting() });
    this.client.on("event", (event) => on.event(event));
    this.client.on("refused", ({ operation, error }) => on.taken(operation, error));
    this.client.subscribe((state) => state.connection, (connection) => this.#become(connection));
  }

  get state() {
    if (this.#off) return "off";
    if (this.#denied) return "refused";
    const { status } = this.client.state.connection;
    return status === "idle" ? "connecting" : status;
  }

  get problem() {
    if (this.state !== "refused") return null;
    return this.#denied ?? this.client.state.connection.problem;
  }

  get online() {
    return this.state === "online";
  }

  connect() {
    this.#off = false;
    this.#early = !this.online;
    this.begin();
    if (this.client.state.connection.status === "refused") this.#restart(this.#revoked);
    else this.client.hurry();
    this.on.state();
  }

  /** The user's own switch: as if the network were gone. */
  disconnect() {
    this.#off = true;
    this.#listener?.closed(false);
    this.on.state();
  }

  /** Do not wait for the next attempt. */
  hurry() {
    if (this.state === "away" || this.#denied) this.client.hurry();
    else if (this.state === "refused") this.#restart(REVOKED_ATTEMPTS);
  }

  /** For good. */
  close() {
    return this.client.close();
  }

  /** Send an event and wait until it is committed. Raises the SDK's errors. */
  emit(event, payload) {
    return this.client.call(event, payload);
  }

  /** A REST call as the user. It does not need the connection. */
  async request(method, path, body) {
    await this.begin();
    try {
      return await this.client.request(method, path, body);
    } catch (error) {
      throw (error.code === "token_provider" && this.#why) || error;
    }
  }

  /** Show what is kept, and go on connecting. Done once the client can be asked for something. */
  begin() {
    this.#begun ??= new Promise((begun) => {
      const stop = this.client.subscribe((state) => state.connection.status, () => {
        stop();
        begun();
      });
      this.client.connect().catch(() => {}); // `state` says it
    });
    return this.#begun;
  }

  // -- for the client --------------------------------------------------------------------------------------------------

  /** Another token than the last one: the client asks when that has ended, or soon will. */
  async #provide() {
    try {
      let { token } = await this.tokens.get(this.user);
      if (token === this.#token) {
        this.tokens.forget();
        ({ token } = await this.tokens.get(this.user));
      }
      this.#token = token;
      this.#deny(null);
      return token;
    } catch (error) {
      this.#deny(error);
      throw error;
    }
  }

  #deny(error) {
    this.#why = error;
    const final = error && error.code !== "portal_away" ? { code: error.code, message: error.message } : null;
    if (!final && !this.#denied) return;
    this.#denied = final;
    this.on.state();
    if (final) this.on.refused();
  }

  #open(url, key, auth, listener) {
    this.#listener = listener;
    if (this.#off) return nowhere(listener);
    const wire = socketIo(url, key, auth, { ...listener, event: (name, payload) => this.#heard(name, payload, listener) });
    return { close: () => wire.close(), call: (...given) => this.#call(wire, ...given) };
  }

  #heard(name, payload, listener) {
    this.on.wire("in", name, payload);
    listener.event(name, payload);
    if (name === "connection.ready") this.on.ready(payload);
  }

  async #call(wire, event, payload, within) {
    const began = performance.now();
    this.on.wire("out", event, payload);
    const answer = await wire.call(event, payload, within);
    this.on.wire("ack", event, answer, performance.now() - began);
    return answer;
  }

  /** Begin again after a refusal. */
  #restart(attempts) {
    this.#early = false;
    this.#revoked = attempts;
    this.client.connect().catch(() => {}); // `state` says it
  }

  #become({ status, problem }) {
    if (status === "online") {
      this.#failures = this.#revoked = 0;
      this.#early = false;
    }
    if (status === "refused" && this.#early) return this.#restart(this.#revoked);
    this.on.state();
    if (status === "refused") this.on.refused();
    if (status === "refused" && problem?.code === "token_revoked" && this.#revoked > 0) {
      setTimeout(() => this.state === "refused" && this.#restart(this.#revoked - 1), REVOKED_AGAIN);
    }
    // The client goes on trying, and the portal may know why it fails.
    if (status === "away" && !this.#off && !problem && (this.#failures += 1) % 3 === 0) this.on.unreachable();
  }
}

/** The app's REST API, as one user. */
export class Rest {
  constructor(connection) {
    Object.assign(this, { connection, user: connection.user });
  }

  call(method, path, body) {
    return this.connection.request(method, path, body);
  }

  get(path) {
    return this.call("GET", path);
  }
}

/** Somebody who asks over REST alone, and is not seen to be there. */
export function host({ url, key, user, tokens }) {
  const nothing = () => {};
  const names = ["state", "ready", "event", "taken", "wire", "unreachable", "refused"];
  const on = Object.fromEntries(names.map((name) => [name, nothing]));
  const connection = new Connection({ url, key, user, tokens, on });
  connection.disconnect();
  return new Rest(connection);
}

/** A connection that is never made. */
function nowhere(listener) {
  const soon = setTimeout(() => listener.refused(null));
  return { close: () => clearTimeout(soon), call: () => Promise.reject(new Error("There is no network.")) };
}
