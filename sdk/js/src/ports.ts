/** What the client needs of its surroundings. Everything can be put in the place of the default, for tests and platforms. */
import type { Json } from "./types.js";

/** Time. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Do something once so many milliseconds have gone by. Returns how to call it off. */
  after(ms: number, action: () => void): () => void;
}

/** One connection. */
export interface Wire {
  /** Send an event; its acknowledgement. Raises when none came within `within` milliseconds or the connection ended. */
  call(event: string, payload: Json, within: number): Promise<Json>;
  close(): void;
}

export interface WireListener {
  event(name: string, payload: Json): void;
  /** The connection ended. `byServer`: the server ended it for good, and not the network. */
  closed(byServer: boolean): void;
  /** It was never made. `said`: the server's error, null when the network failed. */
  refused(said: Json | null): void;
}

/** Opens connections. `auth` is sent first. */
export type Transport = (url: string, key: string, auth: Json, on: WireListener) => Wire;

/**
 * A place for what must outlive the page. Keys are texts; values are what JSON can say.
 *
 * Whatever it raises, the client goes on without it and tells so by `client.on("problem")`: `storage_full` for an error
 * whose name is `QuotaExceededError`, otherwise `storage_unavailable`.
 */
export interface Storage {
  /** Everything whose key begins with a prefix. */
  read(prefix: string): Promise<Map<string, unknown>>;
  /** Put values, and delete the keys whose value is undefined: all of it or nothing. */
  write(changes: ReadonlyMap<string, unknown>): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, action) {
    // A browser takes what is beyond 31 bits for 0.
    const timer = setTimeout(action, Math.min(ms, 2 ** 31 - 1));
    return () => clearTimeout(timer);
  },
};

/** Done once so many milliseconds have gone by. */
export function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((wake) => clock.after(ms, wake));
}

/** Lives as long as the page. */
export class MemoryStorage implements Storage {
  readonly #kept = new Map<string, unknown>();

  async read(prefix: string): Promise<Map<string, unknown>> {
    return new Map([...this.#kept].filter(([key]) => key.startsWith(prefix)));
  }

  async write(changes: ReadonlyMap<string, unknown>): Promise<void> {
    for (const [key, value] of changes) {
      if (value === undefined) this.#kept.delete(key);
      else this.#kept.set(key, value);
    }
  }
}
