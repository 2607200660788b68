/**
 * Sends what waits: in each channel one after the other, in the order in which it was done, channels side by side. An
 * operation is kept before it is sent and until it is acknowledged, and made again with the same id, after a reload too.
 */
import { ClientError, NoAnswer, ServerError } from "./errors.js";
import type { Random } from "./ids.js";
import { callOf, type Operation } from "./operations.js";
import { type Clock, pause } from "./ports.js";
import type { Keep } from "./keep.js";
import type { Store } from "./store.js";
import type { Json, Message } from "./types.js";

/** Milliseconds until what nobody answered is sent again on a connection that stands. */
const AGAIN = 1_000;

interface Waiting {
  readonly resolve: (answer: Json) => void;
  readonly reject: (error: unknown) => void;
}

export class Outbox {
  readonly #busy = new Set<string>();
  readonly #waiting = new Map<string, Waiting[]>();
  #stopped = false;

  constructor(
    readonly store: Store,
    readonly keep: Keep,
    readonly ports: { clock: Clock; random: Random },
    readonly online: () => boolean,
    readonly call: (event: string, payload: Json) => Promise<Json>,
  ) {}

  /** Keep an operation and send it as soon as its turn comes. Its acknowledgement; raises what the server refused it with. */
  async add(operation: Operation): Promise<Json> {
    const answer = new Promise<Json>((resolve, reject) => {
      const others = this.#waiting.get(operation.key) ?? [];
      this.#waiting.set(operation.key, [...others, { resolve, reject }]);
    });
    if (!this.#known(operation.key)) {
      this.store.do({ do: "operation", operation });
      await this.keep.operation(operation.key, operation);
    }
    this.flush();
    return answer;
  }

  /** Take up what earlier pages and other tabs have left on the device. */
  async restore(): Promise<void> {
    for (const operation of await this.keep.operations()) {
      if (!this.#known(operation.key)) this.store.do({ do: "operation", operation });
    }
    this.flush();
  }

  /** Send whatever can be sent now. */
  flush(): void {
    if (this.#stopped) return;
    for (const { channel_id, error } of this.store.state.outbox) if (!error) void this.#lane(channel_id);
  }

  /** Nothing is sent any more. What waits stays kept. */
  stop(): void {
    this.#stopped = true;
  }

  /** Try a message that was refused once more. */
  async retry(message_id: string): Promise<void> {
    for (const operation of this.#failed(message_id)) await this.#put({ ...operation, error: null });
    this.flush();
  }

  /** Give up a message that was refused, or that was not tried yet. Whether there was one. */
  async discard(message_id: string): Promise<boolean> {
    const gone = this.store.state.outbox.filter((each) => each.message_id === message_id && (each.error || each.tries === 0));
    for (const { key } of gone) {
      await this.#done(key);
      this.#settle(key, ({ reject }) => reject(new ClientError("discarded", "Given up")));
    }
    return gone.length > 0;
  }

  /** Change a message that the server cannot have. Whether there was one. */
  async amend(message_id: string, fields: Json): Promise<boolean> {
    const known = this.store.state.outbox.find(
      (each) => each.message_id === message_id && each.act.kind === "send" && (each.error || each.tries === 0),
    );
    if (known?.act.kind !== "send") return false;
    await this.#put({ ...known, error: null, act: { kind: "send", draft: { ...known.act.draft, ...fields } } });
    this.flush();
    return true;
  }

  async #lane(channel_id: string): Promise<void> {
    if (this.#busy.has(channel_id)) return;
    this.#busy.add(channel_id);
    try {
      for (;;) {
        const next = this.store.state.outbox.find((each) => each.channel_id === channel_id && !each.error);
        if (!next || this.#stopped || !this.online()) return;
        const wait = await this.#attempt(next);
        if (wait) await pause(this.ports.clock, wait);
      }
    } finally {
      this.#busy.delete(channel_id);
    }
  }

  /** Milliseconds to wait before the next attempt. */
  async #attempt(before: Operation): Promise<number> {
    // From now on the server may know of it, so it cannot be changed in place any more.
    const operation = { ...before, tries: before.tries + 1 };
    await this.#put(operation);
    try {
      const answer = await this.call(...callOf(operation));
      if (operation.act.kind === "send") this.store.do({ do: "sent", message: answer.message as Message });
      await this.#done(operation.key);
      this.#settle(operation.key, ({ resolve }) => resolve(answer));
      return 0;
    } catch (error) {
      if (error instanceof NoAnswer) return this.online() ? AGAIN * (0.5 + this.ports.random()) : 0;
      if (error instanceof ServerError && error.retryable) return (error.retryAfter ?? 1) * 1000;
      await this.#refused(operation, error);
      return 0;
    }
  }

  /** A message stays to be seen, with what is wrong with it. Anything else is taken back. */
  async #refused(operation: Operation, error: unknown): Promise<void> {
    const { code, message } = error as ServerError;
    if (operation.act.kind === "send") await this.#put({ ...operation, error: { code, message } });
    else await this.#done(operation.key);
    this.#settle(operation.key, ({ reject }) => reject(error));
  }

  async #put(operation: Operation): Promise<void> {
    this.store.do({ do: "operation", operation });
    await this.keep.operation(operation.key, operation);
  }

  async #done(key: string): Promise<void> {
    this.store.do({ do: "operation done", key });
    await this.keep.operation(key, undefined);
  }

  #settle(key: string, how: (waiting: Waiting) => void): void {
    this.#waiting.get(key)?.forEach(how);
    this.#waiting.delete(key);
  }

  #known(key: string): Operation | undefined {
    return this.store.state.outbox.find((each) => each.key === key);
  }

  #failed(message_id: string): Operation[] {
    return this.store.state.outbox.filter((each) => each.message_id === message_id && each.error);
  }
}
