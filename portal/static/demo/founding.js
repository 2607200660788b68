/** The form that makes a channel, and invites the demo's other users to it. */
import { part } from "./elements.js";

export class Founding {
  #busy = false;

  /** `open(id)` is called for the channel that was made. */
  constructor(root, session, open) {
    this.button = part(root, "new-channel");
    this.form = part(root, "founding");
    Object.assign(this, { session, open, field: this.form.querySelector("input"), submit: part(this.form, "found") });
    this.button.addEventListener("click", () => this.#show(this.form.hidden));
    part(this.form, "cancel").addEventListener("click", () => this.#show(false));
    this.field.addEventListener("input", () => this.#changed());
    this.form.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      this.#show(false);
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#found();
    });
    this.#changed();
  }

  #show(on) {
    this.form.hidden = !on;
    this.button.setAttribute("aria-expanded", String(on));
    if (on) this.field.focus();
    else this.button.focus();
  }

  #changed() {
    this.submit.disabled = this.#busy || !this.field.value.trim();
  }

  async #found() {
    const name = this.field.value.trim();
    if (!name || this.#busy) return;
    this.#busy = true;
    this.#changed();
    const { rest } = this.session;
    try {
      const channel = await rest.call("POST", "/v1/channels", { name });
      this.field.value = "";
      this.#show(false);
      this.open(channel.id);
      await rest.call("POST", `/v1/channels/${channel.id}/invites`, { user_ids: this.form.dataset.invites.split(" ") });
    } catch (error) {
      this.session.failed(error);
    } finally {
      this.#busy = false;
      this.#changed();
    }
  }
}
