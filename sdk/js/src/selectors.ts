/** What apps draw, worked out from the state. The same state gives the same object, so that views need not be drawn again. */
import { afterwards, type Operation, unsent } from "./operations.js";
import type { ChannelState, State, Typing } from "./state.js";
import { messagesOf, newestOf, stretchAt, type Timeline } from "./timeline.js";
import type { Channel, Message, Pin } from "./types.js";

/** A message as the user sees it. `stored` is what the server has; `waiting` has something that it has yet to say yes
 * to; `failed` is a message that it refused, and says why. */
export type ShownMessage = Message & {
  readonly state: "stored" | "waiting" | "failed";
  readonly error?: { readonly code: string; readonly message: string };
};

export interface UnreadTotals {
  /** Messages in channels that are not muted. */
  readonly total: number;
  readonly channels_unread: number;
  /** Replies in threads, once `loadThreads` has been called. */
  readonly thread_replies: number;
  readonly threads_unread: number;
}

const NONE: readonly never[] = [];

/** What the user may do in a channel: what its role there and its role in the app have together. */
export function capabilitiesOf(state: State, channel: Channel): string[] {
  const row = { ...state.grants[channel.type], ...channel.grants };
  const role = state.user?.role ?? "user";
  let granted = new Set(row[role in row ? role : "user"] ?? []);
  if (channel.membership !== null) for (const each of row[channel.membership.role] ?? []) granted.add(each);
  else if (!granted.has("channel.watch")) granted = new Set([...granted].filter((each) => each === "channel.join"));
  granted.delete("channel.create"); // is about the type as such
  return [...granted].sort();
}

const views = new WeakMap<ChannelState, { grants: State["grants"]; role: string | undefined; view: Channel }>();

/** A channel with what follows from the rest: `seq`, `unread`, `capabilities`. */
export function channelOf(state: State, id: string): Channel | undefined {
  const known = state.channels[id];
  if (!known) return undefined;
  const made = views.get(known);
  const { grants } = state;
  const role = state.user?.role;
  if (made && made.grants === grants && made.role === role) return made.view;
  const { channel, applied } = known;
  let membership = channel.membership;
  if (membership !== null) {
    const read = Math.max(membership.read_number, channel.truncated_number);
    const hidden = (membership.hidden_numbers ?? []).filter((number) => number > read).sort((a, b) => a - b);
    const { hidden_numbers: _, ...rest } = membership;
    const unread = Math.max(0, channel.last_number - read - hidden.length);
    membership = { ...rest, unread, ...(hidden.length ? { hidden_numbers: hidden } : {}) };
  }
  const view = { ...channel, seq: Math.max(channel.seq, applied), membership, capabilities: capabilitiesOf(state, channel) };
  views.set(known, { grants, role, view });
  return view;
}

/** The user's channels as a list shows them: pinned ones first, then by what happened last. Archived and hidden ones are
 * left out. */
export const channelList: (state: State) => readonly Channel[] = memo(
  (state: State) => [state.channels, state.grants, state.user],
  (state) => {
    const shown = Object.values(state.channels).filter(({ channel: { membership } }) => membership && !membership.hidden && !membership.archived_at);
    const rank = ({ channel }: ChannelState): number => channel.membership?.pin_order ?? Infinity;
    const last = (each: ChannelState): string => newestOf(each.timeline)?.created_at ?? each.channel.updated_at;
    shown.sort((a, b) => rank(a) - rank(b) || (last(a) < last(b) ? 1 : last(a) > last(b) ? -1 : 0));
    return shown.map(({ channel }) => channelOf(state, channel.id)!);
  },
);

const lists = new WeakMap<object, { outbox: readonly Operation[]; list: readonly ShownMessage[] }>();

/** The newest messages of a channel, or of a thread in it, oldest first, with what the user has done to them and the
 * server has not yet acknowledged. Older ones come with `loadOlder`. */
export function messagesIn(state: State, channel_id: string, thread_id: string | null = null): readonly ShownMessage[] {
  const timeline = timelineOf(state.channels[channel_id], thread_id);
  if (!timeline) return NONE;
  const made = lists.get(timeline);
  if (made && (made.outbox === state.outbox || same(made.outbox, state.outbox, channel_id))) return made.list;
  const [from] = stretchAt(timeline, Infinity);
  const list = overlaid(messagesOf(timeline).filter((message) => message.seq >= from), state, channel_id, thread_id);
  lists.set(timeline, { outbox: state.outbox, list });
  return list;
}

/** Messages of a channel, or of a thread in it, around one that was found with `loadAround`, as far as they are known without
 * a hole. */
