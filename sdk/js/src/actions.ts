/**
 * Everything that changes the state, as plain values: so that tabs of one browser pass them on and all come to the same
 * state. `act` is pure.
 */
import { type ChannelDraft, Draft } from "./draft.js";
import type { Operation } from "./operations.js";
import { enter, leave, membersAgain } from "./reduce/channels.js";
import { again, put, quotes, visible } from "./reduce/messages.js";
import { reduceAll } from "./reduce.js";
import { firstSeq, timelineOf } from "./selectors.js";
import { begin, QUIET, type State, type ThreadPlace } from "./state.js";
import { liveFrom, stretchAt, type Stretch, withPage } from "./timeline.js";
import type { Channel, FreshState, Invite, Json, Member, Message, Pin, Presence, Receipt, ServerEvent, User } from "./types.js";
import { without } from "./record.js";

/** What `channel.watch` answers. */
export interface Watched {
  readonly channel: Channel;
  readonly presence: { readonly online_count?: number; readonly members?: readonly (Presence & { user_id: string })[] | null } | null;
  readonly watchers: { readonly count: number; readonly user_ids?: readonly string[] | null } | null;
  readonly receipts: { readonly receipts?: readonly (Receipt & { user_id: string })[] | null } | null;
}

export type Action =
  | { readonly do: "events"; readonly events: readonly ServerEvent[] }
  | { readonly do: "begin"; readonly fresh: FreshState }
  | { readonly do: "cursor"; readonly cursor: string }
  | { readonly do: "user"; readonly user: User }
  | { readonly do: "restore"; readonly state: State }
  | { readonly do: "connection"; readonly status: State["connection"]["status"]; readonly problem?: State["connection"]["problem"] }
  | { readonly do: "page"; readonly channel_id: string; readonly entered: number; readonly thread_id: string | null; readonly messages: readonly Message[]; readonly stretch: Stretch; readonly newest: boolean; readonly meanwhile: readonly ServerEvent[] }
  | { readonly do: "thread"; readonly channel_id: string; readonly thread_id: string }
  | { readonly do: "members"; readonly channel_id: string; readonly entered: number; readonly members: readonly Member[]; readonly whole: boolean; readonly meanwhile: readonly ServerEvent[] }
  | { readonly do: "pins"; readonly channel_id: string; readonly entered: number; readonly pins: readonly Pin[]; readonly meanwhile: readonly ServerEvent[] }
  | { readonly do: "invites"; readonly invites: readonly Invite[] }
  | { readonly do: "threads"; readonly threads: readonly Json[] }
  | { readonly do: "watched"; readonly answer: Watched }
  | { readonly do: "unwatched"; readonly channel_id: string }
  | { readonly do: "presence"; readonly presence: readonly (Presence & { user_id: string })[] }
  | { readonly do: "sent"; readonly message: Message }
  | { readonly do: "typing ended"; readonly channel_id: string; readonly key: string }
  | { readonly do: "operation"; readonly operation: Operation }
  | { readonly do: "operation done"; readonly key: string };

/** The state after an action; the same object when nothing changed. */
export function act(state: State, action: Action): State {
  if (action.do === "events") return reduceAll(state, action.events);
  if (action.do === "begin") return begin(state, action.fresh);
  if (action.do === "restore") return action.state;
  const draft = new Draft(state);
  apply(draft, action);
  return draft.now;
}

