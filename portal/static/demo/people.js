/** Who people are, and where, as the SDK knows it: names are asked for in batches when they are first needed. */
const TOGETHER = 30;
const BATCH = 100;

export class People {
  #profiles = new Map();
  #wanted = new Set();
  #timer = null;

  constructor(client, changed) {
    Object.assign(this, { client, changed });
  }

  /** What to call somebody now; the id until the name is known. */
  name(id) {
    if (!this.#profiles.has(id)) this.#want(id);
    return this.#profiles.get(id)?.name || id;
  }

  presence(id) {
    return this.client.state.presence[id] ?? null;
  }

  /** A profile, as the server says it. */
  learn(user) {
    this.#profiles.set(user.id, user);
    this.changed();
  }

  #want(id) {
    this.#wanted.add(id);
    this.#timer ??= setTimeout(() => this.#ask(), TOGETHER);
  }

  async #ask() {
    const ids = [...this.#wanted].slice(0, BATCH);
    ids.forEach((id) => {
      this.#wanted.delete(id);
      this.#profiles.set(id, null); // asked once
    });
    this.#timer = this.#wanted.size ? setTimeout(() => this.#ask(), TOGETHER) : null;
    try {
      const { users } = await this.client.request("POST", "/v1/users/query", { filter: { id: { $in: ids } }, limit: BATCH });
      users.forEach((user) => this.#profiles.set(user.id, user));
      this.changed();
    } catch {
      ids.forEach((id) => this.#profiles.delete(id)); // asked again when it is drawn again
    }
  }
}
