/** One user: a store, a connection, and their place on the page. */
import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { Keep } from "./keep.js";
import { MessageList } from "./list.js";
import { Outbox } from "./outbox.js";
import { Rest } from "./rest.js";
import { statusOf } from "./status.js";
import { Store } from "./store.js";

const CAUGHT_UP_FOR = 5000;
const LOAD_AGAIN = 2000;

export class Pane {
  /** `page` has `node`, `key`, `app`, `usageUrl`, `portal`, `wire(line)`, `askPortal()`, `attends(pane)`. */
  constructor(root, page) {
    this.root = root;
    this.page = page;
    this.user = root.dataset.user;
    this.name = root.dataset.name;
    this.replaying = false;
    this.replayed = 0;
    this.caughtUp = null;
    this.trouble = null;
    const keep = new Keep(page.app, this.user);
    this.store = new Store(this.user, keep);
    this.rest = new Rest({ node: page.node, tokens: page.portal, user: this.user });
    this.connection = new Connection({
      url: page.node,
      key: page.key,
      user: this.user,
      tokens: page.portal,
      on: {
        state: () => this.draw(),
        ready: (data) => this.#ready(data),
        event: (event) => this.#event(event),
        wire: (...line) => this.#wire(...line),
        unreachable: () => page.askPortal(),
        refused: () => page.askPortal(),
      },
    });
  }

  /** Show what is kept in the browser; nothing has been asked of the network yet. */
  begin(channel) {
    this.channel = channel;
    this.outbox = new Outbox(this.store, this.connection, channel);
    this.list = new MessageList(this.root, this.store, {
      act: (verb, id, text) => this.#act(verb, id, text),
      older: () => this.#older(),
      moved: () => this.markRead(),
    });
    this.composer = new Composer(this.root, this.store.keep, {
      send: (text) => this.#send(text),
      editLast: () => this.list.editLast(),
    });
    this.#part("switch").addEventListener("click", () => this.#toggle());
    this.#part("again").addEventListener("click", () => this.page.hurry());
    this.store.subscribe(() => this.draw());
    this.draw();
  }

  /** Whether its user sees new messages as they come. */
  get reading() {
    return this.page.attends(this) && this.list.pinned && !this.replaying && this.store.loaded;
  }

  async markRead() {
    const { store, connection } = this;
    if (!this.reading || !store.unread || !connection.online || this.marking) return;
    this.marking = true;
    try {
      const position = { channel_id: this.channel.id, number: store.lastNumber };
      store.read(await connection.emit("receipt.read", position));
    } catch {
      // It stays unread; the next look or reconnect marks it.
    } finally {
      this.marking = false;
    }
  }

  /** Its user turned to the other pane or another window. */
  left() {
    if (!this.store.unread) this.store.clearNew();
  }

  draw() {
    if (!this.list) return;
    const { root, store, connection } = this;
    const status = statusOf(this);
    root.dataset.state = connection.state;
    root.dataset.tone = status.tone;
    this.#part("status").textContent = status.label;
    this.#part("bar").hidden = !status.bar;
    this.#part("bar-text").textContent = status.bar ?? "";
    this.#part("again").hidden = !status.again;
    const link = this.#part("bar-link");
    link.hidden = !status.link;
    if (status.link) [link.href, link.textContent] = [status.link.href, status.link.text];
    this.#part("switch").setAttribute("aria-checked", String(connection.state !== "off"));
    for (const badge of this.page.badges(this)) {
      badge.hidden = !store.unread;
      badge.querySelector("[data-part=count]").textContent = String(store.unread);
    }
    this.list.render();
    this.markRead();
  }

  // -- the connection --------------------------------------------------------------------------------------------------

  async #ready(data) {
    this.trouble = null;
    if (data.recovered) this.#beginReplay();
    if (data.recovered === false) this.store.opening();
    if (!data.user.name) this.rest.call("PATCH", "/v1/users/me", { name: this.name }).catch(() => {});
    if (this.store.incomplete) await this.#load();
    this.outbox.flush();
    this.draw();
  }

  /** Ask for the history; when that fails, again, for as long as the connection stands. */
  async #load() {
    this.store.opening();
    try {
      const found = await this.channel.load(this.rest);
      this.trouble = null;
      this.store.open(...found);
    } catch (error) {
      this.fail(error);
      clearTimeout(this.loading);
      this.loading = setTimeout(() => this.connection.online && this.store.incomplete && this.#load(), LOAD_AGAIN);
    }
  }

  /** What is replayed after a break is new to the user, even while this pane is looked at. */
  #beginReplay() {
    this.replaying = true;
    this.replayed = 0;
    setTimeout(() => this.#endReplay(), 400);
  }

  #endReplay() {
    this.replaying = false;
    this.caughtUp = this.replayed;
    clearTimeout(this.forgetting);
    this.forgetting = setTimeout(() => {
      this.caughtUp = null;
      this.draw();
    }, CAUGHT_UP_FOR);
    this.draw();
  }

  #event(event) {
    if (event.type === "unread.changed" && event.data.channel_id === this.channel.id) this.store.read(event.data);
    if (event.channel_id !== this.channel.id) return;
    const fresh = this.store.event(event, this.reading);
    if (fresh && this.replaying && event.type === "message.created" && event.actor !== this.user) this.replayed += 1;
  }

  fail(error) {
    // Errors of the browser have numbers as codes, and mean that no answer came.
    this.trouble = typeof error.code === "string" ? { code: error.code, message: error.message } : { code: "unreachable" };
    this.draw();
  }

  #wire(direction, name, payload, took) {
    this.page.wire({ pane: this, direction, name, payload, took });
  }

  // -- what its user does ----------------------------------------------------------------------------------------------

  #send(text) {
    this.list.pinned = true;
    this.store.send(text);
    this.outbox.flush();
  }

  #act(verb, id, text) {
    if (verb === "save") this.store.edit(id, text);
    else if (verb === "remove") this.store.remove(id);
    else if (verb === "retry") this.store.retry(id);
    else if (verb === "discard") this.store.discard(id);
    this.outbox.flush();
  }

  async #older() {
    const oldest = Math.min(...[...this.store.messages.values()].map((message) => message.seq));
    try {
      this.store.older(await this.channel.before(this.rest, oldest));
    } catch {
      // Scrolling there again asks again.
    }
  }

  #toggle() {
    if (this.connection.state === "off") this.connection.connect();
    else this.connection.disconnect();
  }

  #part(name) {
    return this.root.querySelector(`[data-part="${name}"]`);
  }
}
