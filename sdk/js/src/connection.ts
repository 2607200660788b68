/**
 * The user's connection: a fresh token at every attempt, resume by cursor, reconnect when and if the server says so.
 *
 * `connecting` the first attempt; `online` once `connection.ready` has come; `away` lost, and tried again by itself;
 * `refused` the server said no, and waiting does not help; `closed` by the app.
 */
import { ChatError, ClientError, NoAnswer, ServerError } from "./errors.js";
import type { Random } from "./ids.js";
import type { Clock, Transport, Wire } from "./ports.js";
import type { ConnectionStatus } from "./state.js";
import type { Tokens } from "./tokens.js";
import type { Json } from "./types.js";

/** Milliseconds. The wait before attempt n is drawn from 0 to FIRST · 2ⁿ, at most LONGEST. */
const FIRST_WAIT = 500;
const LONGEST_WAIT = 30_000;
const ANSWER_WITHIN = 10_000;
/** From the start of an attempt to `connection.ready`. */
const READY_WITHIN = 30_000;
/** A token is renewed so long before its end, or at half its life if that is less. */
const RENEW_AHEAD = 90_000;
const RENEW_AGAIN = 10_000;
const TOKEN_CODES = new Set(["token_expired", "token_invalid", "unauthenticated"]);
const TOKEN_ATTEMPTS = 2;

type Timer = "again" | "renew" | "ready";

interface Closing {
  readonly code: string;
  readonly reconnect: boolean;
  /** When the server is ready to be reached again, by this clock. */
  readonly at: number;
}

export interface ConnectionListener {
  status(status: ConnectionStatus, problem: { code: string; message: string } | null): void;
  event(name: string, payload: Json): void;
}

export class Connection {
  #status: ConnectionStatus = "idle";
  #wire: Wire | null = null;
  /** Counts attempts, so that what an old one still says is not heard. */
  #attempt = 0;
  #failures = 0;
  #tokenFailures = 0;
  #closing: Closing | null = null;
  #timers = new Map<Timer, () => void>();

  constructor(
    readonly ports: { transport: Transport; clock: Clock; random: Random },
    readonly key: string,
    readonly tokens: Tokens,
    /** The node's address; `again`: the last one did not work, so ask anew. */
    readonly locate: (again: boolean) => Promise<string>,
    readonly cursor: () => string | null,
    readonly on: ConnectionListener,
  ) {}

  get online(): boolean {
    return this.#status === "online";
  }

  /** Begin, or begin again after a refusal. */
  open(): void {
    if (this.#timers.has("ready") || this.online) return;
    this.#failures = this.#tokenFailures = 0;
    // What was refused may have been the token.
    if (this.#status === "refused") this.tokens.forget();
    this.#become(this.#status === "idle" ? "connecting" : "away");
    void this.#connect();
  }

  /** Do not wait for the next attempt: the network is back, or the app is looked at again. */
  hurry(): void {
    if (this.#timers.has("again")) void this.#connect();
  }

  close(): void {
    this.#drop();
    this.#become("closed");
  }

  /** Send an event; its acknowledgement. Raises `ServerError`, or `NoAnswer` when there is none within 10 s. */
  async call(event: string, payload: Json): Promise<Json> {
    if (!this.#wire || !this.online) throw new NoAnswer(event);
    const answer = await this.#wire.call(event, payload, ANSWER_WITHIN);
    if (answer.error) throw new ServerError(answer.error as Json);
    return answer;
  }

  async #connect(): Promise<void> {
    this.#drop();
    const attempt = this.#attempt;
    const current = (): boolean => attempt === this.#attempt;
    this.#start("ready", READY_WITHIN, () => this.#refused(null));
    try {
      const [token, url] = await Promise.all([this.tokens.get(), this.locate(this.#failures > 0)]);
      if (!current()) return;
      const cursor = this.cursor();
      this.#wire = this.ports.transport(url, this.key, cursor ? { token, cursor } : { token }, {
        event: (name, payload) => current() && this.#heard(name, payload),
        closed: (byServer) => current() && this.#lost(byServer),
        refused: (said) => current() && this.#refused(said ? new ServerError(said) : null),
      });
    } catch (error) {
      if (current()) this.#refused(error instanceof ChatError ? error : new ClientError("token_provider", String(error)));
    }
  }

  #heard(name: string, payload: Json): void {
    if (name === "connection.ready") {
      this.#failures = this.#tokenFailures = 0;
      this.#closing = null;
      this.#stop("ready");
      this.#renewBefore(this.tokens.ends);
      this.#become("online");
    } else if (name === "connection.closing") {
      const { code, reconnect, after_ms } = payload as { code: string; reconnect: boolean; after_ms: number };
      this.#closing = { code, reconnect, at: this.ports.clock.now() + after_ms };
    }
    this.on.event(name, payload);
  }

  #lost(byServer: boolean): void {
    const closing = this.#closing;
    this.#drop();
    if (closing && !closing.reconnect) return this.#become("refused", { code: closing.code, message: closing.code });
    if (closing?.code === "token_expired") this.tokens.forget();
    this.#again(Math.max(0, (closing?.at ?? 0) - this.ports.clock.now()), byServer && !closing);
  }

  #refused(error: ChatError | null): void {
    this.#drop();
    const problem = error && { code: error.code, message: error.message };
    if (error instanceof ServerError) {
      const stale = TOKEN_CODES.has(error.code) && (this.#tokenFailures += 1) <= TOKEN_ATTEMPTS;
      if (stale) this.tokens.forget();
      else if (!error.retryable) return this.#become("refused", problem);
    }
    this.#again(error instanceof ServerError ? (error.retryAfter ?? 0) * 1000 : 0, true, problem);
  }

  /** Try again, not before `wait` ms have gone by, and after a pause of chance where `backOff`. */
  #again(wait: number, backOff: boolean, problem: { code: string; message: string } | null = null): void {
    const most = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#failures);
    const pause = backOff || this.#failures > 0 ? this.ports.random() * most : this.ports.random() * FIRST_WAIT;
    this.#failures += 1;
    this.#become("away", problem);
    this.#start("again", wait + pause, () => void this.#connect());
  }

  /** Forget the connection, and whatever is still said on it. */
  #drop(): void {
    this.#attempt += 1;
    this.#closing = null;
    for (const timer of [...this.#timers.keys()]) this.#stop(timer);
    const wire = this.#wire;
    this.#wire = null;
    wire?.close();
  }

  #renewBefore(end: number): void {
    const left = end - this.ports.clock.now();
    this.#start("renew", Math.max(1000, left - Math.min(RENEW_AHEAD, left / 2)), () => void this.#renew());
  }

  async #renew(): Promise<void> {
    const attempt = this.#attempt;
    try {
      await this.call("auth.refresh", { token: await this.tokens.renew() });
      if (attempt === this.#attempt) this.#renewBefore(this.tokens.ends);
    } catch {
      // The app's server is away, or the answer was lost: the old token lasts a while; after that a reconnect asks.
      if (attempt === this.#attempt) this.#start("renew", RENEW_AGAIN, () => void this.#renew());
    }
  }

  #become(status: ConnectionStatus, problem: { code: string; message: string } | null = null): void {
    this.#status = status;
    this.on.status(status, problem);
  }

  #start(name: Timer, ms: number, action: () => void): void {
    this.#stop(name);
    this.#timers.set(name, this.ports.clock.after(ms, () => {
      this.#timers.delete(name);
      action();
    }));
  }

  #stop(name: Timer): void {
    this.#timers.get(name)?.();
    this.#timers.delete(name);
  }
}
