/** One user's place on the page: the list of channels, the one that is open, and what stands beside it. */
import { Beside } from "./beside.js";
import { muted } from "./channels.js";
import { Choices } from "./choices.js";
import { Conversation } from "./conversation.js";
import { Doorbell } from "./doorbell.js";
import { flag, part } from "./elements.js";
import { Founding } from "./founding.js";
import { Roster } from "./roster.js";
import { Session } from "./session.js";
import { statusOf } from "./status.js";
import { ago } from "./times.js";

export class Pane {
  #drawing = null;

  /**
   * `page` has `node`, `key`, `app`, `usageUrl`, `portal`, `wire(line)`, `askPortal()`, `attends(pane)`, and where there are two
   * users `begins(channel)` and `begin()`, see `Conversation`.
   */
  constructor(root, page) {
    Object.assign(this, { root, page, user: root.dataset.user, name: root.dataset.name });
    this.session = new Session({
      page,
      user: this.user,
      name: this.name,
      on: {
        changed: () => this.drawSoon(),
        reading: () => this.reading,
        wire: (direction, name, payload, took) => page.wire({ pane: this, direction, name, payload, took }),
        askPortal: () => page.askPortal(),
        gone: (id) => this.#gone(id),
      },
    });
    const draw = () => this.draw();
    this.roster = new Roster(part(root, "channels"), this.session, (id) => this.open(id));
    if (part(root, "founding")) new Founding(part(root, "channels"), this.session, (id) => this.open(id));
    this.doorbell = new Doorbell(part(root, "invites"), this.session, {
      open: (id) => this.open(id),
      left: () => part(root, "switch").focus(),
    });
    this.conversation = new Conversation(part(root, "conversation"), this.session, {
      draw,
      moved: () => this.markRead(),
      thread: (message) => this.beside.thread(message),
      pin: (...message) => this.beside.pinboard.toggle(...message),
      begins: (channel) => page.begins(channel),
      begin: () => page.begin(),
    });
    this.beside = new Beside(part(root, "beside"), this.session, this.conversation, draw);
    this.choices = new Choices(part(root, "choices"), this.session, () => this.session.channels.get(this.session.places.current?.id));
    part(root, "back").addEventListener("click", () => this.look("channels"));
    part(root, "wave").addEventListener("click", () => this.session.wave(this.session.places.current.id));
    part(root, "switch").addEventListener("click", () => this.#toggle());
    part(root, "again").addEventListener("click", () => page.hurry());
    root.addEventListener("keydown", (event) => this.#key(event));
    this.draw();
  }

  get connection() {
    return this.session.connection;
  }

  /** Open a channel, and look at it. */
  open(id, { look = true } = {}) {
    const same = this.session.places.current?.id === id;
    this.conversation.show(this.session.places.show(id));
    if (!same) this.beside.close();
    if (look) this.look("messages");
    this.draw();
    if (look && !matchMedia("(pointer: coarse)").matches) this.conversation.composer.focus();
  }

  /** Where there is room for one of them: the channels, or the messages of one. */
  look(at) {
    this.root.dataset.view = at;
    if (at === "channels") {
      this.beside.close();
      this.roster.draw();
      this.root.querySelector("[aria-current=true]")?.focus();
    } else this.markRead();
  }

  /** Whether its user sees new messages as they come. */
  get reading() {
    const { session, conversation } = this;
    const seen = part(this.root, "conversation").offsetParent !== null;
    const { current } = session.places;
    return seen && this.page.attends(this) && conversation.list.atEnd && !session.replaying && Boolean(current?.loaded);
  }

  async markRead() {
    const { session } = this;
    const place = session.places.current;
    if (!place || !this.reading || !place.unread || !session.online) return;
    const { id, lastNumber: number, marked } = place;
    if (marked === number) return;
    place.marked = number; // once: that it is read, an event tells
    try {
      await session.connection.emit("receipt.read", { channel_id: id, number });
    } catch {
      place.marked = null; // the next look or reconnect marks it
    }
  }

  /** Its user turned to the other pane or another window. */
  left() {
    const place = this.session.places.current;
    if (!place) return;
    place.marked = null; // who looks again has read again
    if (!place.unread) place.clearNew();
    this.drawSoon();
  }

  /** Draw in the next frame, once, however much happens until then. */
  drawSoon() {
    if (this.#drawing !== null) return;
    const frame = document.hidden ? (action) => setTimeout(action, 100) : requestAnimationFrame;
    this.#drawing = frame(() => {
      this.#drawing = null;
      this.draw();
    });
  }

  draw() {
    if (!this.beside) return;
    const { root, session, connection } = this;
    const status = statusOf(session);
    root.dataset.state = connection.state;
    root.dataset.tone = status.tone;
    setText(part(root, "status"), status.label);
    part(root, "bar").hidden = !status.bar;
    setText(part(root, "bar-text"), status.bar ?? "");
    part(root, "again").hidden = !status.again;
    const link = part(root, "bar-link");
    link.hidden = !status.link;
    if (status.link) [link.href, link.textContent] = [status.link.href, status.link.text];
    part(root, "switch").setAttribute("aria-checked", String(connection.state !== "off"));
    const unread = session.channels.unread + session.invites.pending().length;
    for (const badge of this.page.badges(this)) {
      badge.hidden = !unread;
      setText(part(badge, "count"), unread > 999 ? "999+" : String(unread));
    }
    this.#head();
    this.doorbell.draw();
    this.roster.draw();
    this.conversation.draw();
    this.beside.draw();
    this.markRead();
  }

  #head() {
    const { session, roster } = this;
    const place = session.places.current;
    const entry = place && session.channels.get(place.id);
    const others = session.channels.unread - (entry?.unread ?? 0);
    const back = part(this.root, "back-count");
    back.hidden = others <= 0;
    setText(back, others > 99 ? "99+" : String(others));
    flag(this.root, "opened", place);
    this.choices.draw();
    if (!entry) return;
    const title = roster.title(entry);
    const presence = entry.other && session.people.presence(entry.other);
    const line = this.#about(entry, place, presence);
    part(this.root, "wave").hidden = !entry.channel.capabilities?.includes("event.send") || !session.online;
    const signature = JSON.stringify([entry.id, title, presence?.status, line]);
    if (this.headed === signature) return;
    this.headed = signature;
    part(this.root, "channel-face").replaceChildren(roster.face(entry));
    setText(part(this.root, "channel-title"), title);
    setText(part(this.root, "channel-about"), line);
  }

