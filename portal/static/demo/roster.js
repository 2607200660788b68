/** The list of a user's channels. Only the rows in sight are in the page, however many channels there are. */
import { muted } from "./channels.js";
import { avatar, copy, element, flag, part } from "./elements.js";
import { shortly } from "./times.js";

const ROW = 64;
const BEYOND = 6;
export const SYMBOLS = { team: "icon-hash", livestream: "icon-live", support: "icon-support" };

export class Roster {
  #rows = new Map();
  #shown = [];
  #wish = "";
  #archive = false;

  /** `open(id)` is called for a channel that was chosen. */
  constructor(root, session, open) {
    Object.assign(this, { root, session, open });
    this.scroller = part(root, "roster");
    this.list = part(root, "roster-rows");
    this.search = part(root, "search");
    this.away = part(root, "archived");
    this.away.addEventListener("click", () => {
      this.#archive = !this.#archive;
      this.scroller.scrollTop = 0;
      this.draw();
    });
    this.scroller.addEventListener("scroll", () => this.#window());
    new ResizeObserver(() => this.#window()).observe(this.scroller);
    this.search.addEventListener("input", () => {
      this.#wish = this.search.value.trim().toLowerCase();
      this.scroller.scrollTop = 0;
      this.draw();
    });
    this.search.addEventListener("keydown", (event) => this.#searchKey(event));
    this.list.addEventListener("click", (event) => {
      const row = event.target.closest("[data-channel]");
      if (row) open(row.dataset.channel);
    });
    this.list.addEventListener("keydown", (event) => this.#key(event));
  }

  /** What a channel is called. */
  title({ id, channel, other }) {
    if (channel.name) return channel.name;
    if (channel.type !== "direct") return id;
    return other ? this.session.people.name(other) : "Direct message";
  }

  /** Its picture, with the presence of whom a direct one is with. */
  face(entry) {
    const presence = entry.other && this.session.people.presence(entry.other)?.status;
    return avatar(entry.other ?? entry.id, this.title(entry), { presence, symbol: SYMBOLS[entry.channel.type] });
  }

  draw() {
    const { channels, places } = this.session;
    const archived = channels.sorted({ archived: true });
    this.#archive &&= archived.length > 0;
    this.away.hidden = !archived.length;
    flag(this.away, "on", this.#archive);
    const words = this.#archive ? "All channels" : `Archived, ${archived.length}`;
    if (part(this.away, "words").textContent !== words) part(this.away, "words").textContent = words;
    const all = this.#archive ? archived : channels.sorted();
    this.#shown = this.#wish ? all.filter((entry) => this.title(entry).toLowerCase().includes(this.#wish)) : all;
    this.current = places.current?.id;
    this.root.dataset.content = all.length ? (this.#shown.length ? "rows" : "nothing") : channels.loaded ? "empty" : "loading";
    this.list.style.blockSize = `${this.#shown.length * ROW}px`;
    this.#window();
  }

  #window() {
    const { scrollTop, clientHeight } = this.scroller;
    if (!clientHeight) return;
    const from = Math.max(0, Math.floor(scrollTop / ROW) - BEYOND);
    const to = Math.min(this.#shown.length, Math.ceil((scrollTop + clientHeight) / ROW) + BEYOND);
    const wanted = this.#shown.slice(from, to);
    const ids = new Set(wanted.map((entry) => entry.id));
    for (const [id, row] of this.#rows) {
      if (ids.has(id)) continue;
      row.remove();
      this.#rows.delete(id);
    }
    wanted.forEach((entry, index) => {
      const row = this.#rows.get(entry.id) ?? this.#make(entry.id);
      this.#fill(row, entry);
      row.style.insetBlockStart = `${(from + index) * ROW}px`;
      row.setAttribute("aria-posinset", String(from + index + 1));
      row.setAttribute("aria-setsize", String(this.#shown.length));
      if (this.list.children[index] !== row) this.list.insertBefore(row, this.list.children[index] ?? null);
    });
    const current = this.#rows.get(this.current) ?? this.list.firstElementChild;
    for (const row of this.list.children) row.firstElementChild.tabIndex = row === current ? 0 : -1;
    if (this.session.online) this.session.look([...ids]);
  }

  #make(id) {
    const row = copy("channel");
    row.dataset.channel = id;
    this.#rows.set(id, row);
    return row;
  }

  #fill(row, entry) {
    const { people } = this.session;
    const title = this.title(entry);
    const presence = entry.other && people.presence(entry.other)?.status;
    const line = this.#line(entry);
    const quiet = muted(entry);
    const current = entry.id === this.current;
    const pinned = entry.channel.membership?.pin_order != null;
    const signature = JSON.stringify([title, presence, line, entry.unread, entry.at, quiet, pinned, current, new Date().getDate()]);
    if (row.signature === signature) return;
    row.signature = signature;
    part(row, "face").replaceChildren(this.face(entry));
    part(row, "title").textContent = title;
    const when = part(row, "when");
    when.textContent = entry.last ? shortly(new Date(entry.at), new Date()) : "";
    const preview = part(row, "preview");
    preview.replaceChildren(line.who ? element("span", "", `${line.who}: `) : "", line.text);
    preview.dataset.kind = line.kind;
    const badge = part(row, "badge");
    badge.hidden = !entry.unread;
    badge.textContent = entry.unread > 999 ? "999+" : String(entry.unread);
    badge.setAttribute("aria-label", `${entry.unread} unread`);
    flag(badge, "quiet", quiet);
    part(row, "muted").hidden = !quiet;
    part(row, "pinned").hidden = !pinned;
    flag(row, "unread", entry.unread);
    const button = row.firstElementChild;
    if (current) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }

  /** The second line: who types, or what was said last. */
  #line({ typing, last, channel }) {
    const { people, user } = this.session;
    const who = typing.map((id) => people.name(id));
    if (who.length) return { kind: "typing", text: who.length === 1 ? `${who[0]} is typing` : `${who.length} are typing` };
    if (last === undefined) return { kind: "loading", text: "" };
    if (!last) return { kind: "none", text: "No messages yet" };
    const name = last.user_id === user ? "You" : channel.type === "direct" ? "" : people.name(last.user_id).split(" ")[0];
    if (last.deleted_at) return { kind: "gone", who: name, text: "Message deleted" };
    return { kind: "said", who: name, text: last.text.slice(0, 120) };
  }

  #key(event) {
    const row = event.target.closest("[data-channel]");
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!row || !step) return;
    event.preventDefault();
    const at = this.#shown.findIndex((entry) => entry.id === row.dataset.channel) + step;
    this.#focus(at);
  }

  #searchKey(event) {
    if (event.key === "ArrowDown") this.#focus(0);
    else if (event.key === "Enter" && this.#shown.length) this.open(this.#shown[0].id);
    else if (event.key === "Escape" && this.search.value) {
      this.search.value = this.#wish = "";
      this.draw();
    } else return;
    event.preventDefault();
  }

  #focus(at) {
    const entry = this.#shown[at];
    if (!entry) return at < 0 && this.search.focus();
    const { scrollTop, clientHeight } = this.scroller;
    if (at * ROW < scrollTop) this.scroller.scrollTop = at * ROW;
    else if ((at + 1) * ROW > scrollTop + clientHeight) this.scroller.scrollTop = (at + 1) * ROW - clientHeight;
    this.#window();
    return this.#rows.get(entry.id)?.firstElementChild.focus();
  }
}
