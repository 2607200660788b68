/** Channels and who is in them. */
import type { ChannelDraft, Draft } from "../draft.js";
import type { Reducer } from "../reduce.js";
import { enteredChannel } from "../state.js";
import { changedEach, liveFrom, onlyThose } from "../timeline.js";
import type { Channel, Member } from "../types.js";
import { changeAll, unpinBefore } from "./messages.js";
import { without } from "../record.js";

const nothing: Reducer = () => {};

export const CHANNEL_REDUCERS: Record<string, Reducer> = {
  "channel.created": nothing,
  "event.skipped": nothing,
  "channel.updated": (draft, { channel_id, data }) => {
    const channel = draft.channel(channel_id!)!;
    const before = channel.channel;
    // What depends on who looks is the reader's own.
    const own = { membership: before.membership, capabilities: before.capabilities };
    channel.channel = { ...before, ...(data.channel as Channel), ...own };
    if (own.membership === null && channel.channel.history !== before.history) {
      // Who only watches sees what is stored, or nothing of it.
      Object.assign(channel, { timeline: liveFrom(channel.applied + 1), replies: {}, loaded: false, pins: null });
    }
  },
  "channel.truncated": (draft, { channel_id, data }) => {
    const channel = draft.channel(channel_id!)!;
    const { truncated_to, truncated_number } = data;
    channel.channel = { ...channel.channel, truncated_to, truncated_number };
    cut(channel, truncated_to);
  },
  "channel.deleted": (draft, { data }) => leave(draft, data.channel_id),
  "member.added": (draft, { channel_id, data }) => {
    const channel = draft.channel(channel_id!)!;
    countMembers(channel, 1);
    remember(channel, data as Member);
    // Where a newcomer is, the first event about it tells.
    if (channel.receipts) channel.receipts = { ...channel.receipts, [data.user_id]: { read_number: null, delivered_number: null } };
  },
  "member.updated": (draft, { channel_id, data }) => remember(draft.channel(channel_id!)!, data as Member),
  "member.removed": (draft, { channel_id, data }) => {
    const channel = draft.channel(channel_id!)!;
    countMembers(channel, -1);
    forget(channel, data.user_id);
    if (channel.receipts) channel.receipts = without(channel.receipts, data.user_id);
  },
};

/** What an event says of members alone, again: for members that were read meanwhile. */
export function membersAgain(channel: ChannelDraft, event: Parameters<Reducer>[1]): void {
  if (event.type === "member.added" || event.type === "member.updated") remember(channel, event.data as Member);
  if (event.type === "member.removed") forget(channel, event.data.user_id);
}

/** A channel that the user becomes a member of, or watches, as of its `seq`. */
export function enter(draft: Draft, channel: Channel): void {
  draft.put(channel.id, enteredChannel(channel));
}

/** A channel that is not the user's any more. Nothing of it is kept: whoever comes back sees all. */
export function leave(draft: Draft, id: string): void {
  draft.remove(id);
  const hidden = Object.entries(draft.now.hidden).filter(([, channel]) => channel !== id);
  const threads = Object.entries(draft.now.threads).map(([thread, place]) =>
    [thread, place.channel_id === id ? { ...place, hidden: [] } : place] as const);
  draft.set({ hidden: Object.fromEntries(hidden), threads: Object.fromEntries(threads), gaps: without(draft.now.gaps, id) });
}

/** Take away what is before a place, out of quotes too. */
export function cut(channel: ChannelDraft, seq: number): void {
  changeAll(channel, (timeline) =>
    changedEach(onlyThose(timeline, (message) => message.seq >= seq), (message) => {
      if (!message.quoted || message.quoted.seq >= seq) return message;
      const { quoted: _, ...rest } = message;
      return rest;
    }),
  );
  unpinBefore(channel, seq);
}

function countMembers(channel: ChannelDraft, by: number): void {
  channel.channel = { ...channel.channel, member_count: channel.channel.member_count + by };
}

function remember(channel: ChannelDraft, member: Member): void {
  channel.members = { ...channel.members, [member.user_id]: member };
}

function forget(channel: ChannelDraft, user_id: string): void {
  channel.members = without(channel.members, user_id);
}
