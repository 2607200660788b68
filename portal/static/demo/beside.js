/** What stands beside the messages: a thread, or the channel's pinned messages. */
import { Conversation } from "./conversation.js";
import { avatar, copy, element, part } from "./elements.js";
import { OFFERED } from "./offered.js";
import { shortly } from "./times.js";

export class Beside {
  #what = null;

  constructor(root, session, main, draw) {
    Object.assign(this, { root, session, main, redraw: draw });
    this.talk = new Conversation(part(root, "thread-talk"), session, {
      draw,
      moved: () => {},
      thread: () => {},
      pin: () => {},
    });
    part(root, "close").addEventListener("click", () => this.close());
    part(root, "pins").addEventListener("click", (event) => this.#pinClicked(event));
    part(main.root, "show-pins").addEventListener("click", () => (this.#what === "pins" ? this.close() : this.pins()));
  }

  get isOpen() {
    return this.#what !== null;
  }

  /** Show a message's thread, to read and to answer in. */
  thread(message) {
    this.#open("thread", "Thread");
    this.place = this.session.places.showThread(message);
    this.talk.show(this.place);
    this.redraw();
    this.talk.composer.focus();
  }

  /** Show what is pinned in the channel. */
  async pins() {
    this.#open("pins", "Pinned messages");
    part(this.root, "pins").replaceChildren(element("li", "pins-empty", "Loading"));
    await this.#loadPins();
    part(this.root, "close").focus();
  }

  /** Pin a message, or take it off. */
  async pin(message) {
    const method = message.pin ? "DELETE" : "PUT";
    try {
      await this.session.rest.call(method, `/v1/messages/${message.id}/pin`, method === "PUT" ? {} : undefined);
      if (this.#what === "pins") this.#loadPins();
    } catch (error) {
      this.session.fail(error);
    }
  }

  close() {
    if (!this.#what) return;
    const last = this.opener;
    this.#what = null;
    this.session.places.hide(this.place);
    this.place = null;
    this.talk.show(null);
    this.root.hidden = true;
    delete this.root.parentElement.dataset.beside;
    if (last?.isConnected) last.focus();
  }

  draw() {
    part(this.main.root, "show-pins").hidden = !this.#mayPins;
    if (this.#what !== "thread" || !this.place) return;
    this.talk.draw();
    const { root } = this.place;
    const { people } = this.session;
    const name = people.name(root.user_id);
    const signature = JSON.stringify([root.id, root.text, root.deleted_at, name, root.reply_count]);
    if (this.drawn === signature) return;
    this.drawn = signature;
    const said = element("div", "root-said", element("strong", "", name), element("p", "", root.deleted_at ? "Message deleted" : root.text));
    part(this.root, "thread-root").replaceChildren(avatar(root.user_id, name), said);
  }

  get #mayPins() {
    return OFFERED.has("pins");
  }

  #open(what, title) {
    this.opener = document.activeElement;
    this.#what = what;
    this.drawn = null;
    this.session.places.hide(this.place);
    this.place = null;
    this.root.hidden = false;
    this.root.dataset.what = what;
    this.root.parentElement.dataset.beside = what;
    part(this.root, "beside-title").textContent = title;
  }

  async #loadPins() {
    const { place } = this.main;
    const list = part(this.root, "pins");
    try {
      const { messages } = await this.session.rest.get(`/v1/channels/${place.id}/pins?limit=50`);
      if (place !== this.main.place || this.#what !== "pins") return;
      const none = element("li", "pins-empty", "Nothing is pinned here. Pin a message to keep it in reach.");
      list.replaceChildren(...(messages.length ? messages.map((message) => this.#pinned(message)) : [none]));
    } catch {
      list.replaceChildren(element("li", "pins-empty", "The pinned messages could not be loaded. Close this and try again."));
    }
  }

  #pinned(message) {
    const row = copy("pinned");
    const name = this.session.people.name(message.user_id);
    row.dataset.id = message.id;
    part(row, "face").append(avatar(message.user_id, name));
    part(row, "who").textContent = name;
    part(row, "when").textContent = shortly(new Date(message.created_at), new Date());
    part(row, "text").textContent = message.text;
    return row;
  }

  #pinClicked(event) {
    const row = event.target.closest("[data-id]");
    if (!row) return;
    if (!matchMedia("(min-width: 1000px)").matches) this.close();
    this.main.go(row.dataset.id);
  }
}
