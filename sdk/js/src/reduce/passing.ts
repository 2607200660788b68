/** What passes by and is in no log: kept for as long as the connection stands. */
import type { Reducer } from "../reduce.js";
import type { Presence } from "../types.js";
import { readIsDelivered } from "./messages.js";
import { without } from "../record.js";

export const PASSING_REDUCERS: Record<string, Reducer> = {
  "presence.changed": (draft, { data }) => {
    const { user_id, ...presence } = data;
    draft.set({ presence: { ...draft.now.presence, [user_id]: presence as Presence } });
  },
  "presence.counted": (draft, { channel_id, data }) => {
    const channel = draft.channel(channel_id!);
    if (channel) channel.onlineCount = data.online_count;
  },
  "watchers.changed": (draft, { channel_id, data }) => {
    const channel = draft.channel(channel_id!);
    if (channel) channel.watchers = data;
  },
  "profile.changed": (draft, { data: { user } }) => draft.set({ users: { ...draft.now.users, [user.id]: user } }),
  "typing.started": (draft, { channel_id, data }) => {
    const channel = draft.channel(channel_id!);
    if (channel) channel.typing = { ...channel.typing, [key(data)]: { user_id: data.user_id, thread_id: data.thread_id } };
  },
  "typing.stopped": (draft, { channel_id, data }) => {
    const channel = draft.channel(channel_id!);
    if (channel) channel.typing = without(channel.typing, key(data));
  },
  "typing.counted": (draft, { channel_id, data }) => {
    const channel = draft.channel(channel_id!);
    if (channel) channel.typingCount = data.count;
  },
  "receipts.read": receipts,
  "receipts.delivered": receipts,
};

function receipts(draft: Parameters<Reducer>[0], { type, channel_id, data }: Parameters<Reducer>[1]): void {
  if (!draft.now.channels[channel_id!]?.receipts) return;
  const channel = draft.channel(channel_id!)!;
  const name = type === "receipts.read" ? "read_number" : "delivered_number";
  const kept = { ...channel.receipts };
  for (const { user_id, number, exact } of data.positions) {
    const place = kept[user_id] ?? { read_number: null, delivered_number: null };
    const known = place[name];
    kept[user_id] = readIsDelivered({ ...place, [name]: exact || known === null ? number : Math.max(known, number) });
  }
  channel.receipts = kept;
}

function key({ user_id, thread_id }: { user_id: string; thread_id: string | null }): string {
  return `${user_id}/${thread_id ?? ""}`;
}
