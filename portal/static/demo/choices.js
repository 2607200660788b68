/** What there is to do with a channel: for everybody in it, or in one's own list. */
import { muted } from "./channels.js";
import { openMenu } from "./menu.js";

const PACE = 10;

export class Choices {
  /** `current()` is the entry of the channel that is open. */
  constructor(button, session, current) {
    Object.assign(this, { button, session, current });
    button.addEventListener("click", () => this.#open());
  }

  draw() {
    this.button.hidden = !this.#items().length;
  }

  #open() {
    const items = this.#items();
    const words = { label: "Channel", className: "menu-list" };
    openMenu(this.button, { ...words, items, chosen: (action) => action(), left: () => this.button.focus() });
  }

  #items() {
    const entry = this.current();
    if (!entry) return [];
    const { slow_mode, frozen, membership, capabilities } = entry.channel;
    const items = [];
    const offer = (text, value) => items.push({ text, value });
    if (membership) {
      const [top, quiet, archived] = [membership.pin_order !== null, muted(entry), Boolean(membership.archived_at)];
      offer(top ? "Do not keep on top" : "Keep on top", () => this.session.arrange(entry, { pinned: !top }));
      offer(quiet ? "Unmute" : "Mute", () => this.session.arrange(entry, { muted: !quiet }));
      offer(archived ? "Take out of the archive" : "Archive for me", () => this.session.arrange(entry, { archived: !archived }));
      offer("Hide until the next message", () => this.session.arrange(entry, { hidden: true }));
    }
    if (capabilities?.includes("channel.slow")) {
      if (slow_mode) offer("End slow mode", () => this.#change(entry, { slow_mode: 0 }));
      else offer(`Slow down: a message every ${PACE} s`, () => this.#change(entry, { slow_mode: PACE }));
    }
    if (capabilities?.includes("channel.freeze")) {
      offer(frozen ? "Thaw: let members write" : "Freeze: nobody writes", () => this.#change(entry, { frozen: !frozen }));
    }
    return items;
  }

  /** The event that follows changes what is shown, here and with everybody else. */
  async #change(entry, wish) {
    try {
      await this.session.rest.call("PATCH", `/v1/channels/${entry.id}`, wish);
    } catch (error) {
      this.session.failed(error);
    }
  }
}
