/**
 * A user's channels as the list shows them: the newest message, what is unread, who types. Reduced from events; knows
 * nothing of pages and elements.
 */
const TYPES_FOR = 6000;

export class Channels {
  #entries = new Map();
  #early = new Map();

  constructor(me, hidden, changed) {
    Object.assign(this, { me, hidden, changed });
    this.loaded = false;
  }

  get(id) {
    return this.#entries.get(id);
  }

  get size() {
    return this.#entries.size;
  }

  get unread() {
    let sum = 0;
    for (const entry of this.#entries.values()) if (!muted(entry)) sum += entry.unread;
    return sum;
  }

  /** The newest first, pinned ones before; without what the user put away, or what it has archived alone. */
  sorted({ archived = false } = {}) {
    const wanted = ({ channel: { membership } }) => Boolean(membership?.archived_at) === archived && !membership?.hidden;
    const shown = [...this.#entries.values()].filter(wanted);
    return shown.sort((a, b) => (pin(a) ?? Infinity) - (pin(b) ?? Infinity) || (a.at < b.at ? 1 : -1));
  }

  /** A channel as the server says it is. */
  take(channel) {
    const known = this.#entries.get(channel.id);
    if (known && known.seq > channel.seq) return known;
    const entry = known ?? { id: channel.id, typing: new Map(), last: undefined, at: channel.created_at };
    Object.assign(entry, { channel, seq: channel.seq, lastNumber: channel.last_number });
    entry.readNumber = Math.max(entry.readNumber ?? 0, channel.membership?.read_number ?? 0, channel.truncated_number ?? 0);
    this.hidden.count(channel.id, channel.membership?.hidden_numbers);
    this.#entries.set(channel.id, entry);
    this.#count(entry);
    const early = this.#early.get(channel.id);
    this.#early.delete(channel.id);
    early?.forEach((again) => again());
    return entry;
  }

  /** The list is whole: what it has not, is not this user's. */
  complete() {
    this.loaded = true;
    this.#early.clear();
  }

  /** While the list is fetched: what is told of a channel that it does not hold yet is taken in when it comes. */
  #keep(id, again) {
    if (this.loaded) return;
    const early = this.#early.get(id);
    if (early) early.push(again);
    else this.#early.set(id, [again]);
  }

  /** These are all there are: what is not among them is gone. */
  only(channels) {
    const ids = new Set(channels.map((channel) => channel.id));
    for (const id of [...this.#entries.keys()]) if (!ids.has(id)) this.#drop(id);
    channels.forEach((channel) => this.take(channel));
  }

  drop(id) {
    if (this.#drop(id)) this.changed();
  }

  #drop(id) {
    this.hidden.forget(id);
    return this.#entries.delete(id);
  }

  /** The newest message of a channel, as asked for. */
  preview(id, message) {
    const entry = this.#entries.get(id);
    if (!entry || (entry.last && message && entry.last.seq > message.seq)) return;
    if (message && this.hidden.has(message.id)) return; // it was asked for before; the newest is asked for again
    entry.last = message;
    if (message && message.created_at > entry.at) entry.at = message.created_at;
    this.changed();
  }

  members(id, members) {
    const entry = this.#entries.get(id);
    if (!entry) return;
    entry.other = members.map((member) => member.user_id).find((user) => user !== this.me) ?? null;
    this.changed();
  }

  /** An event of a channel's log. */
  event(event) {
    const { type, seq, data, channel_id, at } = event;
    const entry = this.#entries.get(channel_id);
    if (!entry) return this.#keep(channel_id, () => this.event(event));
    if (seq <= entry.seq) return;
    entry.seq = seq;
    if (type === "channel.updated") entry.channel = { ...entry.channel, ...shared(data.channel) };
    if (type === "channel.deleted") return this.drop(channel_id);
    if (type === "member.added") entry.channel = { ...entry.channel, member_count: entry.channel.member_count + 1 };
    if (type === "member.removed") entry.channel = { ...entry.channel, member_count: entry.channel.member_count - 1 };
    if (type === "channel.truncated") this.#truncate(entry, data);
    const { message } = data;
    if (message && (!message.thread_id || message.also_in_channel)) this.#message(entry, type, message, at);
    this.changed();
  }

  /** What is older is gone, and unread to nobody. */
  #truncate(entry, { truncated_to, truncated_number }) {
    if (entry.last && entry.last.seq < truncated_to) entry.last = null;
    entry.readNumber = Math.max(entry.readNumber, truncated_number);
    this.#count(entry);
  }

  #message(entry, type, message, at) {
    if (type !== "message.created") {
      if (entry.last?.id === message.id) entry.last = message;
      return;
    }
    if (!message.hidden && !this.hidden.has(message.id)) Object.assign(entry, { last: message, at });
    entry.typing.delete(message.user_id);
    entry.lastNumber = Math.max(entry.lastNumber, message.number);
    if (message.user_id === this.me) entry.readNumber = Math.max(entry.readNumber, message.number);
    const { membership } = entry.channel;
    if (membership?.hidden && !message.silent) entry.channel = { ...entry.channel, membership: { ...membership, hidden: false } };
    this.#count(entry);
  }

  /** The user's position, from its own log or from an answer. */
  read(position) {
    const { channel_id, read_number, marked_unread } = position;
    const entry = this.#entries.get(channel_id);
    if (!entry) return this.#keep(channel_id, () => this.read(position));
    entry.readNumber = marked_unread ? read_number : Math.max(entry.readNumber, read_number);
    this.hidden.count(channel_id, position.hidden_numbers);
    this.#count(entry);
    this.changed();
  }

  /** The user has deleted a message for itself; the newest one that is left is to be looked up. */
  hid({ channel_id, message_id }) {
    const entry = this.#entries.get(channel_id);
    if (!entry) return;
    if (!entry.last || entry.last.id === message_id) Object.assign(entry, { last: undefined, looked: false });
    this.#count(entry);
    this.changed();
  }

  /** The user's membership is another one. */
  membership(id, fields) {
    const entry = this.#entries.get(id);
    if (!entry) return;
    const { capabilities, channel_id, ...own } = fields;
    entry.channel = { ...entry.channel, membership: { ...entry.channel.membership, ...own } };
    if (capabilities) entry.channel.capabilities = capabilities;
    if (entry.last && entry.last.seq < own.history_from) entry.last = null; // the user has cleared the channel
    this.changed();
  }

  /** Nobody is heard any more. */
  hush() {
    for (const entry of this.#entries.values()) for (const user of [...entry.typing.keys()]) this.typing(entry.id, user, false);
  }

  typing(id, user, on) {
    const entry = this.#entries.get(id);
    if (!entry || user === this.me) return;
    clearTimeout(entry.typing.get(user));
    entry.typing.delete(user);
    if (on) entry.typing.set(user, setTimeout(() => this.typing(id, user, false), TYPES_FOR));
    this.changed();
  }

  #count(entry) {
    entry.unread = this.hidden.unread(entry.id, entry.lastNumber, entry.readNumber);
  }
}

/** What everybody gets: the user's own part stays. */
function shared({ membership, capabilities, ...rest }) {
  return rest;
}

export function muted({ channel: { membership } }) {
  return Boolean(membership?.muted_at) && !(membership.muted_until && Date.parse(membership.muted_until) < Date.now());
}

function pin({ channel: { membership } }) {
  return membership?.pin_order ?? null;
}
