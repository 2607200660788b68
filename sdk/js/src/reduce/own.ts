/** The user's own log, and the app's. */
import type { Draft } from "../draft.js";
import type { Reducer } from "../reduce.js";
import type { ThreadPlace } from "../state.js";
import { onlyThose } from "../timeline.js";
import type { Membership, User } from "../types.js";
import { cut, enter, leave } from "./channels.js";
import { changeAll } from "./messages.js";
import { without } from "../record.js";

export const OWN_REDUCERS: Record<string, Reducer> = {
  "membership.added": (draft, { data }) => {
    enter(draft, data.channel);
    draft.set({ invites: { ...draft.now.invites, [data.channel.id]: null } });
  },
  "membership.updated": (draft, { data }) => member(draft, data.channel_id, () => ({ role: data.role })),
  "membership.arranged": (draft, { data }) => {
    const { channel_id, ...arranged } = data;
    member(draft, channel_id, () => arranged);
    const channel = draft.channel(channel_id);
    if (channel) cut(channel, arranged.history_from);
  },
  "membership.removed": (draft, { data }) => leave(draft, data.channel_id),
  "invite.changed": (draft, { data: { invite } }) => {
    const pending = invite.state === "pending" ? invite : null;
    draft.set({ invites: { ...draft.now.invites, [invite.channel.id]: pending } });
  },
  "unread.changed": (draft, { data }) =>
    member(draft, data.channel_id, ({ read_number, hidden_numbers }) => ({
      hidden_numbers: union(hidden_numbers, data.hidden_numbers),
      // Nothing but a mark takes it back; an own message, of the channel's log, may have moved it on before.
      read_number: data.marked_unread ? data.read_number : Math.max(read_number, data.read_number),
    })),
  "unread.cleared": (draft, { data }) => {
    for (const moved of data.channels) {
      member(draft, moved.channel_id, ({ read_number }) => ({ read_number: Math.max(read_number, moved.read_number) }));
    }
  },
  "message.hidden": (draft, { data }) => {
    if (!draft.now.channels[data.channel_id]?.channel.membership) return;
    draft.set({ hidden: { ...draft.now.hidden, [data.message_id]: data.channel_id } });
    const channel = draft.channel(data.channel_id)!;
    changeAll(channel, (timeline) => onlyThose(timeline, (message) => message.id !== data.message_id));
    if (channel.pins) channel.pins = without(channel.pins, data.message_id);
    if (data.number !== null) {
      member(draft, data.channel_id, ({ hidden_numbers }) => ({ hidden_numbers: union(hidden_numbers, [data.number]) }));
    }
    const place = draft.now.threads[data.thread_id];
    if (place) thread(draft, data.thread_id, { ...place, hidden: union(place.hidden, [data.reply_number]) });
  },
  "thread.changed": (draft, { data }) => {
    const known = draft.now.threads[data.thread_id];
    thread(draft, data.thread_id, {
      channel_id: data.channel_id,
      seq: known?.seq ?? null,
      read_number: Math.max(known?.read_number ?? 0, data.read_number),
      last_number: Math.max(known?.last_number ?? 0, data.last_number),
      hidden: known?.hidden ?? [],
    });
  },
  "grants.updated": (draft, { data }) => {
    const grants = { ...draft.now.grants };
    for (const [type, row] of Object.entries(data.types)) {
      if (row === null) delete grants[type];
      else grants[type] = row as Record<string, string[]>;
    }
    draft.set({ grants });
  },
  "user.updated": (draft, { data }) => {
    const { id, name, image, role, custom } = data.user as User;
    const user = { id, name, image, role, custom };
    draft.set({ user, users: { ...draft.now.users, [id]: user } });
  },
  "block.added": (draft, { data: { block } }) => draft.set({ blocks: { ...draft.now.blocks, [block.user_id]: block } }),
  "block.removed": (draft, { data }) => draft.set({ blocks: without(draft.now.blocks, data.user_id) }),
};

function member(draft: Draft, channel_id: string, change: (before: Membership) => Partial<Membership>): void {
  const channel = draft.channel(channel_id);
  const before = channel?.channel.membership;
  if (before) channel.channel = { ...channel.channel, membership: { ...before, ...change(before) } };
}

function thread(draft: Draft, id: string, place: ThreadPlace): void {
  draft.set({ threads: { ...draft.now.threads, [id]: place } });
}

function union(known: readonly number[] = [], more: readonly number[] = []): number[] {
  return [...new Set([...known, ...more])];
}
