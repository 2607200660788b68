/** Reads what events do not bring: pages of messages, members, pins, invites, threads. Nothing is read twice. */
import type { Action } from "./actions.js";
import { ClientError } from "./errors.js";
import { hasOlder, timelineOf } from "./selectors.js";
import type { ChannelState } from "./state.js";
import type { Store } from "./store.js";
import { messagesOf, newestOf, stretchAt, stretchBefore, type Stretch, type Timeline } from "./timeline.js";
import type { Json, Member, MessagePage, Pin, ServerEvent } from "./types.js";

/** Messages of a page. */
const PAGE = 50;
const MOST = 100;
const ATTEMPTS = 3;

type Read = (method: string, path: string) => Promise<Json>;

export class History {
  readonly #running = new Map<string, Promise<unknown>>();
  /** What is heard of a channel while something of it is being read: the answer may be older. */
  readonly #meanwhile = new Map<string, Set<ServerEvent[]>>();
  readonly #cursors = new Map<string, string>();
  /** What was asked for beyond messages, by channel; lists of no channel under "". */
  readonly #wanted = new Map<string, Map<string, () => Promise<unknown>>>();

  constructor(
    readonly store: Store,
    readonly read: Read,
  ) {}

  /** Told of every event with a channel. */
  heard(event: ServerEvent): void {
    if (event.channel_id === null || event.seq === null) return;
    this.#meanwhile.get(event.channel_id)?.forEach((events) => events.push(event));
  }

  /** Read again what was asked for before the channel was entered anew, or before all began anew. */
  again(channel_id: string): void {
    this.#wanted.get(channel_id)?.forEach((read) => read().catch(() => {}));
  }

