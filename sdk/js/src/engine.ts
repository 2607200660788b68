/**
 * What talks to the server for all tabs of a browser: the connection, the outbox, what is read. It changes the store, and
 * everybody else follows that.
 */
import { Connection } from "./connection.js";
import { ClientError, ServerError, type ChatError } from "./errors.js";
import { History } from "./history.js";
import type { Ids, Random } from "./ids.js";
import type { Keep } from "./keep.js";
import type { Operation } from "./operations.js";
import { Outbox } from "./outbox.js";
import { type Clock, pause, type Transport } from "./ports.js";
import { Rest } from "./rest.js";
import type { Store } from "./store.js";
import type { Tokens } from "./tokens.js";
import type { Watched } from "./actions.js";
import type { FreshState, Json, Presence, ServerEvent, User } from "./types.js";

/** Milliseconds after which somebody who said that they type does so no more. */
const TYPES_FOR = 6_000;
/** Users that one call follows at most. */
const FOLLOWED_AT_ONCE = 100;
/** Events that a page of sync holds. */
const SYNC_PAGE = 1_000;

export interface EngineDeps {
  readonly store: Store;
  readonly keep: Keep;
  readonly tokens: Tokens;
  readonly ids: Ids;
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
  readonly fetch: typeof globalThis.fetch;
  readonly key: string;
  readonly locate: (again: boolean) => Promise<string>;
}

export class Engine {
  readonly outbox: Outbox;
  readonly history: History;
  readonly rest: Rest;
  readonly #connection: Connection;
  readonly #deps: EngineDeps;
  /** Channels that are looked at: watched again after each reconnect. */
  readonly #open = new Set<string>();
  /** Users whose presence is asked for, likewise. */
  readonly #followed = new Set<string>();
  readonly #typing = new Map<string, () => void>();
  readonly #keeping: () => void;
  /** Events that came and were not applied yet. */
  #events: ServerEvent[] = [];
  /** Whether events wait because something before them is being fetched. */
  #filling = false;
  /** Counts connections: what was begun on an earlier one is not gone on with. */
  #connected = 0;