  /** The line under a channel's name: where the other one is, or how many there are. */
  #about({ channel, other }, place, presence) {
    if (other) return presence ? whereabouts(presence) : "";
    const members = channel.member_count;
    const count = members === 1 ? "1 member" : `${members.toLocaleString()} members`;
    const is = (id) => id === this.user || ["online", "away"].includes(this.session.people.presence(id)?.status);
    const here = this.session.online && place.here(is);
    const states = [
      [channel.frozen, "frozen"],
      [channel.slow_mode, "slow mode"],
      [muted({ channel }), "muted"],
      [channel.membership?.archived_at, "archived"],
    ];
    const said = states.filter(([on]) => on).map(([, word]) => ` · ${word}`);
    return (here ? `${count}, ${here.toLocaleString()} online` : count) + said.join("");
  }

  #gone(id) {
    if (this.conversation.place?.id !== id) return;
    this.session.places.close(id);
    this.conversation.show(null);
    this.beside.close();
    this.look("channels");
    this.draw();
  }

  #key(event) {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    if (this.beside.isOpen) this.beside.close();
    else if (event.target.closest("[data-part=conversation]")) this.look("channels");
  }

  #toggle() {
    if (this.connection.state === "off") this.connection.connect();
    else this.connection.disconnect();
  }
}

function whereabouts({ status, text, last_active_at }) {
  const said = text ? ` · ${text}` : "";
  if (status === "online") return `Online${said}`;
  if (status === "away") return `Away${said}`;
  return last_active_at ? `Last seen ${ago(new Date(last_active_at), new Date())}${said}` : `Offline${said}`;
}

function setText(at, text) {
  if (at.textContent !== text) at.textContent = text;
}
