/** The messages of one place, with the field to write in: the middle of a pane, and a thread beside it. */
import { typingIn } from "../vendor/natter.js";
import { Composer } from "./composer.js";
import { copy, element, flag, part } from "./elements.js";
import { MessageList } from "./list.js";
import { OFFERED } from "./offered.js";
import { pickEmoji } from "./picker.js";

export class Conversation {
  /**
   * `on` has `thread(message)`, `pin(message, button, row)`, `moved()`, `go(id)`, `draw()`, `readers(message, button)`, and
   * `begins(channel)` and `begin()` for the channel in which the portal can have a conversation begun.
   */
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
    part(root, "begin")?.addEventListener("click", (event) => this.#begin(event.currentTarget));
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
    flag(this.root, "silent", !may || this.#frozen);
    const silenced = part(this.root, "silenced");
    const why = this.#frozen ? silenced.dataset.frozen : silenced.dataset.denied;
    if (silenced.textContent !== why) silenced.textContent = why;
    const slow = this.can("message.send.slow") ? 0 : (entry?.channel.slow_mode ?? 0);
    this.composer.slow(slow, slow && this.session.places.lastSent(this.place.id));
    if (!this.place.thread) this.#inviting(entry);
    this.list.render();
    this.#typing();
    this.#waving();
  }

  /** What an empty channel says: whether anybody is there to read. */
  #inviting(entry) {
    const hint = part(this.root, "empty-hint");
    const words = entry?.channel.member_count === 1 ? hint.dataset.alone : hint.dataset.together;
    if (hint.textContent !== words) hint.textContent = words;
    const button = part(this.root, "begin");
    if (button) button.hidden = !this.session.online || entry?.channel.member_count === 1 || !this.on.begins(this.place.id);
  }

  async #begin(button) {
    button.disabled = true;
    try {
      await this.on.begin();
    } catch (error) {
      this.session.failed(error);
    } finally {
      button.disabled = false;
    }
  }

  get entry() {
    return this.place && this.session.channels.get(this.place.id);
  }

  can(permission) {
    return this.entry?.channel.capabilities?.includes(permission) ?? false;
  }

  // -- for the rows ----------------------------------------------------------------------------------------------------

  #around() {
    const { people, online, user, versions } = this.session;
    const { channel } = this.entry ?? {};
    const authors = Boolean(channel) && channel.type !== "direct" && channel.member_count > 2;
    const names = ({ message, readBy }) => {
      const ids = [message.user_id, message.quoted?.user_id, ...(message.mentions?.users ?? []), ...(message.thread_participants ?? [])];
      ids.push(...(versions.of(message)?.list ?? []).map(({ by }) => by));
      return [...ids, ...(authors ? readBy : [])].filter(Boolean).map((id) => people.name(id));
    };
    const can = (verb, message) => this.#offers(verb, message);
    const rights = [this.#frozen, channel?.capabilities];
    return { people, online, me: user, authors, names, can, rights, versions: (message) => versions.of(message) };
  }

  #offers(verb, message) {
    const own = message.user_id === this.session.user;
    const { place } = this;
    switch (verb) {
      case "edit":
        return own && !this.#frozen;
      case "delete":
        return this.#offers("remove", message) || this.#offers("hide", message);
      case "remove":
        return !message.deleted_at && (own || this.can("message.delete.any"));
      case "hide":
        return message.seq !== null && Boolean(this.entry?.channel.membership);
      case "restore":
        return Boolean(message.deleted_at) && !message.purged && !this.#frozen && this.#mayRestore(message, own);
      case "versions":
        return message.seq !== null && this.can(own ? "message.versions.own" : "message.versions.any");
      case "react":
        return this.can("reaction.add") && !this.#frozen;
      case "quote":
        return this.can("message.send") && !this.#frozen && OFFERED.has("quotes");
      case "thread":
        return !place.thread && !message.thread_id && OFFERED.has("threads");
      case "pin":
        return !place.thread && (message.pin || !this.#frozen) && this.can("message.pin") && OFFERED.has("pins");
      default:
        return false;
    }
  }

  get #frozen() {
    return Boolean(this.entry?.channel.frozen) && !this.can("message.send.frozen");
  }

  /** What somebody else took away, its author does not bring back. Who did is known of deletions that were heard of. */
  #mayRestore({ user_id, deleted_by = user_id }, own) {
    return this.can(own && deleted_by === user_id ? "message.restore.own" : "message.restore.any");
  }

  #typing() {
    const { connection, people, user } = this.session;
    const typing = typingIn(connection.client.state, this.place.id, this.place.thread);
    const names = typing.filter(({ user_id }) => user_id !== user).map(({ user_id }) => people.name(user_id));
    const line = part(this.root, "typing");
    const words = typingWords(names);
    if (line.dataset.words === words) return;
    line.dataset.words = words;
    const dots = element("span", "dots", element("i"), element("i"), element("i"));
    line.replaceChildren(...(words ? [dots, words] : []));
  }

  #waving() {
    const line = part(this.root, "waving");
    const ids = [...this.place.waves.keys()];
    const words = ids.map((id) => (id === this.session.user ? "You wave" : `${this.session.people.name(id)} waves`));
    const signature = words.join();
    if (line.dataset.words === signature) return;
    line.dataset.words = signature;
    line.replaceChildren(...words.map((each) => element("span", "wave", copy("icon-wave"), each)));
  }

  // -- what is done ----------------------------------------------------------------------------------------------------

  #send(text, extra) {
    this.list.pinned = true;
    if (this.place.hasAfter) this.session.places.latest(this.place);
    this.place.send(text, extra);
    this.on.draw();
  }

  #act(verb, id, { text, emoji, target, button, row }) {
    const { place } = this;
    if (verb === "save") place.edit(id, text);
    else if (verb === "remove" || verb === "discard") place.remove(id);
    else if (verb === "hide") place.hide(id);
    else if (verb === "restore") place.restore(id);
    else if (verb === "versions") this.session.versions.toggle(place.shown(id));
    else if (verb === "retry") place.retry(id);
    else if (verb === "react") pickEmoji(button, (chosen) => place.react(id, chosen), () => row.focus());
    else if (verb === "react-with") place.react(id, emoji);
    else if (verb === "quote") this.composer.quote(place.shown(id));
    else if (verb === "thread") this.on.thread(place.shown(id));
    else if (verb === "pin") this.on.pin(place.shown(id), button, row);
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
}

function typingWords(names) {
  if (!names.length) return "";
  if (names.length === 1) return `${names[0]} is typing`;
  if (names.length === 2) return `${names[0]} and ${names[1]} are typing`;
  return `${names[0]} and ${names.length - 1} others are typing`;
}