  constructor(deps: EngineDeps) {
    this.#deps = deps;
    const { store, keep, tokens, ids, clock, transport, random, fetch, key, locate } = deps;
    this.rest = new Rest(fetch, tokens, clock, ids, () => locate(false));
    this.history = new History(store, (method, path) => this.rest.call(method, path));
    this.#connection = new Connection({ transport, clock, random }, key, tokens, locate, () => store.state.cursor, {
      status: (status, problem) => store.do({ do: "connection", status, problem }),
      event: (name, payload) => this.#heard(name, payload),
    });
    this.outbox = new Outbox(store, keep, { clock, random }, () => this.#connection.online, (event, payload) => this.#connection.call(event, payload));
    this.#keeping = keep.follow(store);
  }

  connect(): void {
    void this.outbox.restore();
    this.#connection.open();
  }

  hurry(): void {
    this.#connection.hurry();
  }

  /** `lost`: another tab has taken over, and keeps what is newer. */
  async close(lost = false): Promise<void> {
    this.outbox.stop();
    this.#connection.close();
    for (const stop of this.#typing.values()) stop();
    this.#keeping();
    if (!lost) await this.#deps.keep.save(this.#deps.store.state);
  }

  /** Send an event; its acknowledgement. */
  call(event: string, payload: Json): Promise<Json> {
    return this.#connection.call(event, payload);
  }

  /** A REST call as the user. */
  request(method: string, path: string, body?: Json): Promise<Json> {
    return this.rest.call(method, path, body);
  }

  operation(operation: Operation): Promise<Json> {
    return this.outbox.add(operation);
  }

  /** Look at a channel: its newest page, and what passes by in it. */
  async open(channel_id: string): Promise<void> {
    this.#open.add(channel_id);
    await known(this.#deps.store);
    // Who only watches has no channel until it is watched.
    if (!this.#deps.store.state.channels[channel_id]) await this.#watch(channel_id);
    else if (this.#connection.online) void this.#watch(channel_id).catch(() => {});
    await this.history.newest(channel_id);
  }

  async unwatch(channel_id: string): Promise<void> {
    if (!this.#open.delete(channel_id)) return;
    if (this.#connection.online) await this.#connection.call("channel.unwatch", { channel_id });
    this.#deps.store.do({ do: "unwatched", channel_id });
  }

  /** Hear where users are, whatever is watched. */
  async follow(user_ids: readonly string[]): Promise<void> {
    user_ids.forEach((id) => this.#followed.add(id));
    for (let at = 0; at < user_ids.length; at += FOLLOWED_AT_ONCE) {
      const answer = await this.#connection.call("presence.subscribe", { user_ids: user_ids.slice(at, at + FOLLOWED_AT_ONCE) });
      this.#deps.store.do({ do: "presence", presence: answer.presence as (Presence & { user_id: string })[] });
    }
  }

  async #watch(channel_id: string): Promise<void> {
    const answer = await this.#connection.call("channel.watch", { channel_id });
    this.#apply();
    this.#deps.store.do({ do: "watched", answer: answer as unknown as Watched });
  }

  // -- what is heard ---------------------------------------------------------------------------------------------------

  #heard(name: string, payload: Json): void {
    const { store } = this.#deps;
    if (name === "connection.ready") void this.#ready(payload);
    else if (name === "sync.cursor") {
      this.#apply();
      if (!this.#filling) store.do({ do: "cursor", cursor: payload.cursor as string });
    } else if (name === "watch.ended") {
      this.#open.delete(payload.channel_id as string);
      this.#apply();
      store.do({ do: "unwatched", channel_id: payload.channel_id as string });
    } else if (typeof payload.type === "string") {
      if (!this.#events.length && !this.#filling) queueMicrotask(() => this.#apply());
      this.#events.push(payload as unknown as ServerEvent);
    }
  }

  /** Apply what has come, all at once. */
  #apply(): void {
    if (this.#filling || !this.#events.length) return;
    const events = this.#events;
    this.#events = [];
    this.#take(events);
    const gaps = Object.keys(this.#deps.store.state.gaps);
    if (gaps.length) void this.#mend(gaps);
  }

  #take(events: readonly ServerEvent[]): void {
    const { store } = this.#deps;
    const before = store.state;
    store.do({ do: "events", events });
    for (const event of events) {
      // A repeat would take what is read meanwhile back to what was, and nothing of what followed comes again.
      if (event.seq! > before.channels[event.channel_id!]?.applied!) this.history.heard(event);
      if (event.type === "typing.started") this.#types(event);
      if (event.type === "membership.added" && this.#open.has(event.data.channel.id)) this.#reopen(event.data.channel.id);
    }
    for (const id of this.#open) if (this.#deps.store.state.channels[id]?.loaded === false) this.history.newest(id).catch(() => {});
  }

  async #ready(ready: Json): Promise<void> {
    const { store } = this.#deps;
    this.#connected += 1;
    this.#events = [];
    this.#filling = false;
    store.do({ do: "user", user: ready.user as User });
    if (ready.recovered === null) await this.#fill(null);
    else if (ready.recovered === false) this.#begin(ready);
    // With true the events follow; until they are here, the older cursor stands.
    this.outbox.flush();
    this.#open.forEach((id) => this.#reopen(id));
    if (this.#followed.size) void this.follow([...this.#followed]).catch(() => {});
  }

  /** Fresh state, and whatever else was read before. */
  #begin(fresh: Json): void {
    this.#deps.store.do({ do: "begin", fresh: fresh as unknown as FreshState });
    this.history.again("");
  }

  /** What is looked at is watched again, and read again where nothing is left of it. */
  #reopen(channel_id: string): void {
    this.#watch(channel_id)
      .then(() => this.history.newest(channel_id))
      .then(() => this.history.again(channel_id))
      .catch((error: ChatError) => {
        if (!error.retryable) this.#open.delete(channel_id);
      });
  }

  /** Something is missing of these logs: what is only watched is looked at anew, for the rest sync brings everything. */
  async #mend(logs: readonly string[]): Promise<void> {
    const { store } = this.#deps;
    const connected = this.#connected;
    const watched = logs.filter((log) => store.state.channels[log]?.channel.membership === null);
    for (const id of watched) {
      store.do({ do: "unwatched", channel_id: id });
      if (this.#open.has(id)) this.#reopen(id);
    }
    if (watched.length < logs.length) await this.#fill(store.state.cursor);
    // Sync leaves no hole. If there is one, what is known here is wrong; unless the connection has ended meanwhile.
    if (connected === this.#connected && Object.keys(store.state.gaps).some((log) => logs.includes(log))) {
      await this.#fill(null);
      this.#open.forEach((id) => this.#reopen(id));
    }
  }

  /** Catch up from a cursor, or begin anew without one; what comes meanwhile waits. */
  async #fill(cursor: string | null): Promise<void> {
    if (this.#filling) return;
    this.#filling = true;
    const connected = this.#connected;
    for (let more = true; more; ) {
      const answer = await this.#sync(cursor);
      // With the next connection everything since the last cursor comes.
      if (connected !== this.#connected || !answer) return;
      // Of what waits, fresh state says where it ends.
      if (answer.recovered) this.#take(answer.events as ServerEvent[]);
      else this.#begin(answer);
      cursor = answer.cursor as string;
      this.#deps.store.do({ do: "cursor", cursor });
      more = answer.has_more === true;
    }
    this.#filling = false;
    this.#apply();
  }

  /** A page of sync, asked for until there is one or the connection has ended. */
  async #sync(cursor: string | null): Promise<Json | null> {
    const connected = this.#connected;
    while (this.#connection.online && connected === this.#connected) {
      try {
        return await this.#connection.call("sync", { ...(cursor ? { cursor } : {}), limit: SYNC_PAGE });
      } catch (error) {
        const { retryAfter = 1 } = error as ServerError;
        await pause(this.#deps.clock, retryAfter * 1000);
      }
    }
    return null;
  }

  /** Somebody types; it means nothing any more after a while. */
  #types({ channel_id, data }: ServerEvent): void {
    const key = `${data.user_id}/${data.thread_id ?? ""}`;
    const name = `${channel_id} ${key}`;
    this.#typing.get(name)?.();
    this.#typing.set(name, this.#deps.clock.after(TYPES_FOR, () => {
      this.#typing.delete(name);
      this.#deps.store.do({ do: "typing ended", channel_id: channel_id!, key });
    }));
  }
}

/** Done once there is a state. Raises when there will be none. */
export function known(store: Store): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): boolean => {
      const { cursor, connection } = store.state;
      if (cursor !== null) resolve();
      else if (connection.status === "refused") reject(new ServerError({ ...connection.problem }));
      else if (connection.status === "closed") reject(new ClientError("closed", "closed"));
      else return false;
      return true;
    };
    if (look()) return;
    const stop = store.subscribe((state) => state, () => look() && stop());
  });
}
