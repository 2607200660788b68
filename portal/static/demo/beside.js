/** What stands beside the messages: a thread, or the channel's pinned messages. */
import { Conversation } from "./conversation.js";
import { avatar, element, part } from "./elements.js";
import { OFFERED } from "./offered.js";
import { Pinboard } from "./pinboard.js";

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
    this.pinboard = new Pinboard(main, part(root, "pins"), session, (message) => this.#goTo(message));
    part(root, "close").addEventListener("click", () => this.close());
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
  pins() {
    this.#open("pins", "Pinned messages");
    this.redraw();
    part(this.root, "close").focus();
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
    part(this.main.root, "show-pins").hidden = !OFFERED.has("pins") || !this.main.place;
    part(this.main.root, "show-pins").setAttribute("aria-expanded", String(this.#what === "pins"));
    this.pinboard.draw(this.#what === "pins");
    if (this.#what !== "thread" || !this.place) return;
    if (this.session.connection.client.state.hidden[this.place.thread]) return this.close();
    this.talk.draw();
    const root = this.place.hangsOn;
    const { people } = this.session;
    const name = people.name(root.user_id);
    const signature = JSON.stringify([root.id, root.text, root.deleted_at, name, root.reply_count]);
    if (this.drawn === signature) return;
    this.drawn = signature;
    const said = element("div", "root-said", element("strong", "", name), element("p", "", root.deleted_at ? "Message deleted" : root.text));
    part(this.root, "thread-root").replaceChildren(avatar(root.user_id, name), said);
  }

  #open(what, title) {
    this.opener = document.activeElement;
    this.#what = what;
    this.drawn = null;
    this.session.places.hide(this.place);
    this.place = null;
    this.talk.show(null);
    this.root.hidden = false;
    this.root.dataset.what = what;
    this.root.parentElement.dataset.beside = what;
    part(this.root, "beside-title").textContent = title;
  }

  /** Bring a pinned message into sight; one that stands in a thread alone, with its thread. */
  async #goTo(message) {
    if (message.thread_id && !message.also_in_channel) {
      const root = await this.session.places.find(this.main.place, message.thread_id).catch((error) => this.session.failed(error));
      if (root) this.thread(root);
      return;
    }
    if (!this.main.root.offsetParent) this.close(); // there is room for one of the two alone
    this.main.go(message.id);
  }
}
