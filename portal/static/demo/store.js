/**
 * One user's view of the channel: what the server said, and on top of it what this user did and the server has not
 * acknowledged. Whatever is drawn is computed from these two, so nothing has to be taken back.
 */
import { messageId } from "./ids.js";

export class Store {
  #listeners = new Set();
  /** What came while the history was being asked for; null at other times. */
  #meanwhile = null;

  constructor(me, keep) {
    this.me = me;
    this.keep = keep;
    /** Acknowledged messages by id. */
    this.messages = new Map();
    /** What waits for its acknowledgement, oldest first: `{key, kind: send|edit|delete, id, text, at, tried, error}`. */
    this.operations = keep.operations();
    this.loaded = false;
    this.hasBefore = false;
    this.applied = 0;
    this.lastNumber = 0;
    this.readNumber = 0;
    /** Messages of others with a higher number stand below the "New" line; null for no line. */
    this.newAfter = null;
  }

  subscribe(listener) {
    this.#listeners.add(listener);
  }

  changed() {
    for (const listener of this.#listeners) listener();
  }

  get unread() {
    return Math.max(0, this.lastNumber - this.readNumber);
  }

  /** Whether the history has yet to be asked for, or asked for again. */
  get incomplete() {
    return !this.loaded || this.#meanwhile !== null;
  }

  // -- what the server says --------------------------------------------------------------------------------------------

  /** The history is being asked for: what comes meanwhile is kept, because the answer may be older. */
  opening() {
    this.#meanwhile ??= [];
  }

  /** The channel and its newest messages, on the first load and when a resume was not possible. The page must not be
   * older than the channel: from the channel's `seq` on, events tell. */
  open(channel, page) {
    this.messages.clear();
    this.hasBefore = page.has_before;
    this.loaded = true;
    this.applied = channel.seq;
    this.lastNumber = channel.last_number;
    this.readNumber = channel.membership?.read_number ?? 0;
    this.newAfter = this.unread ? this.readNumber : null;
    page.messages.forEach((message) => this.#take(message));
    const kept = this.#meanwhile ?? [];
    this.#meanwhile = null;
    kept.forEach((apply) => apply());
    this.changed();
  }

  older(page) {
    page.messages.forEach((message) => this.#take(message));
    this.hasBefore = page.has_before;
    this.changed();
  }

  /** An event of the channel's log; whether it was new. A resume may repeat events: those are dropped by `seq`. */
  event({ type, seq, data }, reading) {
    if (this.#meanwhile) {
      this.#meanwhile.push(() => this.event({ type, seq, data }, reading));
      return false;
    }
    if (!this.loaded || seq <= this.applied) return false;
    this.applied = seq;
    if (!data.message) return true;
    if (type === "message.created") this.#count(data.message, reading);
    this.#take(data.message);
    this.changed();
    return true;
  }

  /** This user's read position moved, here or on another device. */
  read({ read_number }) {
    if (this.#meanwhile) {
      this.#meanwhile.push(() => this.read({ read_number }));
      return;
    }
    this.readNumber = Math.max(this.readNumber, read_number);
    this.changed();
  }

  clearNew() {
    if (this.newAfter === null) return;
    this.newAfter = null;
    this.changed();
  }

  #count(message, reading) {
    const own = message.user_id === this.me;
    if (!own && this.newAfter === null && !reading) this.newAfter = this.lastNumber;
    this.lastNumber = Math.max(this.lastNumber, message.number);
    if (own) this.readNumber = Math.max(this.readNumber, message.number);
  }

  #take(message) {
    const known = this.messages.get(message.id);
    // A page of history and an event may cross: the later state stands, and a deletion is final.
    if (known && (known.deleted_at || known.updated_at > message.updated_at)) return;
    this.messages.set(message.id, message);
    // It is stored, whatever became of the answer to its sending.
    const sent = this.operations.find((op) => op.kind === "send" && op.id === message.id && op.error);
    if (sent) this.#remove(sent);
  }

  // -- what this user does ---------------------------------------------------------------------------------------------

  send(text) {
    const id = messageId();
    this.newAfter = null;
    this.#add({ key: id, kind: "send", id, text });
  }

  edit(id, text) {
    const waiting = this.operations.find((op) => op.id === id && op.kind !== "delete" && (!op.tried || op.error));
    if (waiting) this.#update(waiting, { text, error: null });
    else if (this.#shown(id)?.text !== text) this.#add({ key: messageId(), kind: "edit", id, text });
  }

  remove(id) {
    const unsent = this.operations.find((op) => op.id === id && op.kind === "send" && (!op.tried || op.error));
    this.operations.filter((op) => op.id === id && op.kind === "edit" && !op.tried).forEach((op) => this.#remove(op));
    if (unsent) this.#remove(unsent);
    else this.#add({ key: messageId(), kind: "delete", id, text: "" });
    this.changed();
  }

  /** Give up a change that was refused. */
  discard(id) {
    this.operations.filter((op) => op.id === id && op.error).forEach((op) => this.#remove(op));
    this.changed();
  }

  /** Try what was refused once more, with the same id. */
  retry(id) {
    this.operations.filter((op) => op.id === id && op.error).forEach((op) => this.#update(op, { error: null }));
  }

  // -- for the outbox --------------------------------------------------------------------------------------------------

  next() {
    return this.operations.find((op) => !op.error);
  }

  /** From now on the server may know of it, so it cannot be changed in place any more. */
  tried(op) {
    this.#update(op, { tried: true });
  }

  acknowledged(op, message) {
    this.#remove(op);
    if (op.kind === "send") this.#count(message, true);
    this.#take(message);
    this.changed();
  }

  refused(op, error) {
    this.#update(op, { error });
  }

  #add(op) {
    const whole = { at: new Date().toISOString(), tried: false, error: null, ...op };
    this.operations.push(whole);
    this.keep.put(whole);
    this.changed();
  }

  #update(op, fields) {
    Object.assign(op, fields);
    this.keep.put(op);
    this.changed();
  }

  #remove(op) {
    this.operations = this.operations.filter((other) => other !== op);
    this.keep.drop(op);
  }

  // -- what is drawn ---------------------------------------------------------------------------------------------------

  /** The messages as this user sees them: `state` is `stored`, `waiting` or `refused`. */
  view() {
    const rows = [...this.messages.values()].sort((a, b) => a.seq - b.seq);
    const shown = new Map(rows.map((message) => [message.id, { ...message, state: "stored" }]));
    for (const op of this.operations) {
      const before = shown.get(op.id) ?? this.#blank(op);
      if (op.kind === "send" && shown.has(op.id)) continue;
      if (!before) continue;
      const state = op.error ? "refused" : "waiting";
      const change = op.kind === "delete" ? { removing: true } : { text: op.text, changed: op.kind === "edit" };
      shown.set(op.id, { ...before, ...change, state, kind: op.kind, error: op.error });
    }
    return [...shown.values()];
  }

  #shown(id) {
    return this.view().find((message) => message.id === id);
  }

  #blank(op) {
    if (op.kind !== "send") return null; // an edit of a message that is on an older page
    const times = { created_at: op.at, updated_at: op.at, deleted_at: null };
    return { id: op.id, user_id: this.me, text: op.text, number: null, seq: null, ...times };
  }
}
