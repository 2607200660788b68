/** The client: what an app uses. */
import { alone, type Desk, type DeskMaker } from "./commands.js";
import { Engine, known } from "./engine.js";
import { ChatError, ClientError } from "./errors.js";
import { Ids, type Random, systemRandom } from "./ids.js";
import { Keep } from "./keep.js";
import { type Act, type Draft, type Edit, type Operation } from "./operations.js";
import { type Clock, MemoryStorage, type Storage, systemClock, type Transport } from "./ports.js";
import { ask } from "./rest.js";
import { channelOf } from "./selectors.js";
import type { State } from "./state.js";
import { Store } from "./store.js";
import { type TokenProvider, Tokens } from "./tokens.js";
import { socketIo } from "./transport.js";
import type { Json, Message, ServerEvent } from "./types.js";

/** Milliseconds between two words that the user types. */
const TYPING_AGAIN = 3_000;

export interface ClientOptions {
  /** The app's publishable key, `pk_…`. */
  readonly key: string;
  /** The user's id: what is kept on the device is kept for it. */
  readonly user: string;
  /** Brings an access token of the user from your server. Called again before the last one ends. */
  readonly token: TokenProvider;
  /** Where the control plane is, to ask it where the app is served; or `url`, where that is known. */
  readonly locate?: string;
  readonly url?: string;
  /** What must outlive the page goes here; `new IndexedDbStorage()` in a browser. Default: memory. */
  readonly storage?: Storage;
  /** `sharedTabs()` lets all tabs of a browser share one connection. Default: each has its own. */
  readonly tabs?: DeskMaker;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly transport?: Transport;
  readonly fetch?: typeof globalThis.fetch;
}

export interface ClientEvents {
  /** An event from the server, also those that no state has, as `event.sent`. */
  event: ServerEvent;
  /** Something that the user did was refused and has been taken back. */
  refused: { readonly operation: Operation; readonly error: ChatError };
  /** The client goes on, but not as well as it could: what is kept on the device, say. */
  problem: ClientError;
}

/** A message, or as much of one as says where it is. */
export type MessageRef = Pick<Message, "id" | "channel_id"> & { readonly thread_id?: string | undefined };

export class Client {
  readonly #options: ClientOptions;
  readonly #store = new Store();
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #ids: Ids;
  readonly #fetch: typeof globalThis.fetch;
  readonly #keep: Keep;
  readonly #tokens: Tokens;
  readonly #listeners = new Map<keyof ClientEvents, Set<(told: never) => void>>();
  readonly #typed = new Map<string, number>();
  #desk: Desk | null = null;
  #location: Promise<Json> | null = null;
  #unbind: () => void = () => {};