export function messagesAround(state: State, channel_id: string, seq: number, thread_id: string | null = null): readonly ShownMessage[] {
  const timeline = timelineOf(state.channels[channel_id], thread_id);
  if (!timeline) return NONE;
  const [from, to] = stretchAt(timeline, seq);
  return overlaid(messagesOf(timeline).filter((message) => from <= message.seq && message.seq <= to), state, channel_id, thread_id);
}

function same(a: readonly Operation[], b: readonly Operation[], channel: string): boolean {
  const left = a.filter(({ channel_id }) => channel_id === channel);
  const right = b.filter(({ channel_id }) => channel_id === channel);
  return left.length === right.length && left.every((operation, index) => operation === right[index]);
}

function overlaid(stored: readonly Message[], state: State, channel_id: string, thread_id: string | null): readonly ShownMessage[] {
  const me = state.user?.id ?? "";
  const shown = new Map<string, ShownMessage>(stored.map((message) => [message.id, { ...message, state: "stored" }]));
  for (const operation of state.outbox) {
    if (operation.channel_id !== channel_id) continue;
    const { message_id: id, act, error } = operation;
    const before = shown.get(id);
    if (act.kind === "send") {
      const here = thread_id === operation.thread_id || (thread_id === null && act.draft.also_in_channel === true);
      if (before || !here) continue;
      shown.set(id, { ...unsent(operation, act.draft, me), state: error ? "failed" : "waiting", ...(error ? { error } : {}) });
    } else if (before) {
      const after = afterwards(before, operation);
      if (after === null) shown.delete(id);
      else shown.set(id, { ...before, ...after, state: "waiting" });
    }
  }
  return [...shown.values()];
}

/** Whether there are older messages than those that are held. */
export function hasOlder(state: State, channel_id: string, thread_id: string | null = null): boolean {
  const channel = state.channels[channel_id];
  const timeline = timelineOf(channel, thread_id);
  return Boolean(timeline) && stretchAt(timeline!, Infinity)[0] > firstSeq(channel!);
}

/** Of a channel, or of a thread in it that was opened. */
export function timelineOf(channel: ChannelState | undefined, thread_id: string | null): Timeline | undefined {
  return thread_id === null ? channel?.timeline : channel?.replies[thread_id];
}

/** The first place in a channel's log that the user may see. */
export function firstSeq({ channel: { truncated_to, membership } }: ChannelState): number {
  return Math.max(1, truncated_to, membership?.history_from ?? 0);
}

/** What is unread, worked out from positions. */
export const unreadOf: (state: State) => UnreadTotals = memo(
  (state: State) => [state.channels, state.threads, state.hidden],
  (state) => {
    const open = Object.values(state.channels).filter(({ channel: { membership } }) => membership && membership.muted_at === null);
    const counts = open.map(({ channel: { id } }) => channelOf(state, id)!.membership!.unread);
    const replies = Object.entries(state.threads).map(([id, place]) => {
      const channel = state.channels[place.channel_id];
      const gone = !channel?.channel.membership || channel.channel.membership.muted_at !== null || state.hidden[id];
      if (gone || (place.seq !== null && place.seq < firstSeq(channel))) return 0;
      return place.last_number - place.read_number - place.hidden.filter((number) => number > place.read_number).length;
    });
    return {
      total: sum(counts),
      channels_unread: counts.filter((count) => count > 0).length,
      thread_replies: sum(replies),
      threads_unread: replies.filter((left) => left > 0).length,
    };
  },
);

/** Who types in a channel, or in a thread of it. */
export function typingIn(state: State, channel_id: string, thread_id: string | null = null): readonly Typing[] {
  const typing = Object.values(state.channels[channel_id]?.typing ?? {});
  return typing.length ? typing.filter((each) => each.thread_id === thread_id) : NONE;
}

/** What is pinned at a moment (RFC 3339): when a pin ends, no event says so. */
export function pinsIn(state: State, channel_id: string, at: string): readonly Pin[] {
  const pins = Object.values(state.channels[channel_id]?.pins ?? {});
  return pins.filter((pin) => pin.expires_at === null || pin.expires_at > at).sort((a, b) => (a.pinned_at < b.pinned_at ? 1 : -1));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Worked out anew only when one of its inputs is another object. */
function memo<S, T>(inputs: (state: S) => readonly unknown[], work: (state: S) => T): (state: S) => T {
  let known: readonly unknown[] = [];
  let made: T | undefined;
  return (state) => {
    const given = inputs(state);
    if (made === undefined || given.some((each, index) => each !== known[index])) {
      known = given;
      made = work(state);
    }
    return made;
  };
}
