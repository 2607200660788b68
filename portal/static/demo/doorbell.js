/** The invites of a user above its channels, each with its two answers. */
import { avatar, copy, part } from "./elements.js";
import { SYMBOLS } from "./roster.js";

export class Doorbell {
  /** `open(id)` is called for a channel that was joined; `left()` takes the focus when the last invite is gone. */
  constructor(list, session, { open, left }) {
    Object.assign(this, { list, session, open, left });
    list.addEventListener("click", (event) => {
      const button = event.target.closest("[data-do]");
      if (button) this.#answer(button.dataset.do, button.closest("[data-channel]").dataset.channel);
    });
  }

  draw() {
    const { invites, people } = this.session;
    const pending = invites.pending();
    const shown = pending.map((invite) => [invite, invite.invited_by && people.name(invite.invited_by), invites.answering.has(invite.channel.id)]);
    const signature = JSON.stringify(shown);
    if (this.drawn === signature) return;
    this.drawn = signature;
    const { activeElement } = document;
    const focused = this.list.contains(activeElement) && activeElement;
    this.list.hidden = !pending.length;
    this.list.replaceChildren(...shown.map((each) => this.#row(...each)));
    if (focused) this.#refocus(focused);
  }

  /** The same button of the same invite, or of the next one. */
  #refocus({ dataset }) {
    const buttons = [...this.list.querySelectorAll("button")];
    const { channel } = dataset;
    const next = buttons.find((button) => button.dataset.channel === channel && button.dataset.do === dataset.do) ?? buttons[0];
    if (next) next.focus();
    else this.left();
  }

  #row({ channel, invited_by }, name, busy) {
    const row = copy("invite");
    const title = channel.name ?? channel.id;
    row.dataset.channel = channel.id;
    part(row, "face").append(avatar(channel.id, title, { symbol: SYMBOLS[channel.type] }));
    part(row, "title").textContent = title;
    part(row, "who").textContent = invited_by ? `${name} invites you` : "You are invited";
    for (const button of row.querySelectorAll("button")) {
      button.dataset.channel = channel.id;
      button.setAttribute("aria-disabled", String(busy));
      button.setAttribute("aria-label", `${button.textContent}: ${title}`);
    }
    return row;
  }

  async #answer(answer, channel) {
    const { invites } = this.session;
    if (invites.answering.has(channel)) return;
    try {
      if (answer === "reject") await invites.reject(channel);
      else {
        await invites.accept(channel);
        this.open(channel);
      }
    } catch (error) {
      this.session.failed(error);
    }
  }
}
