/**
 * A guest's tokens: made with the publishable key alone, and kept in the browser, because whoever comes without them is
 * another guest.
 */
import { NoSession } from "./portal.js";

const MARGIN = 30_000;
const TOLD_WITHIN = 10_000;
const AGAIN_AFTER = 500;

export class Visitor {
  #stale = false;
  #asking = null;

  constructor({ app, node, key }) {
    Object.assign(this, { node, key, place: `natter.demo.${app}.guest` });
    this.known = this.#kept();
  }

  /** Become a guest. A node that has not heard yet that the app lets guests in is asked again for a while. */
  async enter(name) {
    const until = Date.now() + TOLD_WITHIN;
    for (;;) {
      const { status, data } = await this.#post("/v1/guests", { key: this.key, ...(name && { name }) });
      if (status < 300) return this.#keep({ ...data, name: data.user.name });
      if (data.code !== "guests_off" || Date.now() > until) throw new NoSession(data.code, data.detail);
      await new Promise((wake) => setTimeout(wake, AGAIN_AFTER));
    }
  }

  /** `{token}`, good for half a minute at least. */
  async get() {
    const fresh = !this.#stale && Date.parse(this.known.expires_at) - Date.now() > MARGIN;
    if (!fresh) this.#asking ??= this.#renew().finally(() => (this.#asking = null));
    await this.#asking;
    return { token: this.known.access_token };
  }

  /** The access token does not do any more. */
  forget() {
    this.#stale = true;
  }

  leave() {
    this.known = null;
    attempt(() => localStorage.removeItem(this.place));
  }

  async #renew() {
    // Another tab may have renewed them: its pair is the newer one.
    const { refresh_token } = this.#kept() ?? this.known;
    const { status, data } = await this.#post("/v1/tokens/refresh", { refresh_token }).catch(() => ({ status: 503 }));
    if (status >= 500) throw new NoSession("portal_away");
    if (status >= 400) throw new NoSession("guest_over", "This guest's tokens have ended. Leave, and come in as another.");
    this.#keep({ ...data, name: this.known.name });
  }

  async #post(path, body) {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(this.node + path, { method: "POST", headers, body: JSON.stringify(body) });
    return { status: answer.status, data: await answer.json() };
  }

  #keep({ user_id, name, access_token, expires_at, refresh_token }) {
    this.known = { user_id, name, access_token, expires_at, refresh_token };
    this.#stale = false;
    attempt(() => localStorage.setItem(this.place, JSON.stringify(this.known)));
    return this.known;
  }

  #kept() {
    const kept = attempt(() => JSON.parse(localStorage.getItem(this.place)));
    return kept?.refresh_token ? kept : null;
  }
}

function attempt(action) {
  try {
    return action();
  } catch {
    return undefined;
  }
}
