/**
 * What a user is invited to and has not answered: read once the connection stands, from then on told by events. Knows
 * nothing of pages and elements.
 */
const AGAIN_AFTER = 2000;

export class Invites {
  /** By channel: the invite, or null for one that is over. */
  #known = new Map();
  /** What events have said while the list is being asked for: it is newer, or the same. */
  #said = new Map();
  #asking = false;

  constructor(rest, changed) {
    Object.assign(this, { rest, changed });
    this.loaded = false;
    /** Channels whose invite is being answered. */
    this.answering = new Set();
  }

  /** The latest first. */
  pending() {
    const open = [...this.#known.values()].filter(Boolean);
    return open.sort((a, b) => (a.changed_at < b.changed_at ? 1 : -1));
  }

  /** `wanted()`: whether to go on asking when it fails. */
  async load(wanted) {
    if (this.#asking) return;
    this.#asking = true;
    this.#said = new Map();
    try {
      const { invites } = await this.rest.get("/v1/invites?limit=100");
      this.#known = new Map([...invites.map((invite) => [invite.channel.id, invite]), ...this.#said]);
      this.loaded = true;
      this.changed();
    } catch {
      clearTimeout(this.again);
      this.again = setTimeout(() => wanted() && this.load(wanted), AGAIN_AFTER);
    } finally {
      this.#asking = false;
    }
  }

  /** `invite.changed`. */
  told(invite) {
    this.#say(invite.channel.id, invite.state === "pending" ? invite : null);
  }

  /** Whoever has become a member, in whatever way, is asked no more. */
  joined(channel) {
    this.#say(channel, null);
  }

  #say(channel, invite) {
    for (const kept of [this.#known, this.#said]) kept.set(channel, invite);
    this.changed();
  }

  /** Become a member, and get the channel. */
  accept(channel) {
    return this.#answer(channel, "accept");
  }

  reject(channel) {
    return this.#answer(channel, "reject");
  }

  async #answer(channel, answer) {
    this.answering.add(channel);
    this.changed();
    try {
      const made = await this.rest.call("POST", `/v1/invites/${channel}/${answer}`, {});
      this.joined(channel);
      return made;
    } finally {
      this.answering.delete(channel);
      this.changed();
    }
  }
}
