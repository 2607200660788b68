/**
 * What the page asks of the portal: short-lived tokens for the two users, and whether the demo can work at all.
 *
 * The portal's answer to a problem is this very page, which explains it; so on any problem the page loads again. Drafts
 * and unsent messages are kept in the browser and survive that.
 */
const MARGIN = 30_000;
const RELOAD_AT_MOST_EVERY = 60_000;

/** Why there is no session. `code` is `signed_out`, `portal_away` or `portal_refused`. */
export class NoSession extends Error {
  constructor(code, message = "") {
    super(message);
    this.code = code;
  }
}

export class Portal {
  #session = null;
  #asking = null;

  constructor({ sessionUrl, conversationUrl, csrf, node }) {
    Object.assign(this, { sessionUrl, conversationUrl, csrf, node });
  }

  /** `{token}` of a user, good for half a minute at least. */
  async get(user) {
    const fresh = this.#session && Date.parse(this.#session.expires_at) - Date.now() > MARGIN;
    if (!fresh) this.#session = await this.ask();
    return { token: this.#session.tokens[user] };
  }

  forget() {
    this.#session = null;
  }

  /** A new session; callers at the same moment share one. */
  ask() {
    this.#asking ??= this.#fetch().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #fetch() {
    const headers = { "x-csrf-token": this.csrf, accept: "application/json" };
    const body = new URLSearchParams({ node: this.node });
    const answer = await fetch(this.sessionUrl, { method: "POST", headers, body }).catch(() => ({ status: 503 }));
    if (answer.status === 401) throw new NoSession("signed_out");
    if (answer.status >= 500) throw new NoSession("portal_away");
    if (!answer.ok) {
      this.#reload();
      throw new NoSession("portal_refused", `The portal gives no tokens now (${answer.status}). Load the page again.`);
    }
    const session = await answer.json();
    if (session.node !== this.node) this.#reload();
    return session;
  }

  /**
   * Have the two users begin to talk in an empty channel. The portal does it over the API, as an app's server would. Throws
   * what it, or the node, has against it.
   */
  async begin(channel) {
    const headers = { "x-csrf-token": this.csrf, accept: "application/json" };
    const body = new URLSearchParams({ channel });
    const answer = await fetch(this.conversationUrl, { method: "POST", headers, body }).catch(() => null);
    if (answer?.ok) return;
    const problem = await answer?.json().catch(() => null);
    throw new NoSession(problem?.code ?? "not_begun", problem?.detail ?? "The portal does not answer.");
  }

  #reload() {
    const last = Number(sessionStorage.getItem("natter.demo.reloaded") ?? 0);
    if (Date.now() - last < RELOAD_AT_MOST_EVERY) return;
    sessionStorage.setItem("natter.demo.reloaded", String(Date.now()));
    location.reload();
  }
}
