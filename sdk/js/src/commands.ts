/** What a client asks of its engine, wherever that is. */
import type { Engine } from "./engine.js";
import type { Clock } from "./ports.js";
import type { Store } from "./store.js";
import type { Json } from "./types.js";

/** By name, so that a tab can ask another one for it. */
export const COMMANDS = {
  call: (engine: Engine, event: string, payload: Json) => engine.call(event, payload),
  rest: (engine: Engine, method: string, path: string, body?: Json) => engine.rest.call(method, path, body),
  operation: (engine: Engine, operation: Parameters<Engine["operation"]>[0]) => engine.operation(operation),
  open: (engine: Engine, channel: string) => engine.open(channel),
  unwatch: (engine: Engine, channel: string) => engine.unwatch(channel),
  follow: (engine: Engine, users: readonly string[]) => engine.follow(users),
  newest: (engine: Engine, channel: string, thread: string | null) => engine.history.newest(channel, thread),
  older: (engine: Engine, channel: string, thread: string | null) => engine.history.older(channel, thread),
  around: (engine: Engine, channel: string, message: string) => engine.history.around(channel, message),
  members: (engine: Engine, channel: string) => engine.history.members(channel),
  pins: (engine: Engine, channel: string) => engine.history.pins(channel),
  invites: (engine: Engine) => engine.history.all("invites"),
  threads: (engine: Engine) => engine.history.all("threads"),
  retry: (engine: Engine, message: string) => engine.outbox.retry(message),
  discard: (engine: Engine, message: string) => engine.outbox.discard(message),
  amend: (engine: Engine, message: string, fields: Json) => engine.outbox.amend(message, fields),
  hurry: async (engine: Engine) => engine.hurry(),
};
export type Commands = typeof COMMANDS;
export type Given<K extends keyof Commands> = Commands[K] extends (engine: Engine, ...given: infer G) => unknown ? G : never;
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
  return (COMMANDS[name] as (engine: Engine, ...given: unknown[]) => unknown)(engine, ...given);
}
