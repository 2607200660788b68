/** What outlives the page: the state with its cursor, and every operation that was not acknowledged. */
import { ChatError, ClientError } from "./errors.js";
import type { Operation } from "./operations.js";
import type { Clock, Storage } from "./ports.js";
import { type ChannelState, EMPTY, QUIET, type State } from "./state.js";
import type { Store } from "./store.js";
import { tail } from "./timeline.js";

/** Milliseconds between a change and its being kept. What is lost with the page comes again, from an older cursor. */
const KEEP_WITHIN = 500;
/** Messages that are kept of a channel. */
const MOST = 100;
/** Raised when the form of what is kept changes: older things are then read anew from the server. */
const FORM = 1;

export class Keep {
  #base: string;
  #waits: (() => void) | null = null;
  #kept: State = EMPTY;
  #saving: Promise<void> = Promise.resolve();
  #told = new Set<string>();

  /** `problem` hears of each kind of failure once. */
  constructor(
    readonly storage: Storage,
    readonly clock: Clock,
    app: string,
    user: string,
    readonly problem: (error: ClientError) => void,
  ) {
    this.#base = `natter.${FORM}/${app}/${user}/`;
  }

  /** What an earlier page left. */
  async restore(): Promise<State> {
    const found = (await this.#attempt(() => this.storage.read(this.#base))) ?? new Map<string, unknown>();
    const channels: Record<string, ChannelState> = {};
    let rest: Partial<State> = {};
    for (const [key, value] of found) {
      const name = key.slice(this.#base.length);
      if (name.startsWith("channel/")) channels[name.slice(8)] = value as ChannelState;
      else if (name === "rest") rest = value as Partial<State>;
    }
    // Without the rest there is no cursor, so that channels would never become what they are now.
    this.#kept = rest.cursor ? { ...EMPTY, ...rest, channels } : EMPTY;
    return { ...this.#kept, outbox: await this.operations() };
  }

  /** The operations that are kept, oldest first. */
  async operations(): Promise<Operation[]> {
    const found = (await this.#attempt(() => this.storage.read(`${this.#base}op/`))) ?? new Map<string, unknown>();
    return [...found.values()].map((each) => each as Operation).sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** Keep an operation, or delete it; done once it is written. */
  async operation(key: string, operation: Operation | undefined): Promise<void> {
    await this.#attempt(() => this.storage.write(new Map([[`${this.#base}op/${key}`, operation]])));
  }

  /** Keep the state up to date from now on. Returns how to stop. */
  follow(store: Store): () => void {
    const stop = store.subscribe(
      (state) => state,
      () => (this.#waits ??= this.clock.after(KEEP_WITHIN, () => void this.save(store.state))),
    );
    return () => {
      stop();
      this.#waits?.();
      this.#waits = null;
    };
  }

  /** Write what has changed since the last time, all or nothing. */
  async save(state: State): Promise<void> {
    this.#waits?.();
    this.#waits = null;
    if (state.cursor === null) return;
    this.#saving = this.#saving.then(() => this.#save(state));
    return this.#saving;
  }

  async #save(state: State): Promise<void> {
    const before = this.#kept;
    const changes = new Map<string, unknown>();
    for (const [id, channel] of Object.entries(state.channels)) {
      if (before.channels[id] !== channel) changes.set(`${this.#base}channel/${id}`, channel.channel.membership ? trimmed(channel) : undefined);
    }
    for (const id of Object.keys(before.channels)) if (!state.channels[id]) changes.set(`${this.#base}channel/${id}`, undefined);
    const { channels: _, outbox: __, connection: ___, presence: ____, gaps: _____, ...rest } = state;
    changes.set(`${this.#base}rest`, rest);
    if ((await this.#attempt(() => this.storage.write(changes).then(() => true))) === true) this.#kept = state;
  }

  async #attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      const told = error instanceof ChatError ? (error as ClientError) : problemOf(error);
      if (!this.#told.has(told.code)) {
        this.#told.add(told.code);
        this.problem(told);
      }
      return undefined;
    }
  }
}

function problemOf(error: unknown): ClientError {
  const full = (error as Error | undefined)?.name === "QuotaExceededError";
  return new ClientError(full ? "storage_full" : "storage_unavailable", `What waits to be sent is lost with the page: ${String(error)}`);
}

/** Without what passes by, and without what is long ago. */
function trimmed(channel: ChannelState): ChannelState {
  return { ...channel, ...QUIET, timeline: tail(channel.timeline, MOST), replies: {} };
}
