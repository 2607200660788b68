/** What a client knows. Plain values, immutable: what did not change is the same object afterwards. */
import type { Operation } from "./operations.js";
import { liveFrom, type Timeline } from "./timeline.js";
import type {
  Block, Channel, FreshState, Grants, Invite, Member, Pin, Presence, Receipt, User,
} from "./types.js";

/** One channel. */
export interface ChannelState {
  /** As the server last said; `channelOf` adds what follows from the rest (unread, capabilities, seq). */
  readonly channel: Channel;
  /** As of which event it was entered: what was read before an entering is not of use after it. */
  readonly entered: number;
  /** `seq` of the newest event that is in here. */
  readonly applied: number;
  readonly timeline: Timeline;
  /** Whether the newest page of history was read. */
  readonly loaded: boolean;
  /** Replies by the message that they hang on, of threads that were opened. */
  readonly replies: Readonly<Record<string, Timeline>>;
  readonly members: Readonly<Record<string, Member>>;
  /** Whether `members` are all of them. */
  readonly membersLoaded: boolean;
  /** By message; null until they are read. */
  readonly pins: Readonly<Record<string, Pin>> | null;
  /** Messages that others quote. */
  readonly quoting: Readonly<Record<string, true>>;
  /** By member; null while the channel is not watched, or too large for that. */
  readonly receipts: Readonly<Record<string, Receipt>> | null;
  /** Who types, by user and thread. */
  readonly typing: Readonly<Record<string, Typing>>;
  /** How many type, in a large channel. */
  readonly typingCount: number;
  readonly watchers: { readonly count: number; readonly user_ids?: readonly string[] | null } | null;
  /** How many members are there, in a large channel. */
  readonly onlineCount: number | null;
}

export interface Typing {
  readonly user_id: string;
  readonly thread_id: string | null;
}

/** How far the user has read a thread that it takes part in. */
export interface ThreadPlace {
  readonly channel_id: string;
  /** `seq` of the message that it hangs on; null until somebody says. */
  readonly seq: number | null;
  readonly read_number: number;
  readonly last_number: number;
  /** Replies that the user has deleted for itself. */
  readonly hidden: readonly number[];
}

export type ConnectionStatus = "idle" | "connecting" | "online" | "away" | "refused" | "closed";

export interface State {
  readonly user: User | null;
  /** By id: those that it is a member of, and those that it watches, whose `membership` is null. */
  readonly channels: Readonly<Record<string, ChannelState>>;
  readonly grants: Grants;
  readonly blocks: Readonly<Record<string, Block>>;
  /** By channel; null for what is over. */
  readonly invites: Readonly<Record<string, Invite | null>>;
  readonly threads: Readonly<Record<string, ThreadPlace>>;
  readonly presence: Readonly<Record<string, Presence>>;
  /** Profiles, as far as they were told. */
  readonly users: Readonly<Record<string, User>>;
  /** The channel of each message that the user has deleted for itself, as far as events have said so. */
  readonly hidden: Readonly<Record<string, string>>;
  /** The newest event of the user's own log, and of the app's; 0 until there is one, or one was heard. */
  readonly applied: { readonly own: number; readonly app: number };
  /** Logs of which something is missing, by the `seq` that came instead. Nothing more of them is applied until it came. */
  readonly gaps: Readonly<Record<string, number>>;
  /** Where a resume starts; null before the first connection. Everything before it is in here. */
  readonly cursor: string | null;
  /** What the user did and the server has not acknowledged, oldest first. */
  readonly outbox: readonly Operation[];
  readonly connection: { readonly status: ConnectionStatus; readonly problem: { readonly code: string; readonly message: string } | null };
}

/** Nothing. */
export const EMPTY: State = {
  user: null,
  channels: {},
  grants: {},
  blocks: {},
  invites: {},
  threads: {},
  presence: {},
  users: {},
  hidden: {},
  applied: { own: 0, app: 0 },
  gaps: {},
  cursor: null,
  outbox: [],
  connection: { status: "idle", problem: null },
};

/** A channel of which nothing is heard in passing. */
export const QUIET = { receipts: null, typing: {}, typingCount: 0, watchers: null, onlineCount: null };

/** A channel that was just entered, as of `channel.seq`. */
export function enteredChannel(channel: Channel): ChannelState {
  return {
    channel,
    entered: channel.seq,
    applied: channel.seq,
    timeline: liveFrom(channel.seq + 1),
    loaded: false,
    replies: {},
    members: {},
    membersLoaded: false,
    pins: null,
    quoting: {},
    ...QUIET,
  };
}

/** From fresh state: the answer of `sync` without a cursor, or `connection.ready` that has not recovered. What waits to
 * be sent stays, and who the user is. */
export function begin(state: State, fresh: FreshState): State {
  const channels = Object.fromEntries(fresh.channels.map((channel) => [channel.id, enteredChannel(channel)]));
  const blocks = Object.fromEntries(fresh.blocks.map((block) => [block.user_id, block]));
  const { user, users, outbox, connection } = state;
  const { grants, own_seq: own = 0, cursor } = fresh;
  return { ...EMPTY, user, users, outbox, connection, channels, grants, blocks, applied: { own, app: 0 }, cursor };
}
