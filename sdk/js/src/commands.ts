/** What a client asks of its engine, wherever that is. */
import type { Engine } from "./engine.js";
import type { History } from "./history.js";
import type { Outbox } from "./outbox.js";
import type { Clock } from "./ports.js";
import type { Store } from "./store.js";

/** By name, so that a tab can ask another one for it. */
export type Commands = Pick<Engine, "call" | "connect" | "follow" | "hurry" | "open" | "operation" | "request" | "unwatch"> &
  Pick<History, "all" | "around" | "members" | "newest" | "older" | "pins"> &
  Pick<Outbox, "amend" | "discard" | "retry">;
export type Given<K extends keyof Commands> = Parameters<Commands[K]>;
export type Answer<K extends keyof Commands> = Awaited<ReturnType<Commands[K]>>;

/** Does what the client asks, in its own engine or in that of another tab. */
export interface Desk {
  /** Whether the engine is this client's own. */
  readonly leads: boolean;
  do<K extends keyof Commands>(name: K, ...given: Given<K>): Promise<Answer<K>>;
  close(): Promise<void>;
}

/** Makes a desk. `name`: the same for all clients of a user on a device; `me`: unlike any other's. */
export type DeskMaker = (name: string, me: string, store: Store, clock: Clock, makeEngine: () => Engine) => Desk;

/** Every client has an engine of its own. */
export const alone: DeskMaker = (_name, _me, _store, _clock, makeEngine) => {
  const engine = makeEngine();
  engine.connect();
  return { leads: true, do: (name, ...given) => run(engine, name, given) as never, close: () => engine.close() };
};

/** Do it, and let what is raised on the way be what the promise raises. */
export async function run(engine: Engine, name: keyof Commands, given: unknown[]): Promise<unknown> {
  const part = [engine, engine.history, engine.outbox].find((each) => name in each);
  return (part as unknown as Record<string, (...given: unknown[]) => unknown>)[name]!(...given);
}
