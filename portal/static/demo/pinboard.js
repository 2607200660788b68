/** A channel's pinned messages: the newest in a strip above the conversation, all of them in a list beside it. */
import { avatar, copy, element, part } from "./elements.js";
import { openMenu } from "./menu.js";
import { shortly, until } from "./times.js";

const LONGEST_WAIT = 2 ** 31 - 1;

const HOUR = 3_600_000;
const TERMS = [
  { text: "Until it is unpinned", value: null },
  { text: "For an hour", value: HOUR },
  { text: "For a day", value: 24 * HOUR },
  { text: "For a week", value: 7 * 24 * HOUR },
];

export class Pinboard {
  /** `list` is where all of them stand; `go(message)` brings one into sight. */
  constructor(main, list, session, go) {
    Object.assign(this, { main, list, session, go });
    this.strip = part(main.root, "pinned-strip");
    this.count = part(main.root, "pins-count");
    this.strip.addEventListener("click", () => this.#latest && go(this.#latest.message));
    list.addEventListener("click", (event) => this.#clicked(event));
  }

  /** Pin a message, after asking for how long, or take its pin away. */
  toggle(message, button, row) {
    if (message.pin) return this.unpin(message.id);
    const chosen = (term) => this.#pin(message.id, term === null ? null : new Date(Date.now() + term).toISOString());
    const words = { label: "Pin", title: "Pin it for everybody", className: "menu-list" };
    return openMenu(button, { ...words, items: TERMS, chosen, left: () => row.focus() });
  }

  unpin(id) {
    return this.#ask("message.unpin", { message_id: id });
  }

  /** `open`: whether the list is looked at. */
  draw(open) {
    const pins = this.#pins;
    const latest = this.#latest;
    const loaded = Boolean(this.main.place?.loaded);
    this.strip.hidden = !latest;
    if (latest) set(part(this.strip, "pinned-text"), said(latest.message));
    if (latest) set(part(this.strip, "pinned-title"), pins.length > 1 ? `Pinned message, newest of ${pins.length}` : "Pinned message");
    this.count.hidden = !pins.length;
    set(this.count, String(pins.length));
    if (open) this.#fill(pins, loaded);
    else this.drawn = null;
    this.#await(pins);
  }

  /** Draw again when the next pin ends: no event says so. */
  #await(pins) {
    clearTimeout(this.ending);
    const ends = pins.filter((pin) => pin.expires_at).map((pin) => Date.parse(pin.expires_at));
    if (!ends.length) return;
    const left = Math.min(...ends) - Date.now() + 1;
    this.ending = setTimeout(() => this.session.on.changed(), Math.min(left, LONGEST_WAIT));
  }

  get #pins() {
    return this.main.place?.pins ?? [];
  }

  get #latest() {
    return this.#pins.find((pin) => pin.message) ?? null;
  }

  #fill(pins, loaded) {
    const { people } = this.session;
    const may = this.main.can("message.pin");
    const named = pins.map(({ pinned_by, message }) => [pinned_by, message?.user_id].map((id) => id && people.name(id)));
    const signature = JSON.stringify([pins, named, may, loaded, new Date().getDate()]);
    if (this.drawn === signature) return;
    this.drawn = signature;
    const focused = this.list.contains(document.activeElement) && document.activeElement.closest("[data-id]")?.dataset.id;
    const none = may ? "Nothing is pinned here. Pin a message to keep it in reach." : "Nothing is pinned here.";
    const empty = element("li", "pins-empty", loaded ? none : "Loading");
    this.list.replaceChildren(...(pins.length ? pins.map((pin) => this.#row(pin, may)) : [empty]));
    if (focused) (this.list.querySelector(`[data-id="${focused}"] button`) ?? this.list.querySelector("button"))?.focus();
  }

  #row({ message_id, pinned_by, expires_at, message }, may) {
    const row = copy("pinned");
    const { people } = this.session;
    const now = new Date();
    row.dataset.id = message_id;
    if (message) {
      const name = people.name(message.user_id);
      part(row, "face").append(avatar(message.user_id, name));
      part(row, "who").textContent = name;
      part(row, "when").textContent = shortly(new Date(message.created_at), now);
    }
    part(row, "text").textContent = message ? said(message) : "Loading";
    const by = pinned_by ? `Pinned by ${people.name(pinned_by)}` : "Pinned";
    part(row, "pin").textContent = expires_at ? `${by}, ${until(new Date(expires_at), now)}` : by;
    if (!may) row.querySelector("[data-do=unpin]").remove();
    return row;
  }

  #clicked(event) {
    const id = event.target.closest("[data-id]")?.dataset.id;
    const message = this.#pins.find((pin) => pin.message_id === id)?.message;
    if (event.target.closest("[data-do=unpin]")) this.unpin(id);
    else if (message && event.target.closest("button")) this.go(message);
  }

  #pin(id, expires_at) {
    return this.#ask("message.pin", { message_id: id, expires_at });
  }

  /** The event that follows changes what is shown, here and with everybody else. */
  async #ask(event, packet) {
    try {
      await this.session.connection.emit(event, packet);
    } catch (error) {
      this.session.failed(error);
    }
  }
}

function said({ text, attachments }) {
  return text || (attachments?.length === 1 ? "1 attachment" : `${attachments?.length ?? 0} attachments`);
}

function set(at, text) {
  if (at.textContent !== text) at.textContent = text;
}
