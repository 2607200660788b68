/**
 * What a channel has pinned, as one user sees it: read once with the channel's history, from then on told by events.
 * When a pin ends, or its message goes, no event of the pin's own says so. Knows nothing of pages and elements.
 */
const LONGEST_WAIT = 2 ** 31 - 1;

export class Pins {
  /** By message: `{message_id, message_seq, pinned_by, pinned_at, expires_at, message}`; the last null until known. */
  #pins = new Map();
  #ending = null;

  constructor(changed) {
    this.changed = changed;
  }

  /** The list as the server has it. */
  open(pins) {
    this.#pins = new Map(pins.map((pin) => [pin.message_id, pin]));
    this.#await();
  }

  /** The list was read once more: what is pinned, events have said; their messages may have been missing. What is not in
   * it has ended, or its message is one that this user has deleted for itself. */
  learn(pins) {
    const listed = new Map(pins.map((pin) => [pin.message_id, pin]));
    for (const pin of this.#pins.values()) {
      if (pin.message) continue;
      if (listed.has(pin.message_id)) pin.message = listed.get(pin.message_id).message;
      else this.#pins.delete(pin.message_id);
    }
  }

  /** Its message is out of sight. */
  drop(id) {
    if (this.#pins.delete(id)) this.#await();
  }

  /** Whether the message of a pin is not known. */
  get lacking() {
    return this.all().some((pin) => !pin.message);
  }

  get(id) {
    const pin = this.#pins.get(id);
    return pin && runs(pin) ? pin : null;
  }

  /** What is pinned now, the latest pin first. */
  all() {
    return [...this.#pins.values()].filter(runs).sort((a, b) => later(a, b));
  }

  /** An event of the channel's log; `messages` are those at hand, by id. */
  event({ type, data }, messages) {
    const { message, message_id } = data;
    if (type === "message.pinned") this.#pins.set(message_id, { ...data, message: messages.get(message_id) ?? null });
    else if (type === "message.unpinned") this.#pins.delete(message_id);
    else if (type === "message.deleted") this.#pins.delete(message.id);
    else if (type === "message.updated" && this.#pins.has(message.id)) this.#pins.get(message.id).message = message;
    else if (type === "channel.truncated") this.cut(data.truncated_to);
    else return;
    this.#await();
  }

  /** Older messages are out of sight. */
  cut(from) {
    for (const [id, pin] of this.#pins) if (pin.message_seq < from) this.#pins.delete(id);
    this.#await();
  }

  /** Tell when the next one ends. */
  #await() {
    clearTimeout(this.#ending);
    const ends = this.all().filter((pin) => pin.expires_at).map((pin) => Date.parse(pin.expires_at));
    if (!ends.length) return;
    this.#ending = setTimeout(
      () => {
        this.#await();
        this.changed();
      },
      Math.min(Math.min(...ends) - Date.now() + 1, LONGEST_WAIT),
    );
  }
}

function runs({ expires_at }) {
  return !expires_at || Date.parse(expires_at) > Date.now();
}

function later(a, b) {
  if (a.pinned_at !== b.pinned_at) return a.pinned_at < b.pinned_at ? 1 : -1;
  return b.message_seq - a.message_seq;
}
