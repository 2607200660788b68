/**
 * What edited messages said before, of those whose earlier versions are looked at: asked for when they are opened, and
 * again after another edit. Knows nothing of pages and elements.
 */
export class Versions {
  /** By message: `{asOf, list, failed}`; the list is null until it is known. */
  #open = new Map();

  constructor(rest, changed) {
    Object.assign(this, { rest, changed });
  }

  /** Open them, or close them. */
  toggle(message) {
    if (!this.close(message.id)) this.#ask(message);
  }

  /** Whether they were open. */
  close(id) {
    if (!this.#open.delete(id)) return false;
    this.changed();
    return true;
  }

  /** Null while nobody looks; else `{list: [{text, at, by, first}], failed}`, the latest first. */
  of(message) {
    const known = this.#open.get(message.id);
    if (known && known.asOf !== message.updated_at) this.#ask(message, known.list);
    return this.#open.get(message.id) ?? null;
  }

  async #ask(message, list = null) {
    const asked = { asOf: message.updated_at, list, failed: null };
    this.#open.set(message.id, asked);
    this.changed();
    try {
      const page = await this.rest.get(`/v1/messages/${message.id}/versions?limit=100`);
      asked.list = page.versions.map((version, index) => since(message, version, page.versions[index + 1]));
    } catch (error) {
      asked.failed = typeof error.code === "string" ? error.message : "The server does not answer.";
    }
    this.changed();
  }
}

/** The server says until when a message said something, and who changed it then: from when on it did is the one before. */
function since(message, version, before) {
  const { text, attachments } = version;
  if (before) return { text, attachments: attachments.length, at: before.edited_at, by: before.edited_by, first: false };
  return { text, attachments: attachments.length, at: message.created_at, by: message.user_id, first: true };
}
