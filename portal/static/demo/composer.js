/** The field under the messages: grows with its text, keeps it across reloads, sends on Enter, says that one types. */
import { avatar, element, part } from "./elements.js";
import { OFFERED } from "./offered.js";
import { Pace } from "./pace.js";

const GROWS_BY_ITSELF = CSS.supports("field-sizing", "content");
const SUGGESTED = 6;

export class Composer {
  #early = false;
  #quoted = null;
  #mentioned = new Map();

  constructor(form, session, { send, editLast }) {
    Object.assign(this, { form, session, send, editLast, place: null });
    this.field = form.querySelector("textarea");
    this.names = part(form, "names");
    this.pace = new Pace(form, () => this.#changed());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.field.addEventListener("input", () => this.#typing());
    this.field.addEventListener("keydown", (event) => this.#key(event));
    this.field.addEventListener("blur", () => this.#suggest([]));
    this.names.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      const option = event.target.closest("[role=option]");
      if (option) this.#choose(option);
    });
    part(form, "unquote").addEventListener("click", () => {
      this.quote(null);
      this.focus();
    });
    this.#changed();
  }

  /** Write into another place, with the draft that is kept of it. */
  show(place) {
    // What was written before the first place was there belongs to it, and is sent if that was asked for.
    const early = this.place ? "" : this.field.value;
    const send = this.#early && place;
    this.place = place;
    this.#mentioned.clear();
    this.quote(null);
    this.field.value = early || (place ? this.session.keep.draft(this.#key_of(place)) : "");
    this.#changed();
    if (send) {
      this.#early = false;
      this.#submit();
    }
  }

  focus() {
    this.field.focus({ preventScroll: true });
  }

  /** Answer this message; null: none. */
  quote(message) {
    this.#quoted = message;
    part(this.form, "quoting").hidden = !message;
    if (!message) return;
    part(this.form, "quoted-who").textContent = this.session.people.name(message.user_id);
    part(this.form, "quoted-text").textContent = message.text;
    this.focus();
  }

  #key_of({ id, thread }) {
    return thread ?? id;
  }

  #key(event) {
    const option = this.names.querySelector("[aria-selected=true]");
    if (option && (event.key === "Enter" || event.key === "Tab")) this.#choose(option);
    else if (option && (event.key === "ArrowDown" || event.key === "ArrowUp")) this.#walk(event.key === "ArrowDown" ? 1 : -1);
    else if (option && event.key === "Escape") this.#suggest([]);
    else if (event.key === "Escape" && this.#quoted) this.quote(null);
    else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) this.#submit();
    else if (event.key === "ArrowUp" && !this.field.value) this.editLast();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #submit() {
    const text = this.field.value.trim();
    if (!text || this.pace.waits) return;
    if (!this.place) {
      this.#early = true;
      return;
    }
    const extra = {};
    if (this.#quoted) extra.quoted_id = this.#quoted.id;
    const users = [...this.#mentioned].filter(([name]) => text.includes(name)).map(([, id]) => id);
    const channel = /(^|\s)@channel\b/.test(text);
    if (this.#may && (users.length || channel)) extra.mentions = { users, ...(channel && { channel }) };
    this.field.value = "";
    this.#mentioned.clear();
    this.quote(null);
    this.#changed();
    this.#stop();
    this.send(text, extra);
    this.focus();
  }

  #typing() {
    this.#changed();
    if (!this.place) return;
    this.#complete();
    if (!this.field.value) return this.#stop();
    this.session.connection.client.typing(this.place.id, this.place.thread);
  }

  #stop() {
    if (this.place) this.session.connection.client.stopTyping(this.place.id, this.place.thread);
  }

  #changed() {
    if (this.place) this.session.keep.setDraft(this.#key_of(this.place), this.field.value);
    this.#enable();
    if (GROWS_BY_ITSELF) return;
    this.field.style.height = "auto";
    this.field.style.height = `${this.field.scrollHeight + 2}px`;
  }

  #enable() {
    part(this.form, "send").disabled = !this.field.value.trim() || this.pace.waits;
  }

  /** How slow the channel is for this user, and when it wrote last. */
  slow(seconds, last) {
    this.pace.show(seconds, last);
    this.#enable();
  }

  // -- mentions --------------------------------------------------------------------------------------------------------

  get #may() {
    return OFFERED.has("mentions");
  }

  #complete() {
    const before = this.field.value.slice(0, this.field.selectionStart);
    const word = /(?:^|\s)@([\p{L}\p{N} ._-]{0,30})$/u.exec(before)?.[1];
    if (word === undefined || !this.#may || !this.place) return this.#suggest([]);
    const { people, user } = this.session;
    const named = this.place.members.filter((id) => id !== user).map((id) => [id, people.name(id)]);
    const fits = ([, name]) => name.toLowerCase().split(/\s+/).some((each) => each.startsWith(word.toLowerCase()));
    const found = named.filter((each) => fits(each) || each[1].toLowerCase().startsWith(word.toLowerCase()));
    if ("channel".startsWith(word.toLowerCase())) found.push([null, "channel"]);
    this.#suggest(found.slice(0, SUGGESTED));
  }

  #suggest(found) {
    const options = found.map(([id, name], index) => {
      const face = avatar(id ?? "channel", id ? name : "@");
      const option = element("li", "", face, element("span", "", id ? name : "channel: everybody here"));
      option.setAttribute("role", "option");
      option.id = `${this.names.id}-${index}`;
      option.dataset.name = name;
      if (id) option.dataset.id = id;
      return option;
    });
    this.names.replaceChildren(...options);
    this.names.hidden = !options.length;
    this.field.setAttribute("aria-expanded", String(options.length > 0));
    this.#select(options[0]);
  }

  #select(option) {
    for (const each of this.names.children) each.setAttribute("aria-selected", String(each === option));
    if (option) this.field.setAttribute("aria-activedescendant", option.id);
    else this.field.removeAttribute("aria-activedescendant");
  }

  #walk(step) {
    const all = [...this.names.children];
    const at = all.findIndex((each) => each.getAttribute("aria-selected") === "true");
    this.#select(all[(at + step + all.length) % all.length]);
  }

  #choose({ dataset: { name, id } }) {
    const end = this.field.selectionStart;
    const start = this.field.value.lastIndexOf("@", end - 1);
    this.field.setRangeText(`@${name} `, start, end, "end");
    if (id) this.#mentioned.set(`@${name}`, id);
    this.#suggest([]);
    this.#changed();
  }
}
