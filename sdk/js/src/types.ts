/** What the server says, by the names that it says it with. Times are RFC 3339 in UTC, with milliseconds. */

/** A JSON object. */
export type Json = Record<string, unknown>;

/** A user as everybody sees it. */
export interface User {
  readonly id: string;
  readonly name: string | null;
  readonly image: string | null;
  readonly role: string;
  readonly custom: Json;
}

/** What the user is in a channel. */
export interface Membership {
  readonly role: string;
  readonly read_number: number;
  readonly unread: number;
  readonly joined_at: string;
  /** Messages with a lesser `seq` are not the user's to see. */
  readonly history_from: number;
  readonly archived_at: string | null;
  readonly hidden: boolean;
  readonly muted_at: string | null;
  readonly muted_until: string | null;
  readonly pin_order: number | null;
  /** Numbers of messages that the user has deleted for itself and that count as unread no more. */
  readonly hidden_numbers?: readonly number[];
}

export interface Channel {
  readonly id: string;
  readonly type: string;
  readonly name: string | null;
  readonly image: string | null;
  readonly custom: Json;
  readonly created_by: string | null;
  readonly frozen: boolean;
  readonly grants: Readonly<Record<string, readonly string[]>>;
  readonly history: "all" | "joined";
  /** Messages with a lesser `seq` are gone for everybody. */
  readonly truncated_to: number;
  readonly truncated_number: number;
  /** Seconds between two messages of a member; 0 for no wait. */
  readonly slow_mode: number;
  readonly distinct: boolean;
  readonly created_at: string;
  readonly updated_at: string;
  readonly member_count: number;
  /** The number of the newest message that counts. */
  readonly last_number: number;
  /** The newest event of the channel's log. */
  readonly seq: number;
  /** Null for a channel that is only watched. */
  readonly membership: Membership | null;
  /** What the user may do here. */
  readonly capabilities: readonly string[] | null;
}

export interface Member {
  readonly user_id: string;
  readonly role: string;
  readonly joined_at: string;
  readonly custom: Json;
}

export interface Mentions {
  readonly users?: readonly string[];
  readonly channel?: boolean;
  readonly here?: boolean;
  readonly roles?: readonly string[];
}

/** A quoted message, small, as it is now. */
export interface Quoted {
  readonly id: string;
  readonly seq: number;
  readonly user_id: string | null;
  readonly text: string;
  readonly attachment_count: number;
  readonly deleted: boolean;
}

export interface Message {
  readonly id: string;
  readonly channel_id: string;
  /** Counts the channel's messages that make unread. A reply in a thread alone, or a silent message, has its predecessor's. */
  readonly number: number;
  /** Its place in the channel's log: messages stand in this order. */
  readonly seq: number;
  readonly user_id: string | null;
  readonly text: string;
  readonly attachments: readonly Json[];
  readonly custom: Json;
  readonly silent: boolean;
  readonly created_at: string;
  readonly updated_at: string;
  readonly deleted_at: string | null;
  /** Deleted for good. */
  readonly purged?: boolean;
  readonly hidden?: boolean;
  readonly mentions?: Mentions;
  readonly thread_id?: string;
  readonly also_in_channel?: boolean;
  readonly reply_number?: number;
  readonly reply_count?: number;
  readonly last_reply_at?: string;
  readonly thread_participants?: readonly string[];
  readonly thread_participant_count?: number;
  readonly quoted_id?: string;
  readonly quoted?: Quoted;
  /** How many reacted, by emoji. */
  readonly reactions?: Readonly<Record<string, number>>;
  readonly own_reactions?: readonly string[];
}

/** What is pinned in a channel. A pin whose `expires_at` has passed is none. */
export interface Pin {
  readonly message_id: string;
  readonly message_seq: number;
  readonly pinned_by: string | null;
  readonly pinned_at: string;
  readonly expires_at: string | null;
  /** As it is now; missing where it was pinned just now and is not held: `loadPins` reads it. */
  readonly message?: Message;
}

export interface Block {
  readonly user_id: string;
  readonly created_at: string;
}

export interface Invite {
  readonly channel: { readonly id: string; readonly type: string; readonly name: string | null; readonly image: string | null };
  readonly user_id: string;
  readonly state: string;
  readonly role: string;
  readonly invited_by: string | null;
  readonly created_at: string;
  readonly changed_at: string;
}

export type Status = "online" | "away" | "offline" | "invisible";

export interface Presence {
  readonly status: Status;
  readonly text: string | null;
  readonly text_expires_at: string | null;
  readonly last_active_at?: string | null;
}

/** How far a member has read and received; null where nobody has told. */
export interface Receipt {
  readonly read_number: number | null;
  readonly delivered_number: number | null;
}

export type Grants = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

/** A durable event, or one in passing, whose `seq` is null. The realtime reference lists the types and their data. */
export interface ServerEvent {
  readonly type: string;
  readonly channel_id: string | null;
  readonly seq: number | null;
  readonly epoch: string;
  readonly at: string;
  readonly actor: string | null;
  // The data's form depends on the type; AsyncAPI has it, and the reducers rely on it.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly data: any;
}

/** What the server answers who cannot catch up. */
export interface FreshState {
  readonly channels: readonly Channel[];
  readonly grants: Grants;
  readonly blocks: readonly Block[];
  /** The newest event of the user's own log that is in it. */
  readonly own_seq: number;
  readonly cursor: string;
}

export interface MessagePage {
  readonly messages: readonly Message[];
  readonly has_before: boolean;
  readonly has_after: boolean;
}
