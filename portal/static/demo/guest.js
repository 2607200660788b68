/**
 * The demo as somebody whom the app does not know: the publishable key makes a guest, and the channel's owner, Ada, lets
 * it in. That is asked of the portal in her name, because a guest adds nobody, not even itself.
 */
import { Channel } from "./channel.js";
import { host } from "./connection.js";
import { part } from "./elements.js";
import { Pane } from "./pane.js";
import { Portal } from "./portal.js";
import { Visitor } from "./visitor.js";
import { Wire } from "./wire.js";

const AGAIN_AFTER = 3000;

class GuestPage {
  constructor(root) {
    this.root = root;
    const { app, node, key, session, csrf, usage, hosts } = root.dataset;
    Object.assign(this, { app, node, key, usageUrl: usage });
    this.hosts = new Portal({ sessionUrl: session, csrf, node });
    const [ada, grace] = hosts.split(" ").map((user) => host({ url: node, key, user, tokens: this.hosts }));
    Object.assign(this, { ada, channel: new Channel(ada, grace) });
    this.portal = new Visitor({ app, node, key });
    this.log = new Wire(part(root, "wire"));
    this.door = part(root, "door");
    this.door.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#enter();
    });
    part(root, "leave").addEventListener("click", () => this.#leave());
    window.addEventListener("online", () => this.hurry());
    for (const event of ["focus", "visibilitychange"]) window.addEventListener(event, () => this.pane?.markRead());
    window.addEventListener("blur", () => this.pane?.left());
    if (this.portal.known) this.#begin();
    else this.#show(false);
  }

  async #enter() {
    const button = part(this.door, "enter");
    if (button.disabled) return;
    const alert = part(this.door, "alert");
    button.disabled = true;
    alert.hidden = true;
    try {
      await this.portal.enter(this.door.elements.name.value.trim());
      this.#begin();
    } catch (error) {
      part(alert, "words").textContent = error.code ? error.message : `${this.node} does not answer. Is the node running?`;
      alert.hidden = false;
    } finally {
      button.disabled = false;
    }
  }

  /** Another guest next time. */
  #leave() {
    this.portal.leave();
    location.reload();
  }

  #begin() {
    const root = part(this.root, "pane");
    const { user_id, name } = this.portal.known;
    Object.assign(root.dataset, { user: user_id, name: name ?? "Guest" });
    root.querySelector("h2").textContent = root.dataset.name;
    root.querySelector(".pane-head .avatar").textContent = [...root.dataset.name][0];
    part(this.root, "guest-id").textContent = user_id;
    this.#show(true);
    this.pane = new Pane(root, this);
    this.#letIn();
  }

  /** Until the channel has taken the guest in. */
  async #letIn() {
    const { pane } = this;
    try {
      await this.channel.open();
      await this.ada.call("PUT", `/v1/channels/${this.channel.id}/members/${pane.user}`, { role: "guest" });
      [this.ada, this.channel.guest].forEach((host) => host.connection.close());
      pane.session.trouble = null;
      if (!pane.session.places.current) pane.open(this.channel.id, { look: false });
      if (pane.connection.state !== "off") pane.connection.connect();
    } catch (error) {
      pane.session.fail(error);
      this.retry = setTimeout(() => this.#letIn(), AGAIN_AFTER);
    }
  }

  #show(inside) {
    part(this.root, "door").hidden = inside;
    part(this.root, "inside").hidden = !inside;
  }

  // -- for the pane ----------------------------------------------------------------------------------------------------

  attends() {
    return document.visibilityState === "visible" && document.hasFocus();
  }

  badges(pane) {
    return this.root.querySelectorAll(`[data-badge="${pane.root.id.replace("pane-", "")}"]`);
  }

  wire(line) {
    this.log.add(line);
  }

  askPortal() {
    this.hosts.ask().catch(() => {});
  }

  hurry() {
    if (!this.pane) return;
    clearTimeout(this.retry);
    if (this.channel.id) this.pane.connection.hurry();
    else this.#letIn();
  }
}

new GuestPage(document.querySelector("[data-guest]"));
