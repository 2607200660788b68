/** Draws the timeline of a place: only what changed is touched, so that focus, selection and the place on the screen stay. */
import { part } from "./elements.js";
import { drawDay, drawMessage, drawNew } from "./rows.js";
import { timeline } from "./timeline.js";

const KEYS = { e: "edit", Delete: "delete", r: "quote", t: "thread", "+": "react", p: "pin", z: "restore" };
/** What ends an edit, or answers a question. */
const SETTLES = new Set(["save", "remove", "hide", "retry", "discard", "restore"]);
const NEAR_END = 48;
const LOAD_AHEAD = 200;
const DRAW = { day: drawDay, new: drawNew, message: drawMessage };

export class MessageList {
  /**
   * `act(verb, id, detail)` is called for whatever is done to a message. `older()`, `newer()` and `latest()` load, and
   * resolve when drawn. `around()` says what rows need to know, see `drawMessage`.
   */
  constructor(root, { act, older, newer, latest, moved, around }) {
    Object.assign(this, { root, act, older, newer, latest, moved, around });
    this.log = part(root, "log");
    this.rows = part(root, "rows");
    this.beginning = part(root, "beginning");
    this.jump = part(root, "jump");
    this.#listen();
    this.show(null);
  }

  /** Draw another place from now on, from its newest message. */
  show(place) {
    this.place = place;
    this.drawn = new Map();
    this.rows.replaceChildren();
    /** At the newest message, and to be kept there. */
    this.pinned = true;
    this.position = 0;
    this.seen = 0;
    this.editing = null;
    this.confirming = null;
    this.loading = false;
  }

  render() {
    if (!this.place) return;
    this.context = this.around();
    this.#look();
    const anchor = this.pinned ? null : this.#anchor();
    if (this.pinned) this.place.trim();
    const { me, newAfter, loaded, hasBefore, hasAfter, readers } = this.place;
    const messages = this.place.view();
    this.#patch(timeline(messages, { me, newAfter, now: new Date(), readers, named: this.context.authors }));
    this.root.dataset.content = this.place.problem ? "failed" : messages.length ? "messages" : loaded ? "empty" : "loading";
    this.beginning.hidden = !loaded || hasBefore || !messages.length;
    if (anchor?.row.isConnected) this.log.scrollTop += anchor.row.offsetTop - anchor.top;
    else if (this.pinned && !hasAfter) this.#toEnd();
    this.position = this.log.scrollTop;
    this.#countBelow();
  }

  /** Whether the newest message is in sight. */
  get atEnd() {
    return this.pinned && Boolean(this.place) && !this.place.hasAfter;
  }

  /** Bring a message of the window into sight, marked for a moment. */
  reveal(id) {
    const row = this.#row(id);
    if (!row) return false;
    this.pinned = false;
    row.scrollIntoView({ block: "center" });
    this.position = this.log.scrollTop;
    row.classList.remove("found");
    requestAnimationFrame(() => row.classList.add("found"));
    row.focus({ preventScroll: true });
    this.#countBelow();
    return true;
  }

  /** Go to the newest message. */
  async end({ smooth = false } = {}) {
    if (!this.place) return;
    this.pinned = true;
    if (this.place.hasAfter) await this.latest();
    this.#toEnd(smooth);
    this.#countBelow();
    this.moved();
  }

  edit(id) {
    this.editing = id;
    this.confirming = null;
    this.render();
    this.#row(id)?.querySelector("textarea")?.focus();
  }

  editLast() {
    const own = this.place.view().filter((message) => message.user_id === this.place.me && !message.deleted_at);
    if (own.length) this.edit(own.at(-1).id);
  }

  confirm(id) {
    this.confirming = id;
    this.editing = null;
    this.render();
    this.#row(id)?.querySelector("[data-do=keep]")?.focus();
  }

  /** Leave editing or the question, with the focus back on the message, or on another one where it is gone. */
  settle(id, other = this.log) {
    this.editing = this.confirming = null;
    this.render();
    (this.#row(id) ?? other).focus();
  }

  #patch(items) {
    const wanted = new Set(items.map((item) => item.key));
    for (const [key, { row }] of this.drawn) {
      if (!wanted.has(key)) {
        row.remove();
        this.drawn.delete(key);
      }
    }
    let place = this.rows.firstElementChild;
    for (const item of items) {
      const row = this.#draw(item);
      if (row === place) place = place.nextElementSibling;
      else this.rows.insertBefore(row, place);
    }
  }

