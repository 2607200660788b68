/** Draws the timeline: only what changed is touched, so that focus, selection and the place on the screen stay. */
import { drawDay, drawMessage, drawNew } from "./rows.js";
import { timeline } from "./timeline.js";

const NEAR_END = 48;
const LOAD_AHEAD = 200;
const DRAW = { day: drawDay, new: drawNew, message: drawMessage };

export class MessageList {
  /** `act(verb, id, text)` is called for edit, delete, retry and discard; `older()` loads a page, resolves when drawn. */
  constructor(pane, store, { act, older, moved }) {
    Object.assign(this, { pane, store, act, older, moved });
    this.log = pane.querySelector("[data-part=log]");
    this.rows = pane.querySelector("[data-part=rows]");
    this.beginning = pane.querySelector("[data-part=beginning]");
    this.jump = pane.querySelector("[data-part=jump]");
    this.drawn = new Map();
    /** At the newest message, and to be kept there. */
    this.pinned = true;
    this.position = 0;
    this.seen = 0;
    this.editing = null;
    this.confirming = null;
    this.loadingOlder = false;
    this.#listen();
  }

  render() {
    this.#look();
    const anchor = this.pinned ? null : this.#anchor();
    const { me, newAfter, loaded, hasBefore } = this.store;
    const messages = this.store.view();
    this.#patch(timeline(messages, { me, newAfter, now: new Date() }));
    this.pane.dataset.content = messages.length ? "messages" : loaded ? "empty" : "loading";
    this.beginning.hidden = !loaded || hasBefore || !messages.length;
    if (anchor) this.log.scrollTop += anchor.row.offsetTop - anchor.top;
    else this.#toEnd();
    this.position = this.log.scrollTop;
    this.#countBelow();
  }

  /** Go to the newest message. */
  end({ smooth = false } = {}) {
    this.pinned = true;
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
    const own = this.store.view().filter((message) => message.user_id === this.store.me && !message.deleted_at);
    if (own.length) this.edit(own.at(-1).id);
  }

  confirm(id) {
    this.confirming = id;
    this.editing = null;
    this.render();
    this.#row(id)?.querySelector("[data-do=keep]")?.focus();
  }

  /** Leave editing or the question, with the focus back on the message. */
  settle(id) {
    this.editing = this.confirming = null;
    this.render();
    this.#row(id)?.focus();
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
    const signature = JSON.stringify([item, mode, this.pane.dataset.state]);
    const known = this.drawn.get(id);
    if (known?.signature === signature) return known.row;
    const row = known?.row ?? document.createElement("li");
    // An open editor is left alone, whatever happens to the message meanwhile.
    if (!(known?.mode === "editing" && mode === "editing")) {
      DRAW[item.kind](row, item, { mode, pane: this.pane, online: this.pane.dataset.state === "online" });
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
    this.pinned = scrollHeight - scrollTop - clientHeight < NEAR_END;
  }

  /** The first row in sight and where it stands. */
  #anchor() {
    const top = this.log.scrollTop;
    const row = [...this.rows.children].find((child) => child.offsetTop + child.offsetHeight > top);
    return row && { row, top: row.offsetTop };
  }

  #toEnd(smooth = false) {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.log.scrollTo({ top: this.log.scrollHeight, behavior: smooth && !calm ? "smooth" : "instant" });
  }

  #countBelow() {
    if (this.pinned) this.seen = this.store.lastNumber;
    const below = Math.max(0, this.store.lastNumber - this.seen);
    this.jump.hidden = this.pinned;
    this.jump.querySelector("[data-part=jump-count]").textContent = below ? String(below) : "";
    this.jump.setAttribute("aria-label", below ? `Jump to latest, ${below} new` : "Jump to latest");
  }

  async #loadOlder() {
    if (this.loadingOlder || !this.store.hasBefore) return;
    this.loadingOlder = true;
    this.pane.dataset.older = "loading";
    try {
      await this.older();
    } finally {
      this.loadingOlder = false;
      delete this.pane.dataset.older;
    }
  }

  // -- what the user does ----------------------------------------------------------------------------------------------

  #listen() {
    this.log.addEventListener("scroll", () => {
      this.#look();
      if (this.position < LOAD_AHEAD) this.#loadOlder();
      this.#countBelow();
      this.moved();
    });
    new ResizeObserver(() => this.pinned && this.#toEnd()).observe(this.log);
    this.jump.addEventListener("click", () => this.end({ smooth: true }));
    this.rows.addEventListener("click", (event) => this.#clicked(event));
    this.log.addEventListener("keydown", (event) => this.#key(event));
    this.#longPress();
  }

  #clicked(event) {
    const verb = event.target.closest("[data-do]")?.dataset.do;
    const row = event.target.closest("li[data-id]");
    if (verb && row) this.#do(verb, row.dataset.id, row);
  }

  #do(verb, id, row) {
    if (verb === "edit") return this.edit(id);
    if (verb === "delete") return this.confirm(id);
    if (verb === "keep" || verb === "cancel") return this.settle(id);
    const text = row.querySelector("textarea")?.value.trim();
    if (verb === "save" && !text) return this.confirm(id);
    this.act(verb, id, text);
    return this.settle(id);
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
    } else if (event.target === row && row.dataset.own !== undefined && event.key === "e") {
      this.edit(row.dataset.id);
    } else if (event.target === row && row.dataset.own !== undefined && event.key === "Delete") {
      this.confirm(row.dataset.id);
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
      timer = setTimeout(() => row.focus(), 450);
    });
    for (const end of ["pointerup", "pointercancel", "pointermove"]) this.rows.addEventListener(end, stop);
    this.rows.addEventListener("contextmenu", (event) => event.pointerType === "touch" && event.preventDefault());
  }
}