  constructor(options: ClientOptions) {
    if (!options.url && !options.locate) throw new TypeError("`locate` or `url` is missing");
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom;
    this.#ids = new Ids(() => this.#clock.now(), this.#random);
    this.#fetch = options.fetch ?? ((url, init) => fetch(url, init));
    this.#tokens = new Tokens(options.token, this.#clock);
    this.#keep = new Keep(options.storage ?? new MemoryStorage(), this.#clock, options.key, options.user, (error) => this.#tell("problem", error));
    this.#store.follow((action) => {
      if (action.do === "events") action.events.forEach((event) => this.#tell("event", event));
    });
  }

  /** Everything that is known now; it never changes, there is another one then. */
  get state(): State {
    return this.#store.state;
  }

  /** Whether this tab is the one that talks to the server. */
  get leads(): boolean {
    return this.#desk?.leads ?? false;
  }

  /**
   * Begin. Done once there is a state to show: at once where an earlier visit left one, else with the first connection.
   * Goes on connecting by itself, until `close`. Raises `ServerError` when the server refuses for good; call it again
   * when that may have changed.
   */
  async connect(): Promise<void> {
    if (!this.#desk) {
      this.#store.do({ do: "restore", state: await this.#keep.restore() });
      const { key, user, tabs = alone } = this.#options;
      this.#desk = tabs(`natter/${key}/${user}`, this.#ids.make("tab_"), this.#store, this.#clock, () => this.#engine());
      this.#unbind = this.#bind();
    } else await this.#do("connect");
    await known(this.#store);
  }

  /** End. What was not acknowledged stays kept, and goes on with the next client of this user on this device. */
  async close(): Promise<void> {
    this.#unbind();
    await this.#desk?.close();
    this.#desk = null;
    this.#store.do({ do: "connection", status: "closed" });
  }

  /** Be called with a part of the state whenever it changes, not for the one of now. Returns how to stop. */
  subscribe<T>(select: (state: State) => T, listener: (part: T, before: T) => void): () => void {
    return this.#store.subscribe(select, listener);
  }

  on<K extends keyof ClientEvents>(name: K, listener: (told: ClientEvents[K]) => void): () => void {
    const all = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, all.add(listener));
    return () => all.delete(listener);
  }

  /** Any socket event of the reference; its acknowledgement. */
  call(event: string, payload: Json): Promise<Json> {
    return this.#do("call", event, payload);
  }

  /** Any REST call of the reference, as the user. POSTs carry an `Idempotency-Key`, so that repeats do no harm. */
  request(method: string, path: string, body?: Json): Promise<Json> {
    return this.#do("request", method, path, body);
  }

  // -- what the user does: shown at once, sent when it is possible ----------------------------------------------------------

  /** Send a message. Done with the message as it is stored. */
  send(channel_id: string, draft: Draft | string): Promise<Message> {
    const whole = typeof draft === "string" ? { text: draft } : draft;
    const ref = { id: this.#ids.make("msg_"), channel_id, thread_id: whole.thread_id };
    return this.#act(ref, { kind: "send", draft: whole }) as Promise<Message>;
  }

  /** Change a message; what was not sent yet is changed in place. */
  edit(message: MessageRef, edit: Edit): Promise<void> {
    const { set, unset, ...fields } = edit;
    const amend = !set && !unset && this.#unsent(message) && ((): Promise<boolean> => this.#do("amend", message.id, fields as Json));
    return this.#act(message, { kind: "edit", edit }, amend);
  }

  /** Delete for everybody, with `hard` for good; or give up what was not sent yet. */
  delete(message: MessageRef, hard = false): Promise<void> {
    const discard = this.#unsent(message) && ((): Promise<boolean> => this.#do("discard", message.id));
    return this.#act(message, { kind: "delete", hard }, discard);
  }

  restore(message: MessageRef): Promise<void> {
    return this.#act(message, { kind: "restore" });
  }

  /** Delete for oneself alone. */
  hide(message: MessageRef): Promise<void> {
    return this.#act(message, { kind: "hide" });
  }

  /** React; with `unique` in the place of whatever else the user reacted with. */
  react(message: MessageRef, emoji: string, unique = false): Promise<void> {
    return this.#act(message, { kind: "react", emoji, unique });
  }

  unreact(message: MessageRef, emoji: string): Promise<void> {
    return this.#act(message, { kind: "unreact", emoji });
  }

  /** Try a message that was refused once more. */
  retry(message: MessageRef): Promise<void> {
    return this.#do("retry", message.id);
  }

  // -- what the user looks at -----------------------------------------------------------------------------------------------

  /** Look at a channel: read its newest messages and hear what passes by, until `leave`. */
  open(channel_id: string): Promise<void> {
    return this.#do("open", channel_id);
  }

  /** Look at it no more. It stays up to date. */
  leave(channel_id: string): Promise<void> {
    return this.#do("unwatch", channel_id);
  }

  /** Read the replies to a message. */
  openThread(message: MessageRef): Promise<void> {
    return this.#do("newest", message.channel_id, message.id);
  }

  /** Read one page further back. Whether there is more. What is there already is not read again. */
  loadOlder(channel_id: string, thread_id: string | null = null): Promise<boolean> {
    return this.#do("older", channel_id, thread_id);
  }

  /** Read the messages around one, for `messagesAround`; or those before or after one that is there, as `loadBefore` and
   * `loadAfter` do. Its `seq`, null if it is not there. */
  loadAround(channel_id: string, message_id: string, side?: "after" | "before", thread_id: string | null = null): Promise<number | null> {
    return this.#do("around", channel_id, message_id, side, thread_id);
  }

  /** Read the next hundred members. Whether there are more. */
  loadMembers(channel_id: string): Promise<boolean> {
    return this.#do("members", channel_id);
  }

  loadPins(channel_id: string): Promise<void> {
    return this.#do("pins", channel_id);
  }

  loadInvites(): Promise<void> {
    return this.#do("all", "invites");
  }

  /** Read the threads that the user takes part in. */
  loadThreads(): Promise<void> {
    return this.#do("all", "threads");
  }

  /** Hear where these users are. */
  followPresence(user_ids: readonly string[]): Promise<void> {
    return this.#do("follow", user_ids);
  }

  /** Mark a channel read, up to a message or all of it. Nothing is asked when nothing is unread. */
  async markRead(channel_id: string, message_id?: string): Promise<void> {
    if (!message_id && channelOf(this.state, channel_id)?.membership?.unread === 0) return;
    await this.call("receipt.read", message_id ? { channel_id, message_id } : { channel_id });
  }

  /** Say that the user types: at every key, if you like; it is told every 3 s. Nobody waits for it. */
  typing(channel_id: string, thread_id: string | null = null): void {
    const place = `${channel_id}/${thread_id ?? ""}`;
    const now = this.#clock.now();
    if (now - (this.#typed.get(place) ?? -Infinity) < TYPING_AGAIN || this.state.connection.status !== "online") return;
    this.#typed.set(place, now);
    this.call("typing.start", { channel_id, thread_id }).catch(() => {});
  }

  /** Say that the user has stopped without sending. */
  stopTyping(channel_id: string, thread_id: string | null = null): void {
    if (!this.#typed.delete(`${channel_id}/${thread_id ?? ""}`)) return;
    this.call("typing.stop", { channel_id, thread_id }).catch(() => {});
  }

  /** Do not wait for the next attempt to connect. */
  hurry(): void {
    this.#desk?.do("hurry").catch(() => {});
  }

  // -- inside ---------------------------------------------------------------------------------------------------------------

  /** `instead`: what to try first; whether that was all. Answers with the message that was sent, otherwise nothing. */
  #act(ref: MessageRef, act: Act, instead?: false | (() => Promise<boolean>)): Promise<never> {
    this.#typed.delete(`${ref.channel_id}/${ref.thread_id ?? ""}`);
    const operation: Operation = {
      key: this.#ids.make(""),
      channel_id: ref.channel_id,
      message_id: ref.id,
      thread_id: ref.thread_id ?? null,
      act,
      at: new Date(this.#clock.now()).toISOString(),
      tries: 0,
      error: null,
    };
    const answer = this.#send(operation, instead);
    // Who does not wait for it hears of it by the state and by `refused`; it is no unhandled rejection.
    answer.catch((error: ChatError) => this.#tell("refused", { operation, error }));
    return answer;
  }

  async #send(operation: Operation, instead?: false | (() => Promise<boolean>)): Promise<never> {
    if (instead && (await instead())) return undefined as never;
    if (this.#desk?.leads === false) {
      // Kept before the leader is asked, which may be gone the next moment.
      this.#store.do({ do: "operation", operation });
      await this.#keep.operation(operation.key, operation);
    }
    const answer = await this.#do("operation", operation);
    return (operation.act.kind === "send" ? answer.message : undefined) as never;
  }

  #unsent({ id }: MessageRef): boolean {
    return this.state.outbox.some((each) => each.message_id === id && each.act.kind === "send" && (each.error !== null || each.tries === 0));
  }

  #do: Desk["do"] = (...given) => {
    if (!this.#desk) return Promise.reject(new ClientError("closed", "Call `connect` first."));
    return this.#desk.do(...given);
  };

  #engine(): Engine {
    return new Engine({
      store: this.#store,
      keep: this.#keep,
      tokens: this.#tokens,
      ids: this.#ids,
      clock: this.#clock,
      random: this.#random,
      transport: this.#options.transport ?? socketIo,
      fetch: this.#fetch,
      key: this.#options.key,
      locate: (again) => this.#locate(again),
    });
  }

  /** Where the app is served. Apps can move, so it is asked again after an attempt that failed. */
  async #locate(again: boolean): Promise<string> {
    const { url, locate, key } = this.#options;
    if (url) return url;
    if (again) this.#location = null;
    this.#location ??= ask(this.#fetch, this.#clock, `${locate}/v1/locate?key=${key}`, {});
    try {
      return (await this.#location).url as string;
    } catch (error) {
      this.#location = null;
      throw error;
    }
  }

  /** What a browser tells: the network is back, the page is looked at again, the page goes. */
  #bind(): () => void {
    if (typeof globalThis.addEventListener !== "function") return () => {};
    const bound = new AbortController();
    const on = (target: EventTarget, name: string, act: () => void): void => target.addEventListener(name, act, { signal: bound.signal });
    const hurry = (): void => this.hurry();
    const save = (): void => void (this.leads && this.#keep.save(this.state));
    on(globalThis, "online", hurry);
    if (typeof document !== "undefined") on(document, "visibilitychange", () => (document.hidden ? save() : hurry()));
    return () => bound.abort();
  }

  #tell<K extends keyof ClientEvents>(name: K, told: ClientEvents[K]): void {
    for (const listener of this.#listeners.get(name) ?? []) (listener as (told: ClientEvents[K]) => void)(told);
  }
}
