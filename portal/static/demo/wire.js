/**
 * What goes over the wire, newest first: the same events that an app's own code sends and receives. A row opens to the
 * whole event; the list can be narrowed down, halted and emptied.
 */
import { element, part } from "./elements.js";

const KEEP = 200;
const ARROWS = { out: "→", in: "←", ack: "✓" };
const WORDS = { out: "sent", in: "received", ack: "acknowledged" };

export class Wire {
  #wish = "";
  #halted = false;

  constructor(root) {
    this.rows = root.querySelector("tbody");
    this.template = root.querySelector("template");
    this.empty = part(root, "wire-empty");
    this.halt = part(root, "wire-halt");
    part(root, "wire-filter").addEventListener("input", (event) => {
      this.#wish = event.target.value.trim().toLowerCase();
      this.#sift();
    });
    this.halt.addEventListener("click", () => {
      this.#halted = !this.#halted;
      this.halt.setAttribute("aria-pressed", String(this.#halted));
    });
    part(root, "wire-clear").addEventListener("click", () => {
      this.rows.replaceChildren();
      this.#sift();
    });
    this.rows.addEventListener("click", (event) => {
      const line = event.target.closest("tr[data-direction]");
      if (line && !getSelection().toString()) this.#toggle(line);
    });
  }

  add({ pane, direction, name, payload, took }) {
    if (this.#halted) return;
    const row = this.template.content.firstElementChild.cloneNode(true);
    const [time, who, arrow, , detail] = row.children;
    time.textContent = new Date().toLocaleTimeString(undefined, { hour12: false });
    who.textContent = pane.name;
    arrow.textContent = ARROWS[direction];
    arrow.title = WORDS[direction];
    row.querySelector("button").textContent = name;
    const said = render(payload);
    detail.textContent = took === undefined ? said : `${took.toFixed(0)} ms  ${said}`;
    row.dataset.direction = payload?.error ? "error" : direction;
    row.whole = () => render(payload, 2);
    row.words = `${pane.name} ${name} ${said}`.toLowerCase();
    row.hidden = !row.words.includes(this.#wish);
    this.rows.prepend(row);
    while (this.rows.children.length > KEEP) this.rows.lastElementChild.remove();
    this.#tell();
  }

  /** The whole event under its line. */
  #toggle(line) {
    const button = line.querySelector("button");
    const open = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!open));
    if (open) return line.nextElementSibling.remove();
    const cell = element("td", "", element("pre", "", line.whole()));
    cell.colSpan = line.children.length;
    return line.after(element("tr", "wire-whole", cell));
  }

  #sift() {
    for (const row of this.rows.children) {
      const line = row.words === undefined ? row.previousElementSibling : row;
      row.hidden = !line.words.includes(this.#wish);
    }
    this.#tell();
  }

  #tell() {
    const shown = [...this.rows.children].some((row) => !row.hidden);
    this.empty.hidden = shown;
    if (!shown) this.empty.textContent = this.rows.children.length ? "No event has this in it." : "Nothing yet.";
  }
}

/** Without tokens. */
function render(payload, indent) {
  const secret = (key, value) => (key === "token" ? "…" : value);
  return JSON.stringify(payload, secret, indent);
}
