/**
 * One client's place among the tabs: it leads, with an engine of its own, or follows the store of the tab that does and
 * asks it to do things. What was asked of a leader that is gone is asked of the next one.
 */
import type { Action } from "./actions.js";
import { alone, type Answer, type Commands, type Desk, type DeskMaker, type Given, run } from "./commands.js";
import { ClientError, NoAnswer, ServerError } from "./errors.js";
import type { Engine } from "./engine.js";
import type { Clock } from "./ports.js";
import type { State } from "./state.js";
import type { Store } from "./store.js";
import { browserTabs, hasTabs, type Tabs } from "./tabs.js";
import type { Json } from "./types.js";

type Said =
  | { say: "hello"; from: string }
  | { say: "leader" }
  | { say: "state"; to: string; state: State; n: number }
  | { say: "do"; action: Action; n: number }
  | { say: "ask"; from: string; id: number; name: keyof Commands; given: unknown[] }
  | { say: "taken"; to: string; id: number }
  | { say: "answer"; to: string; id: number; ok?: unknown; failed?: Json };

interface Asked {
  readonly name: keyof Commands;
  readonly given: unknown[];
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Milliseconds in which a leader has to take what it is asked for; one that is frozen does not. */
const TAKE_WITHIN = 4_000;

class Family implements Desk {
  #engine: Engine | null = null;
  #n = 0;
  #id = 0;
  #giveUp: () => void;
  readonly #asked = new Map<number, Asked>();
  readonly #untaken = new Map<number, () => void>();
  readonly #room: ReturnType<Tabs["join"]>;
  readonly #unfollow: () => void;

  constructor(
    readonly tabs: Tabs,
    readonly name: string,
    /** This tab's, unlike any other's. */
    readonly me: string,
    readonly store: Store,
    readonly clock: Clock,
    readonly makeEngine: () => Engine,
  ) {
    this.#room = tabs.join(name, (said) => this.#heard(said as Said));
    this.#unfollow = store.follow((action) => {
      if (this.#engine) this.#say({ say: "do", action, n: (this.#n += 1) });
    });
    this.#giveUp = this.#stand(false);
    if (!this.#engine) this.#say({ say: "hello", from: me });
  }

  get leads(): boolean {
    return this.#engine !== null;
  }

  /** Do something, here or in the tab that leads. */
  do<K extends keyof Commands>(name: K, ...given: Given<K>): Promise<Answer<K>> {
    if (this.#engine) return run(this.#engine, name, given) as Promise<Answer<K>>;
    return new Promise((resolve, reject) => {
      const id = (this.#id += 1);
      this.#asked.set(id, { name, given, resolve: resolve as (answer: unknown) => void, reject });
      this.#ask(id);
    });
  }

  async close(): Promise<void> {
    for (const stop of this.#untaken.values()) stop();
    for (const { reject } of this.#asked.values()) reject(new ClientError("closed", "The client was closed."));
    this.#asked.clear();
    const engine = this.#engine;
    await engine?.close();
    this.#engine = null;
    this.#unfollow();
    this.#giveUp();
    this.#room.leave();
  }

  #stand(steal: boolean): () => void {
    return this.tabs.lead(this.name, () => this.#lead(), () => void this.#lost(), steal);
  }

  #lead(): void {
    this.#engine = this.makeEngine();
    this.#say({ say: "leader" });
    for (const stop of this.#untaken.values()) stop();
    this.#untaken.clear();
    for (const [id, { name, given, resolve, reject }] of this.#asked) {
      this.#asked.delete(id);
      run(this.#engine, name, given).then(resolve, reject);
    }
    this.#engine.connect();
  }

  /** Another tab leads, because this one did not answer. */
  async #lost(): Promise<void> {
    const engine = this.#engine;
    this.#engine = null;
    await engine?.close(true);
    this.#giveUp = this.#stand(false);
    this.#say({ say: "hello", from: this.me });
  }

  #ask(id: number): void {
    const asked = this.#asked.get(id);
    if (!asked) return;
    this.#say({ say: "ask", from: this.me, id, name: asked.name, given: asked.given });
    this.#untaken.get(id)?.();
    this.#untaken.set(id, this.clock.after(TAKE_WITHIN, () => this.#takeOver()));
  }

  #takeOver(): void {
    if (this.#engine) return;
    this.#giveUp();
    this.#giveUp = this.#stand(true);
  }

  #heard(said: Said): void {
    switch (said.say) {
      case "hello":
        if (this.#engine) this.#say({ say: "state", to: said.from, state: this.store.state, n: this.#n });
        return;
      case "leader":
        if (this.#engine) return;
        this.#say({ say: "hello", from: this.me });
        for (const id of this.#asked.keys()) this.#ask(id);
        return;
      case "state":
        if (said.to !== this.me || this.#engine) return;
        this.#n = said.n;
        this.store.do({ do: "restore", state: said.state });
        for (const { name, given } of this.#asked.values()) {
          if (name === "operation") this.store.do({ do: "operation", operation: given[0] as State["outbox"][number] });
        }
        return;
      case "do":
        if (this.#engine || said.n <= this.#n) return;
        if (said.n !== this.#n + 1) return this.#say({ say: "hello", from: this.me });
        this.#n = said.n;
        return this.store.do(said.action);
      case "ask":
        if (!this.#engine) return;
        this.#say({ say: "taken", to: said.from, id: said.id });
        run(this.#engine, said.name, said.given).then(
          (ok) => this.#say({ say: "answer", to: said.from, id: said.id, ok }),
          (error) => this.#say({ say: "answer", to: said.from, id: said.id, failed: packed(error) }),
        );
        return;
      case "taken":
        if (said.to === this.me) this.#taken(said.id);
        return;
      case "answer": {
        const asked = said.to === this.me ? this.#asked.get(said.id) : undefined;
        if (!asked) return;
        this.#asked.delete(said.id);
        this.#taken(said.id);
        if (said.failed) asked.reject(unpacked(said.failed));
        else asked.resolve(said.ok);
      }
    }
  }

  #taken(id: number): void {
    this.#untaken.get(id)?.();
    this.#untaken.delete(id);
  }

  #say(said: Said): void {
    this.#room.say(said);
  }
}

/** All tabs of a browser have one engine and one connection. Where a browser cannot do that, each has its own. */
export function sharedTabs(tabs: Tabs = browserTabs): DeskMaker {
  return (...given) => (tabs === browserTabs && !hasTabs() ? alone(...given) : new Family(tabs, ...given));
}

/** An error for another tab: classes do not get through. */
function packed(error: unknown): Json {
  if (error instanceof ServerError) {
    const { code, message, retryable, status, retryAfter: retry_after, requestId: request_id, data } = error;
    return { kind: "server", ...data, code, message, retryable, status, retry_after, request_id };
  }
  const { code = "closed", message = String(error) } = error as Partial<ClientError>;
  return { kind: error instanceof NoAnswer ? "none" : "client", code, message };
}

function unpacked({ kind, ...said }: Json): Error {
  if (kind === "server") return new ServerError(said);
  if (kind === "none") return new NoAnswer(String(said.message));
  return new ClientError(said.code as ClientError["code"], String(said.message));
}