function apply(draft: Draft, action: Exclude<Action, { do: "events" | "begin" | "restore" }>): void {
  const { now } = draft;
  const channel = "channel_id" in action ? draft.channel(action.channel_id) : undefined;
  // What was read before the channel was entered anew is of no use.
  if ("entered" in action && channel?.entered !== action.entered) return;
  switch (action.do) {
    case "cursor":
      // While something is missing, a resume has to start before it.
      if (!Object.keys(now.gaps).length) draft.set({ cursor: action.cursor });
      return;
    case "user":
      return draft.set({ user: action.user, users: { ...now.users, [action.user.id]: action.user } });
    case "connection":
      if (action.status !== "online") hush(draft);
      return draft.set({ connection: { status: action.status, problem: action.problem ?? null } });
    case "page":
      return page(draft, channel!, action);
    case "thread":
      if (channel && !channel.replies[action.thread_id]) {
        channel.replies = { ...channel.replies, [action.thread_id]: liveFrom(channel.applied + 1) };
      }
      return;
    case "members":
      channel!.members = { ...Object.fromEntries(action.members.map((member) => [member.user_id, member])), ...channel!.members };
      channel!.membersLoaded ||= action.whole;
      return action.meanwhile.forEach((event) => membersAgain(channel!, event));
    case "pins":
      channel!.pins = Object.fromEntries(
        action.pins
          .filter(({ message_id, message_seq }) => !now.hidden[message_id] && message_seq >= firstSeq(channel!))
          .map((pin) => [pin.message_id, pin]),
      );
      return action.meanwhile.forEach((event) => again(draft, event));
    case "invites": {
      const read = Object.fromEntries(action.invites.map((invite) => [invite.channel.id, invite]));
      return draft.set({ invites: { ...read, ...now.invites } });
    }
    case "threads":
      return draft.set({ threads: { ...now.threads, ...Object.fromEntries(action.threads.map((each) => placed(now, each))) } });
    case "watched":
      return watched(draft, action.answer);
    case "unwatched":
      if (channel?.channel.membership === null) leave(draft, action.channel_id);
      else if (channel) Object.assign(channel, QUIET);
      return;
    case "presence":
      return saw(draft, action.presence);
    case "sent": {
      const { message } = action;
      const place = draft.channel(message.channel_id);
      // Only while its event is to come, which says the rest. After that, what is not held is on a page that is to be read, or was
      // taken away; and the acknowledgement of a repeated send shows reactions, but not which of them are one's own.
      if (place && message.seq > place.applied && visible(draft, place, message)) put(draft, place, message);
      return;
    }
    case "typing ended":
      if (channel) channel.typing = without(channel.typing, action.key);
      return;
    case "operation": {
      const others = now.outbox.filter(({ key }) => key !== action.operation.key);
      const outbox = [...others, action.operation].sort((a, b) => (a.key < b.key ? -1 : 1));
      return draft.set({ outbox });
    }
    case "operation done":
      if (now.outbox.some(({ key }) => key === action.key)) draft.set({ outbox: now.outbox.filter(({ key }) => key !== action.key) });
      return;
  }
}

/** Nothing is heard any more of what passes by. What was only watched stays to be seen, until it is watched again. */
function hush(draft: Draft): void {
  for (const [id, { receipts, typing, typingCount, watchers, onlineCount }] of Object.entries(draft.now.channels)) {
    const quiet = !receipts && !watchers && onlineCount === null && !typingCount && !Object.keys(typing).length;
    if (!quiet) Object.assign(draft.channel(id)!, QUIET);
  }
  if (Object.keys(draft.now.presence).length) draft.set({ presence: {} });
}

function page(draft: Draft, channel: ChannelDraft, action: Extract<Action, { do: "page" }>): void {
  const { thread_id, newest } = action;
  const timeline = timelineOf(channel, thread_id);
  if (!timeline) return;
  // What the newest page leaves out lies below it: everything up to where events go on is known with it.
  const stretch: Stretch = newest ? [action.stretch[0], stretchAt(timeline, Infinity)[0]] : action.stretch;
  const next = withPage(timeline, action.messages.filter((message) => visible(draft, channel, message)), stretch);
  if (thread_id === null) {
    channel.timeline = next;
    channel.loaded ||= newest;
  } else channel.replies = { ...channel.replies, [thread_id]: next };
  action.messages.forEach((message) => quotes(channel, message));
  action.meanwhile.forEach((event) => again(draft, event));
}

function placed(now: State, each: Json): [string, ThreadPlace] {
  const { channel_id, read_number, hidden_numbers = [], message, thread } = each as {
    channel_id: string; read_number: number; hidden_numbers?: number[]; message: Message; thread: { last_number: number };
  };
  const known = now.threads[message.id];
  return [message.id, {
    channel_id,
    seq: message.seq,
    read_number: Math.max(known?.read_number ?? 0, read_number),
    last_number: Math.max(known?.last_number ?? 0, thread.last_number),
    hidden: [...new Set([...(known?.hidden ?? []), ...hidden_numbers])],
  }];
}

function watched(draft: Draft, { channel, presence, watchers, receipts }: Watched): void {
  const known = draft.now.channels[channel.id];
  // Of a channel that is only watched nothing was told since the connection was lost.
  if (!known || (known.channel.membership === null && known.applied < channel.seq)) enter(draft, channel);
  const places = receipts?.receipts?.map(({ user_id, read_number, delivered_number }) => [user_id, { read_number, delivered_number }] as const);
  Object.assign(draft.channel(channel.id)!, {
    watchers,
    onlineCount: presence?.online_count ?? null,
    receipts: places ? Object.fromEntries(places) : null,
  });
  saw(draft, presence?.members ?? []);
}

function saw(draft: Draft, presence: readonly (Presence & { user_id: string })[]): void {
  if (!presence.length) return;
  const told = presence.map(({ user_id, ...rest }) => [user_id, rest] as const);
  draft.set({ presence: { ...draft.now.presence, ...Object.fromEntries(told) } });
}

