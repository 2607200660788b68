/** The field at the bottom of a pane: grows with its text, keeps it across reloads, sends on Enter. */
const GROWS_BY_ITSELF = CSS.supports("field-sizing", "content");

export class Composer {
  constructor(pane, keep, { send, editLast }) {
    this.form = pane.querySelector("[data-part=composer]");
    this.field = this.form.querySelector("textarea");
    this.keep = keep;
    this.field.value = keep.draft;
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send(send);
    });
    this.field.addEventListener("input", () => this.#changed());
    this.field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.#send(send);
      } else if (event.key === "ArrowUp" && !this.field.value) {
        event.preventDefault();
        editLast();
      }
    });
    this.#changed();
  }

  focus() {
    this.field.focus({ preventScroll: true });
  }

  #send(send) {
    const text = this.field.value.trim();
    if (!text) return;
    this.field.value = "";
    this.#changed();
    send(text);
    this.focus();
  }

  #changed() {
    this.keep.draft = this.field.value;
    this.form.querySelector("button").disabled = !this.field.value.trim();
    if (GROWS_BY_ITSELF) return;
    this.field.style.height = "auto";
    this.field.style.height = `${this.field.scrollHeight + 2}px`;
  }
}