  #draw(item) {
    const id = item.key;
    const mode = this.editing === id ? "editing" : this.confirming === id ? "confirming" : "reading";
    const around = this.context;
    const more = item.kind === "message" && [around.names(item), around.versions(item.message)];
    const signature = JSON.stringify([item, mode, around.online, around.rights, more]);
    const known = this.drawn.get(id);
    if (known?.signature === signature) return known.row;
    const row = known?.row ?? document.createElement("li");
    // An open editor is left alone, whatever happens to the message meanwhile.
    if (!(known?.mode === "editing" && mode === "editing")) {
      const focused = known?.mode === mode && row.contains(document.activeElement) ? document.activeElement.dataset : {};
      DRAW[item.kind](row, item, { mode, around });
      if (focused.do) (same(row, focused) ?? row).focus({ preventScroll: true });
    }
    this.drawn.set(id, { row, signature, mode });
    return row;
  }

  #row(id) {
    return this.drawn.get(id)?.row;
  }

  // -- the place on the screen -----------------------------------------------------------------------------------------

  /** Where the user has scrolled to. Asked before drawing, too: the browser tells of a scroll a frame later. */
  #look() {
    const { scrollTop, clientHeight, scrollHeight } = this.log;
    if (scrollTop === this.position) return;
    this.position = scrollTop;
    this.pinned = scrollHeight - scrollTop - clientHeight < NEAR_END && !this.place?.hasAfter;
  }

  /** The first message in sight and where it stands: a day's line moves up when older messages of that day come. */
  #anchor() {
    const top = this.log.scrollTop;
    const row = [...this.rows.children].find((child) => child.dataset.id && child.offsetTop + child.offsetHeight > top);
    return row && { row, top: row.offsetTop };
  }

  #toEnd(smooth = false) {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    // A long way is not scrolled through: whatever is drawn meanwhile would stop it on the way.
    const near = this.log.scrollHeight - this.log.scrollTop < 3 * this.log.clientHeight;
    this.log.scrollTo({ top: this.log.scrollHeight, behavior: smooth && near && !calm ? "smooth" : "instant" });
  }

  #countBelow() {
    if (this.atEnd) this.seen = this.place.lastNumber;
    const below = Math.max(0, this.place.lastNumber - this.seen);
    this.jump.hidden = this.pinned && !this.place.hasAfter;
    this.jump.querySelector("[data-part=jump-count]").textContent = below ? String(below) : "";
    this.jump.setAttribute("aria-label", below ? `Jump to latest, ${below} new` : "Jump to latest");
  }

  async #load(more, mark) {
    if (this.loading) return;
    this.loading = true;
    this.root.dataset[mark] = "loading";
    try {
      await more();
    } finally {
      this.loading = false;
      delete this.root.dataset[mark];
    }
  }

  // -- what the user does ----------------------------------------------------------------------------------------------

  #listen() {
    this.log.addEventListener("scroll", () => {
      this.#look();
      if (!this.place) return;
      const left = this.log.scrollHeight - this.position - this.log.clientHeight;
      if (this.position < LOAD_AHEAD && this.place.hasBefore) this.#load(this.older, "older");
      else if (left < LOAD_AHEAD && this.place.hasAfter) this.#load(this.newer, "newer");
      this.#countBelow();
      this.moved();
    });
    new ResizeObserver(() => this.atEnd && this.#toEnd()).observe(this.log);
    this.jump.addEventListener("click", () => this.end({ smooth: true }));
    this.rows.addEventListener("click", (event) => this.#clicked(event));
    this.log.addEventListener("keydown", (event) => this.#key(event));
    this.#longPress();
  }

  #clicked(event) {
    const button = event.target.closest("[data-do]");
    const row = event.target.closest("li[data-id]");
    if (button && row) this.#do(button.dataset.do, row.dataset.id, row, button);
  }

  #do(verb, id, row, button) {
    if (verb === "edit") return this.edit(id);
    if (verb === "delete") return this.confirm(id);
    if (verb === "keep" || verb === "cancel") return this.settle(id);
    if (SETTLES.has(verb)) {
      const text = row.querySelector("textarea")?.value.trim();
      if (verb === "save" && !text) return this.confirm(id);
      const other = [row.nextElementSibling, row.previousElementSibling].find((each) => each?.dataset.id);
      this.act(verb, id, { text });
      return this.settle(id, other);
    }
    return this.act(verb, id, { emoji: button?.dataset.emoji, target: button?.dataset.target, button: button ?? row, row });
  }

  #key(event) {
    const row = event.target.closest("li[data-id]");
    if (event.target.matches("textarea")) {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) this.#do("save", row.dataset.id, row);
      else if (event.key === "Escape") this.settle(row.dataset.id);
      else return;
    } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      this.#walk(row, event.key === "ArrowUp" ? -1 : 1);
    } else if (event.key === "Escape" && this.confirming) {
      this.settle(this.confirming);
    } else if (event.key === "Escape" && row?.querySelector("[data-do=versions][aria-expanded=true]")) {
      this.act("versions", row.dataset.id, {});
      row.focus();
    } else if (event.target === row && KEYS[event.key]) {
      const button = row.querySelector(`[data-part=actions] [data-do=${KEYS[event.key]}]`);
      if (!button) return;
      this.#do(KEYS[event.key], row.dataset.id, row, button);
    } else return;
    event.preventDefault();
  }

  #walk(row, step) {
    const all = [...this.rows.querySelectorAll("li[data-id]")];
    const next = row ? all[all.indexOf(row) + step] : all.at(-1);
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  }

  /** A finger has no hover: holding a message shows what can be done with it. */
  #longPress() {
    let timer = null;
    const stop = () => clearTimeout(timer);
    this.rows.addEventListener("pointerdown", (event) => {
      const row = event.target.closest("li[data-id]");
      if (event.pointerType !== "touch" || !row) return;
      timer = setTimeout(() => row.focus({ preventScroll: true }), 450);
    });
    for (const end of ["pointerup", "pointercancel", "pointermove"]) this.rows.addEventListener(end, stop);
    this.rows.addEventListener("contextmenu", (event) => event.pointerType === "touch" && event.preventDefault());
  }
}

/** The button of a row that was drawn anew which does what another did. */
function same(row, { do: verb, emoji }) {
  return row.querySelector(emoji ? `[data-do="${verb}"][data-emoji="${emoji}"]` : `[data-do="${verb}"]`);
}
