/** What a user does and the server has yet to acknowledge. Each may be repeated: its id makes the repetition harmless. */
import type { Json, Mentions, Message } from "./types.js";

export interface Draft {
  readonly text?: string;
  readonly attachments?: readonly Json[];
  readonly custom?: Json;
  readonly silent?: boolean;
  readonly thread_id?: string;
  readonly also_in_channel?: boolean;
  readonly quoted_id?: string;
  readonly mentions?: Mentions;
}

export interface Edit {
  readonly text?: string;
  readonly attachments?: readonly Json[];
  readonly custom?: Json;
  readonly set?: Json;
  readonly unset?: readonly string[];
}

export type Act =
  | { readonly kind: "send"; readonly draft: Draft }
  | { readonly kind: "edit"; readonly edit: Edit }
  | { readonly kind: "delete"; readonly hard: boolean }
  | { readonly kind: "restore" }
  | { readonly kind: "hide" }
  | { readonly kind: "react"; readonly emoji: string; readonly unique: boolean }
  | { readonly kind: "unreact"; readonly emoji: string };

export interface Operation {
  /** Sorts in the order in which things were done. */
  readonly key: string;
  readonly channel_id: string;
  readonly message_id: string;
  readonly thread_id: string | null;
  readonly act: Act;
  /** When it was done, by the client's clock. */
  readonly at: string;
  /** Attempts begun. From the first on the server may know of it. */
  readonly tries: number;
  /** Why the server refused a send; it is not tried again unless the user asks for it. */
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** The event that does it, and its payload. */
export function callOf({ act, channel_id, message_id }: Operation): [event: string, payload: Json] {
  switch (act.kind) {
    case "send":
      return ["message.send", { id: message_id, channel_id, ...act.draft }];
    case "edit":
      return ["message.update", { id: message_id, ...act.edit }];
    case "delete":
      return ["message.delete", { id: message_id, hard: act.hard }];
    case "restore":
      return ["message.restore", { id: message_id }];
    case "hide":
      return ["message.hide", { id: message_id }];
    case "react":
      return ["reaction.add", { message_id, emoji: act.emoji, unique: act.unique }];
    case "unreact":
      return ["reaction.remove", { message_id, emoji: act.emoji }];
  }
}

/** A message as it will look once the operation is done; null when it is not shown any more. */
export function afterwards(message: Message, { act }: Operation): Message | null {
  switch (act.kind) {
    case "edit": {
      const { set, unset, ...fields } = act.edit;
      const custom = { ...(fields.custom ?? message.custom), ...set };
      for (const name of unset ?? []) delete custom[name];
      return { ...message, ...fields, custom };
    }
    case "delete":
      return { ...message, text: "", attachments: [], deleted_at: message.deleted_at ?? message.updated_at };
    case "hide":
      return null;
    case "react":
      return reacted(message, act.emoji, true, act.unique);
    case "unreact":
      return reacted(message, act.emoji, false, false);
    default:
      return message;
  }
}

function reacted(message: Message, emoji: string, on: boolean, unique: boolean): Message {
  const counts: Record<string, number> = { ...message.reactions };
  let own = [...(message.own_reactions ?? [])];
  const take = (each: string): void => {
    if (!own.includes(each)) return;
    own = own.filter((other) => other !== each);
    counts[each] = (counts[each] ?? 1) - 1;
    if (counts[each] <= 0) delete counts[each];
  };
  if (unique) own.filter((each) => each !== emoji).forEach(take);
  if (!on) take(emoji);
  else if (!own.includes(emoji)) {
    own.push(emoji);
    counts[emoji] = (counts[emoji] ?? 0) + 1;
  }
  return { ...message, reactions: counts, own_reactions: own };
}

/** A message that was not sent yet, as it will look. */
export function unsent(operation: Operation, draft: Draft, me: string): Message {
  const { message_id: id, channel_id, at } = operation;
  const { text = "", attachments = [], custom = {}, silent = false, ...rest } = draft;
  const times = { created_at: at, updated_at: at, deleted_at: null };
  return { id, channel_id, number: 0, seq: Number.MAX_SAFE_INTEGER, user_id: me, text, attachments, custom, silent, ...times, ...rest };
}
