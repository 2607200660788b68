/** What a user is invited to and has not answered, as the SDK knows it. Knows nothing of pages and elements. */
const AGAIN_AFTER = 2000;

export class Invites {
  #asked = false;

  constructor(client, rest, changed) {
    Object.assign(this, { client, rest, changed });
    /** Channels whose invite is being answered. */
    this.answering = new Set();
  }

  /** The latest first. */
  pending() {
    const open = Object.values(this.client.state.invites).filter(Boolean);
    return open.sort((a, b) => (a.changed_at < b.changed_at ? 1 : -1));
  }

  /** Have them read, once: from then on events tell. `wanted()`: whether to go on asking when it fails. */
  async load(wanted) {
    if (this.#asked) return;
    this.#asked = true;
    try {
      await this.client.loadInvites();
    } catch {
      this.#asked = false;
      clearTimeout(this.again);
      this.again = setTimeout(() => wanted() && this.load(wanted), AGAIN_AFTER);
    }
  }

  /** Become a member. */
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
      await this.rest.call("POST", `/v1/invites/${channel}/${answer}`, {});
    } finally {
      this.answering.delete(channel);
      this.changed();
    }
  }
}
