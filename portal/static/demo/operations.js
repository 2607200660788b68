/**
 * What a user did and the server has not acknowledged, in all channels, oldest first: the SDK's outbox, in the words of
 * what is drawn: `{kind, id, channel, thread, text, emoji, with, at, tried, error}`, `kind` being one of
 * `send|edit|delete|restore|hide|react|unreact`. `with` is whatever else a send says.
 */
export class Operations {
  #made = [];
  #of = null;

  constructor(client) {
    this.client = client;
  }

  get all() {
    const { outbox } = this.client.state;
    if (outbox !== this.#of) [this.#of, this.#made] = [outbox, outbox.map(drawn)];
    return this.#made;
  }

  // -- what is refused is told by the client's `refused`, so nobody waits here ------------------------------------------

  send(channel, draft) {
    this.client.send(channel, draft).catch(() => {});
  }

  edit(ref, text) {
    this.client.edit(ref, { text }).catch(() => {});
  }

  /** For everybody; what was not sent yet is given up. */
  remove(ref) {
    this.client.delete(ref).catch(() => {});
  }

  /** Delete it for this user alone. */
  hide(ref) {
    this.client.hide(ref).catch(() => {});
  }

  restore(ref) {
    this.client.restore(ref).catch(() => {});
  }

  react(ref, emoji, on) {
    this.client[on ? "react" : "unreact"](ref, emoji).catch(() => {});
  }

  /** Try what was refused once more, with the same id. */
  retry(ref) {
    this.client.retry(ref).catch(() => {});
  }
}

function drawn({ act, channel_id: channel, message_id: id, thread_id: thread, at, tries, error }) {
  const { text = "", ...more } = act.draft ?? act.edit ?? {};
  return { kind: act.kind, id, channel, thread, text, with: more, emoji: act.emoji, at, tried: tries > 0, error };
}
