/** What goes over the wire, newest first: the same events that an app's own code sends and receives. */
const KEEP = 200;
const ARROWS = { out: "→", in: "←", ack: "✓" };
const WORDS = { out: "sent", in: "received", ack: "acknowledged" };

export class Wire {
  constructor(root) {
    this.rows = root.querySelector("tbody");
    this.template = root.querySelector("template");
    this.empty = root.querySelector("[data-part=wire-empty]");
  }

  add({ pane, direction, name, payload, took }) {
    const row = this.template.content.firstElementChild.cloneNode(true);
    const [time, who, arrow, what, detail] = row.children;
    time.textContent = new Date().toLocaleTimeString(undefined, { hour12: false });
    who.textContent = pane.name;
    arrow.textContent = ARROWS[direction];
    arrow.title = WORDS[direction];
    what.textContent = name;
    detail.textContent = took === undefined ? short(payload) : `${took.toFixed(0)} ms  ${short(payload)}`;
    row.dataset.direction = payload?.error ? "error" : direction;
    this.rows.prepend(row);
    if (this.rows.children.length > KEEP) this.rows.lastElementChild.remove();
    this.empty.hidden = true;
  }
}

function short(payload) {
  const secret = (key, value) => (key === "token" ? "…" : value);
  return JSON.stringify(payload, secret);
}
