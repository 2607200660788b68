/**
 * A user's channels as the list shows them: what the SDK knows of them, and what it leaves to those who want it, which is
 * the newest message of channels that were not opened, and whom a direct one is with. Knows nothing of pages and elements.
 */
import { channelOf, messagesIn, typingIn, unreadOf } from "../vendor/natter.js";

export class Channels {
  /** By channel: `{preview, other, looked}`; `preview` is undefined until it is known, null for none. */
  #more = new Map();

  constructor(me, client) {
    Object.assign(this, { me, client });
  }

  get loaded() {
    return this.client.state.cursor !== null;
  }

  /** `{id, channel, unread, last, at, typing, other}` of a channel that the user is a member of. */
  get(id) {
    const channel = channelOf(this.client.state, id);
    if (!channel?.membership) return undefined;
    const last = this.#last(channel);
    const typing = typingIn(this.client.state, id).map(({ user_id }) => user_id).filter((user) => user !== this.me);
    const { unread } = channel.membership;
    return { id, channel, unread, last, at: last?.created_at ?? channel.created_at, typing, other: this.more(id).other };
  }

  more(id) {
    if (!this.#more.has(id)) this.#more.set(id, {});
    return this.#more.get(id);
  }

  get unread() {
    return unreadOf(this.client.state).total;
  }

  /** The newest first, pinned ones before; without what the user put away, or what it has archived alone. */
  sorted({ archived = false } = {}) {
    const all = Object.keys(this.client.state.channels).map((id) => this.get(id)).filter(Boolean);
    const shown = all.filter(({ channel: { membership } }) => Boolean(membership.archived_at) === archived && !membership.hidden);
    return shown.sort((a, b) => (pin(a) ?? Infinity) - (pin(b) ?? Infinity) || (a.at < b.at ? 1 : -1));
  }

  /** The newest message of a channel, as asked for. */
  preview(id, message) {
    this.more(id).preview = message;
  }

  members(id, members) {
    this.more(id).other = members.map((member) => member.user_id).find((user) => user !== this.me) ?? null;
  }

  /** An event of a channel's log: what was asked for is another one now. */
  event({ channel_id, data: { message } }) {
    const more = this.#more.get(channel_id);
    if (more?.preview && more.preview.id === message?.id) more.preview = message;
  }

  /** All begins anew, or a channel does: what was asked for is asked for again. */
  forget(id) {
    if (id) this.#more.delete(id);
    else this.#more.clear();
  }

  /** What events have brought is newer than what was asked for. */
  #last({ id, truncated_to, membership: { history_from } }) {
    const { state } = this.client;
    const told = messagesIn(state, id).findLast((message) => message.seq < Number.MAX_SAFE_INTEGER);
    if (told) return told;
    const more = this.more(id);
    if (more.preview && state.hidden[more.preview.id]) Object.assign(more, { preview: undefined, looked: false });
    if (more.preview && more.preview.seq < Math.max(truncated_to, history_from)) more.preview = null;
    return more.preview;
  }
}

export function muted({ channel: { membership } }) {
  return Boolean(membership?.muted_at) && !(membership.muted_until && Date.parse(membership.muted_until) < Date.now());
}

function pin({ channel: { membership } }) {
  return membership.pin_order;
}
