/** Messages, threads, reactions, pins. */
import type { ChannelDraft, Draft } from "../draft.js";
import type { Reducer } from "../reduce.js";
import { firstSeq } from "../selectors.js";
import type { ThreadPlace } from "../state.js";
import { atSeq, changedEach, type Timeline, withMessage } from "../timeline.js";
import type { Json, Message, Pin, Receipt } from "../types.js";
import { without } from "../record.js";

/** Characters of a message that quotes of it show. */
const QUOTED = 200;

export const MESSAGE_REDUCERS: Record<string, Reducer> = {
  "message.created": (draft, { data }) => {
    const message: Message = data.message;
    const channel = draft.channel(message.channel_id)!;
    const membership = channel.channel.membership;
    // It may have been read already, as it was later.
    const held = atSeq(channel.timeline, message.seq);
    if (membership !== null || channel.channel.history === "all") put(draft, channel, withOwn(message, held));
    threadChanged(channel, data.thread);
    stopTyping(channel, message);
    takePart(draft, message, data.thread);
    const news = message.number > channel.channel.last_number;
    const own = message.user_id === draft.now.user?.id && !message.silent;
    if (!news && !own) return;
    channel.channel = {
      ...channel.channel,
      last_number: Math.max(channel.channel.last_number, message.number),
      membership: membership && {
        ...membership,
        hidden: membership.hidden && !news,
        // Who sends has read what is before it.
        read_number: own ? Math.max(membership.read_number, message.number) : membership.read_number,
      },
    };
  },
  "message.updated": changed,
  "message.deleted": changed,
  "message.restored": changed,
  "reaction.added": reacted,
  "reaction.removed": reacted,
  "message.pinned": (draft, { channel_id, data }) => {
    const channel = draft.channel(channel_id!)!;
    if (channel.pins === null) return;
    const { membership, history } = channel.channel;
    if (membership === null && history !== "all") return;
    const held = atSeq(channel.timeline, data.message_seq);
    // Who catches up may know already that it is deleted.
    if (data.message_seq < firstSeq(channel) || held?.deleted_at || draft.now.hidden[data.message_id]) return;
    channel.pins = { ...channel.pins, [data.message_id]: { message: held, ...channel.pins[data.message_id], ...data } as Pin };
  },
  "message.unpinned": (draft, { channel_id, data }) => unpin(draft.channel(channel_id!)!, data.message_id),
};

/** What an event says of messages alone, again: for messages that were read meanwhile and may be older than the event. */
export function again(draft: Draft, event: Parameters<Reducer>[1]): void {
  const channel = event.channel_id === null ? undefined : draft.channel(event.channel_id);
  if (!channel) return;
  if (event.type === "message.created") threadChanged(channel, event.data.thread);
  else MESSAGE_REDUCERS[event.type]?.(draft, event);
}

/** Whether a message stands in the channel's history, not in a thread alone. */
export function inChannel(message: Message): boolean {
  return message.thread_id === undefined || message.also_in_channel === true;
}

/** Whether a message is one that the user may see. */
export function visible(draft: Draft, channel: ChannelDraft, message: Message): boolean {
  return !draft.now.hidden[message.id] && !message.hidden && message.seq >= firstSeq(channel);
}

/** A message as it is now, where it stands. One's own reactions are in no event about it. */
export function put(draft: Draft, channel: ChannelDraft, message: Message): void {
  if (draft.now.hidden[message.id] || message.hidden) return;
  quotes(channel, message);
  if (inChannel(message)) channel.timeline = withMessage(channel.timeline, message);
  const replies = message.thread_id === undefined ? undefined : channel.replies[message.thread_id];
  if (replies) channel.replies = { ...channel.replies, [message.thread_id!]: withMessage(replies, message) };
}

/** Note what a message quotes. A deleted one does not say it, until it is restored. */
export function quotes(channel: ChannelDraft, { quoted_id }: Message): void {
  if (quoted_id) channel.quoting = { ...channel.quoting, [quoted_id]: true };
}

/** Change the message at a place, wherever it is held. */
export function changeAt(channel: ChannelDraft, seq: number, change: (message: Message) => Message): void {
  const timeline = changedAt(channel.timeline, seq, change);
  if (timeline !== channel.timeline) channel.timeline = timeline;
  for (const [id, replies] of Object.entries(channel.replies)) {
    const next = changedAt(replies, seq, change);
    if (next !== replies) channel.replies = { ...channel.replies, [id]: next };
  }
}

function changedAt(timeline: Timeline, seq: number, change: (message: Message) => Message): Timeline {
  const held = atSeq(timeline, seq);
  const next = held && change(held);
  return next === held ? timeline : withMessage(timeline, next!);
}

/** Change every message that is held. */
export function changeAll(channel: ChannelDraft, change: (timeline: Timeline) => Timeline): void {
  channel.timeline = change(channel.timeline);
  channel.replies = Object.fromEntries(Object.entries(channel.replies).map(([id, each]) => [id, change(each)]));
}

