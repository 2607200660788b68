/**
 * What a user has deleted for itself, on any of its devices. Events go on telling of such messages, so whoever keeps
 * messages asks here first; and they are unread no more. Known for as long as the channel is.
 */
export class Hidden {
  /** Channel by message. */
  #messages = new Map();
  /** Numbers of messages that count no more, by channel. A set: two logs tell of them, in either order. */
  #numbers = new Map();

  has(id) {
    return this.#messages.has(id);
  }

  /** As `message.hidden` tells, and the answer to `message.hide`. */
  add({ channel_id, message_id, number }) {
    this.#messages.set(message_id, channel_id);
    if (number !== null) this.count(channel_id, [number]);
  }

  /** As a membership or a read position says. */
  count(channel, numbers = []) {
    if (!numbers.length) return;
    const known = this.#numbers.get(channel) ?? new Set();
    numbers.forEach((number) => known.add(number));
    this.#numbers.set(channel, known);
  }

  /** How many of a channel's messages are unread, from its last number and the one that was read. */
  unread(channel, last, read) {
    const known = [...(this.#numbers.get(channel) ?? [])];
    return Math.max(0, last - read - known.filter((number) => number > read && number <= last).length);
  }

  /** Whoever leaves a channel and comes back sees all again. */
  forget(channel) {
    this.#numbers.delete(channel);
    for (const [id, of] of this.#messages) if (of === channel) this.#messages.delete(id);
  }
}
