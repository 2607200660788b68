/** The messages of one place, with the field to write in: the middle of a pane, and a thread beside it. */
import { Composer } from "./composer.js";
import { element, flag, part } from "./elements.js";
import { MessageList } from "./list.js";
import { OFFERED } from "./offered.js";
import { pickEmoji } from "./picker.js";

export class Conversation {
  /** `on` has `thread(message)`, `pin(message, button, row)`, `moved()`, `go(id)`, `draw()`, `readers(message, button)`. */
  constructor(root, session, on) {
    Object.assign(this, { root, session, on, place: null });
    this.list = new MessageList(root, {
      act: (verb, id, detail) => this.#act(verb, id, detail),
      older: () => session.places.older(this.place),
      newer: () => session.places.newer(this.place),
      latest: () => session.places.latest(this.place),
      moved: () => on.moved(),
      around: () => this.#around(),
    });
    this.composer = new Composer(part(root, "composer"), session, {
      send: (text, extra) => this.#send(text, extra),
      editLast: () => this.list.editLast(),
    });
  }

  show(place) {
    if (place === this.place) return;
    this.place = place;
    this.list.show(place);
    this.composer.show(place);
  }

  draw() {
    if (!this.place) return;
    const entry = this.entry;
    const may = entry?.channel.capabilities?.includes("message.send") ?? true;
    flag(this.root, "silent", !may || (entry?.channel.frozen ?? false));
    this.list.render();
    this.#typing();
  }

  get entry() {
    return this.place && this.session.channels.get(this.place.id);
  }

  can(permission) {
    return this.entry?.channel.capabilities?.includes(permission) ?? false;
  }

  // -- for the rows ----------------------------------------------------------------------------------------------------

  #around() {
    const { people, online, user } = this.session;
    const { channel } = this.entry ?? {};
    const authors = Boolean(channel) && channel.type !== "direct" && channel.member_count > 2;
    const names = ({ message, readBy }) => {
      const ids = [message.user_id, message.quoted?.user_id, ...(message.mentions?.users ?? []), ...(message.thread_participants ?? [])];
      return [...ids, ...(authors ? readBy : [])].filter(Boolean).map((id) => people.name(id));
    };
    return { people, online, me: user, authors, names, can: (verb, message) => this.#offers(verb, message) };
  }

  #offers(verb, message) {
    const own = message.user_id === this.session.user;
    const { place } = this;
    switch (verb) {
      case "edit":
        return own;
      case "delete":
        return own || this.can("message.delete.any");
      case "react":
        return this.can("reaction.add");
      case "quote":
        return this.can("message.send") && OFFERED.has("quotes");
      case "thread":
        return !place.thread && !message.thread_id && OFFERED.has("threads");
      case "pin":
        return !place.thread && this.can("message.pin") && OFFERED.has("pins");
      default:
        return false;
    }
  }

  #typing() {
    const typing = this.place.thread ? this.place.typing : this.entry?.typing;
    const names = [...(typing?.keys() ?? [])].map((id) => this.session.people.name(id));
    const line = part(this.root, "typing");
    const words = typingWords(names);
    if (line.dataset.words === words) return;
    line.dataset.words = words;
    const dots = element("span", "dots", element("i"), element("i"), element("i"));
    line.replaceChildren(...(words ? [dots, words] : []));
  }

  // -- what is done ----------------------------------------------------------------------------------------------------

  #send(text, extra) {
    this.list.pinned = true;
    const { store } = this.place;
    if (store.hasAfter) this.session.places.latest(this.place);
    store.send(text, extra);
    this.on.draw();
  }

  #act(verb, id, { text, emoji, target, button, row }) {
    const { store } = this.place;
    if (verb === "save") store.edit(id, text);
    else if (verb === "remove") store.remove(id);
    else if (verb === "retry") store.retry(id);
    else if (verb === "discard") store.discard(id);
    else if (verb === "react") pickEmoji(button, (chosen) => this.#react(id, chosen), () => row.focus());
    else if (verb === "react-with") this.#react(id, emoji);
    else if (verb === "quote") this.composer.quote(store.shown(id));
    else if (verb === "thread") this.on.thread(store.shown(id));
    else if (verb === "pin") this.on.pin(store.shown(id), button, row);
    else if (verb === "go") this.go(target);
    this.on.draw();
  }

  /** Bring a message into sight, wherever in the history it is. */
  async go(id) {
    if (this.list.reveal(id)) return;
    this.list.pinned = false;
    if (await this.session.places.around(this.place, id)) {
      this.list.render();
      this.list.reveal(id);
    }
  }

  async #react(id, emoji) {
    const { store } = this.place;
    const on = store.react(id, emoji);
    if (on === null) return;
    try {
      await this.session.connection.emit(on ? "reaction.add" : "reaction.remove", { message_id: id, emoji });
    } catch {
      store.react(id, emoji); // it is not stored: as it was
    }
  }
}

function typingWords(names) {
  if (!names.length) return "";
  if (names.length === 1) return `${names[0]} is typing`;
  if (names.length === 2) return `${names[0]} and ${names[1]} are typing`;
  return `${names[0]} and ${names.length - 1} others are typing`;
}