  /** The newest page, unless it was read. */
  newest(channel_id: string, thread_id: string | null = null): Promise<void> {
    return this.#once(`newest ${channel_id} ${thread_id}`, async () => {
      // Read in vain, if the channel was entered anew meanwhile.
      for (let attempt = 0; attempt < ATTEMPTS && !this.#loaded(channel_id, thread_id); attempt += 1) {
        await this.#page(channel_id, thread_id, "", (page) => [reachesBack(page), 0], true);
      }
    });
  }

  /** The page before what is held without a hole. Whether there is more. */
  older(channel_id: string, thread_id: string | null = null): Promise<boolean> {
    return this.#once(`older ${channel_id} ${thread_id}`, async () => {
      if (thread_id === null && !this.#channel(channel_id).loaded) await this.newest(channel_id);
      else {
        const timeline = this.#timeline(channel_id, thread_id);
        const live = stretchAt(timeline, Infinity);
        if (!hasOlder(this.store.state, channel_id, thread_id)) return false;
        const first = messagesOf(timeline).find((message) => message.seq >= live[0]);
        if (!first) await this.#page(channel_id, thread_id, "", (page) => [reachesBack(page), 0], true);
        else {
          // No further down than to what was read around another message.
          const limit = Math.min(PAGE, first.seq - (stretchBefore(timeline, live)?.[1] ?? -Infinity) - 1);
          await this.#page(channel_id, thread_id, `&before=${first.id}`, (page) => [reachesBack(page), live[0]], false, limit);
        }
      }
      return hasOlder(this.store.state, channel_id, thread_id);
    });
  }

  /** Messages around one, unless it is held, or more before or after one that is; its `seq`, null if it is not there. */
  async around(channel_id: string, message_id: string, side?: "after" | "before", thread_id: string | null = null): Promise<number | null> {
    this.#loaded(channel_id, thread_id);
    const held = (): number | undefined => messagesOf(this.#timeline(channel_id, thread_id)).find(({ id }) => id === message_id)?.seq;
    const known = held();
    if (!known || side) {
      const live = stretchAt(this.#timeline(channel_id, thread_id), Infinity)[0];
      await this.#page(channel_id, thread_id, `&${side ?? "around"}=${message_id}`, (page) => [
        Math.min(known ?? live, reachesBack(page)),
        Math.max(known ?? 0, page.has_after ? page.messages.at(-1)!.seq : live),
      ], false);
    }
    return held() ?? null;
  }

  /** The next page of members, unless all were read. Whether there are more. */
  members(channel_id: string): Promise<boolean> {
    this.#want(channel_id, "members", async () => Object.keys(this.#channel(channel_id).members).length || this.members(channel_id));
    return this.#once(`members ${channel_id}`, async () => {
      const { membersLoaded, entered } = this.#channel(channel_id);
      if (membersLoaded) return false;
      const path = `/v1/channels/${channel_id}/members?limit=${MOST}${after(this.#cursors.get(channel_id))}`;
      const [answer, meanwhile] = await this.#reading(channel_id, () => this.read("GET", path));
      const next = answer.next_cursor as string | null;
      if (next) this.#cursors.set(channel_id, next);
      else this.#cursors.delete(channel_id);
      this.store.do({ do: "members", channel_id, entered, members: answer.members as Member[], whole: !next, meanwhile });
      return Boolean(next);
    });
  }

  /** What is pinned, unless it and its messages are known. */
  pins(channel_id: string): Promise<void> {
    this.#want(channel_id, "pins", () => this.pins(channel_id));
    return this.#once(`pins ${channel_id}`, async () => {
      const { pins, entered } = this.#channel(channel_id);
      if (pins && Object.values(pins).every((pin) => pin.message)) return;
      const [answer, meanwhile] = await this.#reading(channel_id, () => this.read("GET", `/v1/channels/${channel_id}/pins`));
      this.store.do({ do: "pins", channel_id, entered, pins: answer.pins as Pin[], meanwhile });
    });
  }

  /** Everything that the user is invited to, or takes part in. */
  all(what: "invites" | "threads"): Promise<void> {
    this.#want("", what, () => this.all(what));
    return this.#once(what, async () => {
      for (let cursor: string | null = ""; cursor !== null; ) {
        const page: Json = await this.read("GET", `/v1/${what}?limit=${MOST}${after(cursor)}`);
        this.store.do({ do: what, [what]: page[what] } as Action);
        cursor = page.next_cursor as string | null;
      }
    });
  }

  #want(channel_id: string, what: string, read: () => Promise<unknown>): void {
    this.#wanted.set(channel_id, (this.#wanted.get(channel_id) ?? new Map()).set(what, read));
  }

  async #page(channel_id: string, thread_id: string | null, where: string, covers: (page: MessagePage) => Stretch, newest: boolean, limit = PAGE): Promise<void> {
    const path = thread_id === null ? `/v1/channels/${channel_id}/messages` : `/v1/messages/${thread_id}/replies`;
    const { entered } = this.#channel(channel_id);
    const [answer, meanwhile] = await this.#reading(channel_id, () => this.read("GET", `${path}?limit=${limit}${where}`));
    const page = answer as unknown as MessagePage;
    this.store.do({ do: "page", channel_id, entered, thread_id, messages: page.messages, stretch: covers(page), newest, meanwhile });
  }

  async #reading<T>(channel_id: string, read: () => Promise<T>): Promise<[T, ServerEvent[]]> {
    const events: ServerEvent[] = [];
    const all = this.#meanwhile.get(channel_id) ?? new Set();
    this.#meanwhile.set(channel_id, all.add(events));
    try {
      return [await read(), events];
    } finally {
      all.delete(events);
    }
  }

  /** The same thing is done once at a time. */
  #once<T>(name: string, work: () => Promise<T>): Promise<T> {
    const running = (this.#running.get(name) as Promise<T> | undefined) ?? work().finally(() => this.#running.delete(name));
    this.#running.set(name, running);
    return running;
  }

  /** Whether the newest page was read. Of a thread, which is opened with this, the timeline alone says so. */
  #loaded(channel_id: string, thread_id: string | null): boolean {
    const channel = this.#channel(channel_id);
    if (thread_id === null) return channel.loaded;
    if (!channel.replies[thread_id]) this.store.do({ do: "thread", channel_id, thread_id });
    const timeline = this.#timeline(channel_id, thread_id);
    return newestOf(timeline)?.seq! >= stretchAt(timeline, Infinity)[0] || !hasOlder(this.store.state, channel_id, thread_id);
  }

  #channel(id: string): ChannelState {
    const channel = this.store.state.channels[id];
    if (!channel) throw new ClientError("not_loaded", `No channel ${id}`);
    return channel;
  }

  #timeline(channel_id: string, thread_id: string | null): Timeline {
    const timeline = timelineOf(this.#channel(channel_id), thread_id);
    if (!timeline) throw new ClientError("not_loaded", `No open thread ${thread_id}`);
    return timeline;
  }
}

function after(cursor: string | undefined): string {
  return cursor ? `&cursor=${encodeURIComponent(cursor)}` : "";
}

function reachesBack(page: MessagePage): number {
  return page.has_before ? page.messages[0]!.seq : 0;
}
