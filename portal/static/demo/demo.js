/** The live demo: two users of the app, side by side, each with a connection of its own. */
import { Channel } from "./channel.js";
import { Pane } from "./pane.js";
import { Portal } from "./portal.js";
import { Wire } from "./wire.js";

const AGAIN_AFTER = 3000;
const BOTH = "both";

class Demo {
  constructor(root) {
    this.root = root;
    const { app, node, key, session, conversation, csrf, usage } = root.dataset;
    Object.assign(this, { app, node, key, usageUrl: usage });
    this.portal = new Portal({ sessionUrl: session, conversationUrl: conversation, csrf, node });
    this.log = new Wire(root.querySelector("[data-part=wire]"));
    this.panes = [...root.querySelectorAll("[data-part=pane]")].map((pane) => new Pane(pane, this));
    this.channel = new Channel(this.panes[0].session.rest, this.panes[1].session.rest);
    this.active = this.panes.find((pane) => pane.root.hasAttribute("data-active")) ?? this.panes[0];
    // What is kept in the browser is shown before anything was asked of the network.
    this.panes.forEach((pane) => {
      if (pane.session.keep.channel) pane.open(pane.session.keep.channel, { look: false });
      pane.connection.begin();
    });
    this.#listen();
  }

  /** Open the channel, then connect both. Tries again until the node answers. */
  async start() {
    try {
      await this.channel.open();
      this.panes.forEach((pane) => {
        pane.session.trouble = null;
        if (!pane.session.places.current) pane.open(this.channel.id, { look: false });
        if (pane.connection.state !== "off") pane.connection.connect();
      });
    } catch (error) {
      this.panes.forEach((pane) => pane.session.fail(error));
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

  /** Whether the channel is the one in which a conversation can be begun for the two. */
  begins(channel) {
    return channel === this.channel.id;
  }

  /** Whoever asks while it goes on gets the same. */
  begin() {
    this.beginning ??= this.portal.begin(this.channel.id).finally(() => (this.beginning = null));
    return this.beginning;
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
    this.views = [...this.root.querySelectorAll("[data-view-of]")];
    this.views.forEach((button) => button.addEventListener("click", () => this.#view(button.dataset.viewOf)));
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
      pane.root.querySelectorAll("[role=log]").forEach((log) => log.setAttribute("aria-live", on ? "polite" : "off"));
      this.tabs[index].setAttribute("aria-selected", String(on));
      this.tabs[index].tabIndex = on ? 0 : -1;
      if (on && pane.conversation.list.pinned) pane.conversation.list.end();
    });
  }

  /** Both users side by side, or one of them over the whole width: the address says which, so that it can be shared. */
  #view(who) {
    const url = new URL(location.href);
    if (who === BOTH) url.searchParams.delete("as");
    else url.searchParams.set("as", who);
    history.replaceState(null, "", url);
    this.root.dataset.as = who;
    this.views.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.viewOf === who)));
    const pane = this.panes.find((each) => each.user === who);
    if (pane) this.#activate(pane);
    this.panes.forEach((each) => each.draw());
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