function changed(draft: Draft, { type, channel_id, data }: Parameters<Reducer>[1]): void {
  const message: Message = data.message;
  const channel = draft.channel(channel_id!)!;
  // What is not held is on a page that was not read, or was deleted for oneself.
  // A deletion takes reactions and the pin away for good, whatever the message is like by now.
  changeAt(channel, message.seq, (held) => (type === "message.updated" ? withOwn(message, held) : message));
  quotes(channel, message);
  // What it says is left out for whoever has hidden it, but not of its quotes; and what is before a cut is not quoted.
  if (channel.quoting[message.id] && message.seq >= firstSeq(channel) && (!message.hidden || message.deleted_at)) requote(channel, message);
  if (channel.pins?.[message.id]) channel.pins = { ...channel.pins, [message.id]: { ...channel.pins[message.id]!, message } };
  threadChanged(channel, data.thread);
  if (type === "message.deleted" || message.deleted_at !== null) unpin(channel, message.id);
}

/** With the user's own reactions as they are known: no event about a message tells of them. */
function withOwn(message: Message, held: Message | undefined): Message {
  return message.reactions && held?.own_reactions ? { ...message, own_reactions: held.own_reactions } : message;
}

/** Whatever quotes a message shows it small, as it is now. */
function requote(channel: ChannelDraft, message: Message): void {
  const quoted = {
    id: message.id,
    seq: message.seq,
    user_id: message.user_id,
    text: [...message.text].slice(0, QUOTED).join(""),
    attachment_count: message.attachments.length,
    deleted: message.deleted_at !== null,
  };
  changeAll(channel, (timeline) =>
    changedEach(timeline, (each) => (each.quoted_id === message.id ? { ...each, quoted } : each)),
  );
}

/** A reply tells how its thread is now; the message that it hangs on shows it. */
function threadChanged(channel: ChannelDraft, thread: Json | undefined): void {
  if (!thread) return;
  const fields = {
    reply_count: thread.reply_count,
    last_reply_at: thread.last_reply_at,
    thread_participants: thread.participants,
    thread_participant_count: thread.participant_count,
  } as Partial<Message>;
  changeAt(channel, thread.seq as number, (held) => (held.id === thread.id ? { ...held, ...fields } : held));
}

/** A reply brings whoever began its thread into it, whoever wrote it, and whom it mentions. */
function takePart(draft: Draft, message: Message, thread: Json | undefined): void {
  const me = draft.now.user?.id;
  if (!thread || me === undefined) return;
  const id = thread.id as string;
  const reply = message.reply_number ?? 0;
  const known = draft.now.threads[id];
  let read: number;
  if (known) read = known.read_number;
  else if (me === thread.user_id) read = 0;
  else if (me === message.user_id || message.mentions?.users?.includes(me)) read = reply - 1;
  else return;
  const place: ThreadPlace = {
    channel_id: message.channel_id,
    seq: thread.seq as number,
    read_number: message.user_id === me ? Math.max(read, reply) : read,
    last_number: Math.max(known?.last_number ?? 0, thread.last_number as number),
    hidden: known?.hidden ?? [],
  };
  draft.set({ threads: { ...draft.now.threads, [id]: place } });
}

function reacted(draft: Draft, { type, channel_id, data }: Parameters<Reducer>[1]): void {
  const me = draft.now.user?.id;
  changeAt(draft.channel(channel_id!)!, data.message_seq, (held) => {
    if (held.deleted_at !== null) return held;
    let own = held.own_reactions ?? [];
    if (data.user_id === me) {
      const again = type === "reaction.added" && own.includes(data.emoji);
      own = own.filter((each) => (again && each === data.emoji) || !(each === data.emoji || data.replaced?.includes(each)));
      if (type === "reaction.added" && !again) own = [...own, data.emoji];
    }
    const { reactions: _, own_reactions: __, ...bare } = held;
    return Object.keys(data.reactions).length > 0 ? { ...bare, reactions: data.reactions, own_reactions: own } : bare;
  });
}

function unpin(channel: ChannelDraft, message_id: string): void {
  if (channel.pins) channel.pins = without(channel.pins, message_id);
}

/** What is before a place is pinned no more. */
export function unpinBefore(channel: ChannelDraft, seq: number): void {
  if (channel.pins === null) return;
  channel.pins = Object.fromEntries(Object.entries(channel.pins).filter(([, pin]) => pin.message_seq >= seq));
}

function stopTyping(channel: ChannelDraft, message: Message): void {
  channel.typing = without(channel.typing, `${message.user_id}/${message.thread_id ?? ""}`);
}

/** Who sends has read what is before it, without a word. */
export function wrote(draft: Draft, message: Message): void {
  const place = message.user_id === null ? undefined : draft.now.channels[message.channel_id]?.receipts?.[message.user_id];
  if (!place || place.read_number === null || message.silent) return;
  const channel = draft.channel(message.channel_id)!;
  const read_number = Math.max(place.read_number, message.number);
  channel.receipts = { ...channel.receipts, [message.user_id!]: readIsDelivered({ ...place, read_number }) };
}

/** What was read was delivered, without a word. */
export function readIsDelivered(place: Receipt): Receipt {
  const { read_number, delivered_number } = place;
  if (read_number === null || delivered_number === null || read_number <= delivered_number) return place;
  return { read_number, delivered_number: read_number };
}

