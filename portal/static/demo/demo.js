/** The live demo: two users of the app, side by side, each with a connection of its own. */
import { Channel } from "./channel.js";
import { Pane } from "./pane.js";
import { Portal } from "./portal.js";
import { Wire } from "./wire.js";

const AGAIN_AFTER = 3000;

class Demo {
  constructor(root) {
    this.root = root;
    const { app, node, key, session, csrf, usage } = root.dataset;
    Object.assign(this, { app, node, key, usageUrl: usage });
    this.portal = new Portal({ sessionUrl: session, csrf, node });
    this.log = new Wire(root.querySelector("[data-part=wire]"));
    this.panes = [...root.querySelectorAll("[data-part=pane]")].map((pane) => new Pane(pane, this));
    this.channel = new Channel(this.panes[0].rest, this.panes[1].rest);
    this.active = this.panes[0];
    this.panes.forEach((pane) => pane.begin(this.channel));
    this.#listen();
  }

  /** Open the channel, then connect both. Tries again until the node answers. */
  async start() {
    try {
      await this.channel.open();
      this.panes.forEach((pane) => {
        pane.trouble = null;
        if (pane.connection.state === "connecting") pane.connection.connect();
      });
    } catch (error) {
      this.panes.forEach((pane) => pane.fail(error));
      this.retry = setTimeout(() => this.start(), AGAIN_AFTER);
    }
  }

  // -- for the panes ---------------------------------------------------------------------------------------------------

  attends(pane) {
    return pane === this.active && document.visibilityState === "visible" && document.hasFocus();
  }

  badges(pane) {
    return this.root.querySelectorAll(`[data-badge="${pane.user}"]`);
  }

  wire(line) {
    this.log.add(line);
  }

  /** A connection fails, and the portal may know why: then it has this page load again, which tells. */
  askPortal() {
    this.portal.ask().catch(() => {});
  }

  hurry() {
    clearTimeout(this.retry);
    if (this.channel.id) this.panes.forEach((pane) => pane.connection.hurry());
    else this.start();
  }

  // -- which pane is looked at -----------------------------------------------------------------------------------------

  #listen() {
    this.panes.forEach((pane) => {
      for (const event of ["pointerdown", "focusin"]) pane.root.addEventListener(event, () => this.#activate(pane));
    });
    this.tabs = [...this.root.querySelectorAll("[role=tab]")];
    this.tabs.forEach((tab, index) => {
      tab.addEventListener("click", () => this.#activate(this.panes[index]));
      tab.addEventListener("keydown", (event) => this.#tabKey(event, index));
    });
    document.addEventListener("visibilitychange", () => this.#looked());
    window.addEventListener("focus", () => this.#looked());
    window.addEventListener("blur", () => this.active.left());
    window.addEventListener("online", () => this.hurry());
    this.#show();
  }

  #activate(pane) {
    if (pane !== this.active) {
      const before = this.active;
      this.active = pane;
      before.left();
      this.#show();
    }
    pane.markRead();
  }

  #show() {
    this.panes.forEach((pane, index) => {
      const on = pane === this.active;
      pane.root.toggleAttribute("data-active", on);
      pane.root.querySelector("[data-part=log]").setAttribute("aria-live", on ? "polite" : "off");
      this.tabs[index].setAttribute("aria-selected", String(on));
      this.tabs[index].tabIndex = on ? 0 : -1;
      if (on && pane.list.pinned) pane.list.end();
    });
  }

  #tabKey(event, index) {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const next = (index + 1) % this.tabs.length;
    this.#activate(this.panes[next]);
    this.tabs[next].focus();
  }

  #looked() {
    if (document.visibilityState === "hidden") return;
    this.panes.forEach((pane) => pane.connection.hurry());
    this.active.markRead();
  }
}

new Demo(document.querySelector("[data-demo]")).start();
