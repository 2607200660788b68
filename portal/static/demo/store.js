/**
 * One user's view of the messages of a channel, or of a thread in it: a window of what the server said, and on top of it
 * what this user did and the server has not acknowledged. Whatever is drawn is computed from these two, so nothing has to
 * be taken back.
 */
import { Pins } from "./pins.js";

/** Messages that a window holds; beyond that the far end goes, and is asked for again when it is scrolled to. */
const MOST = 300;
/** Characters of a quoted message that are shown. */
const QUOTED = 200;

export class Store {
  #listeners = new Set();
  /** What came while the history was being asked for; null at other times. */
  #meanwhile = null;

  constructor({ me, channel, thread = null, operations, hidden }) {
    Object.assign(this, { me, channel, thread, all: operations, hidden });
    /** Acknowledged messages of the window by id. */
    this.messages = new Map();
    this.loaded = false;
    this.hasBefore = false;
    this.hasAfter = false;
    this.applied = 0;
    this.lastNumber = 0;
    this.readNumber = 0;
    /** Messages of others with a higher number stand below the "New" line; null for no line. */
    this.newAfter = null;
    this.pins = new Pins(() => this.changed());
  }

  subscribe(listener) {
    this.#listeners.add(listener);
  }

  changed() {
    for (const listener of this.#listeners) listener();
  }

  get operations() {
    return this.all.all.filter((op) => this.#owns(op));
  }

  get unread() {
    return this.hidden.unread(this.channel, this.lastNumber, this.readNumber);
  }

  /** Whether the history has yet to be asked for, or asked for again. */
  get incomplete() {
    return !this.loaded || this.#meanwhile !== null;
  }

  get first() {
    return Math.min(...[...this.messages.values()].map((message) => message.seq));
  }

  get last() {
    return Math.max(0, ...[...this.messages.values()].map((message) => message.seq));
  }

  /** When this user's newest message was sent, in ms; 0 for none. */
  get lastSent() {
    const sent = this.operations.filter((op) => op.kind === "send" && op.tried && !op.error).map((op) => op.at);
    for (const message of this.messages.values()) if (message.user_id === this.me) sent.push(message.created_at);
    return Math.max(0, ...sent.map(Date.parse));
  }

  #owns(op) {
    return op.channel === this.channel && (op.thread ?? null) === this.thread;
  }

  /** Whether a message stands in this window: a reply stands in its thread, and in the channel when it says so. */
  holds(message) {
    if (this.thread) return message.thread_id === this.thread;
    return !message.thread_id || Boolean(message.also_in_channel);
  }

  // -- what the server says --------------------------------------------------------------------------------------------

  /** The history is being asked for: what comes meanwhile is kept, because the answer may be older. */
  opening() {
    this.#meanwhile ??= [];
  }

  /** The channel, a page of messages and what is pinned, on the first load and when a resume was not possible. These must
   * not be older than the channel: from the channel's `seq` on, events tell. */
  open(channel, page, pins) {
    this.loaded = true;
    this.applied = channel.seq;
    this.lastNumber = channel.last_number;
    this.readNumber = Math.max(channel.membership?.read_number ?? 0, channel.truncated_number ?? 0);
    this.newAfter = this.unread && !this.thread ? this.readNumber : null;
    this.#window(page);
    this.pins.open(pins.filter((pin) => !this.hidden.has(pin.message_id)));
    const kept = this.#meanwhile ?? [];
    this.#meanwhile = null;
    kept.forEach((apply) => apply());
    this.changed();
  }

  /** Another window of the same messages. */
  replace(page) {
    this.#window(page);
    this.changed();
  }

  older(page) {
    page.messages.forEach((message) => this.#take(message));
    this.hasBefore = page.has_before;
    this.#trim("last");
    this.changed();
  }

  newer(page) {
    page.messages.forEach((message) => this.#take(message));
    this.hasAfter = page.has_after;
    this.#trim("first");
    this.changed();
  }

  #window(page) {
    this.messages.clear();
    this.hasBefore = page.has_before;
    this.hasAfter = page.has_after;
    page.messages.forEach((message) => this.#take(message));
  }

  /** Keep the window small by its far end. */
  #trim(end) {
    const over = this.messages.size - MOST;
    if (over <= 0) return;
    const rows = [...this.messages.values()].sort((a, b) => a.seq - b.seq);
    const gone = end === "last" ? rows.slice(-over) : rows.slice(0, over);
    gone.forEach((message) => this.messages.delete(message.id));
    if (end === "last") this.hasAfter = true;
    else this.hasBefore = true;
  }

  /** An event of the channel's log; whether it was new. A resume may repeat events: those are dropped by `seq`. */
  event(event, reading) {
    if (this.#meanwhile) {
      this.#meanwhile.push(() => this.event(event, reading));
      return false;
    }
    const { type, seq, data, actor } = event;
    if (!this.loaded || seq <= this.applied) return false;
    this.applied = seq;
    if (data.emoji) this.#reacted(type, data);
    if (data.thread) this.#threaded(data.thread);
    if (type === "channel.truncated") this.#truncated(data);
    if (!this.hidden.has(data.message_id)) this.pins.event(event, this.messages);
    const message = type === "message.deleted" ? { ...data.message, deleted_by: actor } : data.message;
    if (message) {
      if (type !== "message.created") this.#requote(message);
      const mine = this.holds(message);
      if (mine && type === "message.created") this.#count(message, reading);
      const known = this.messages.has(message.id);
      // Beyond the window's end it is only counted: it is loaded when one scrolls there. What else it does not have, it is
      // not to have: it was deleted for oneself.
      const fits = mine && (!this.hasAfter || (message.seq > this.first && message.seq < this.last));
      if (known || (fits && type === "message.created")) this.#take(message, type === "message.restored");
      if (reading && !this.hasAfter && this.messages.size > MOST + 50) this.#trim("first");
    }
    this.changed();
    return true;
  }

  /** This user's read position moved, here or on another device. */
  read({ read_number, marked_unread }) {
    if (this.#meanwhile) {
      this.#meanwhile.push(() => this.read({ read_number, marked_unread }));
      return;
    }
    this.readNumber = marked_unread ? read_number : Math.max(this.readNumber, read_number);
    if (marked_unread) this.newAfter = read_number;
    this.changed();
  }

  /** This user has deleted a message for itself, here or on another device. */
  hid({ message_id }) {
    this.messages.delete(message_id);
    this.pins.drop(message_id);
    this.changed();
  }

  clearNew() {
    if (this.newAfter === null) return;
    this.newAfter = null;
    this.changed();
  }

  #count(message, reading) {
    if (this.thread || message.silent) return;
    const own = message.user_id === this.me;
    if (!own && this.newAfter === null && !reading) this.newAfter = this.lastNumber;
    this.lastNumber = Math.max(this.lastNumber, message.number);
    if (own) this.readNumber = Math.max(this.readNumber, message.number);
  }

  #take(message, back = false) {
    if (message.hidden || this.hidden.has(message.id)) return;
    const known = this.messages.get(message.id);
    // A page of history and an event may cross: the later state stands, and a deletion, until the message is restored.
    const gone = known?.deleted_at && !message.purged;
    if (known && !back && (gone || known.updated_at > message.updated_at)) return;
    // Events are the same for everybody, so they say nothing of this user's own.
    const own = message.own_reactions ?? known?.own_reactions;
    this.messages.set(message.id, own ? { ...message, own_reactions: own } : message);
    // It is stored, whatever became of the answer to its sending.
    const sent = this.operations.find((op) => op.kind === "send" && op.id === message.id && op.error);
    if (sent) this.all.remove(message);
  }

  #change(id, fields) {
    const known = this.messages.get(id);
    if (known) this.messages.set(id, { ...known, ...fields });
  }

  #reacted(type, { message_id, user_id, emoji, reactions, replaced }) {
    const known = this.messages.get(message_id);
    if (!known) return;
    let own = known.own_reactions ?? [];
    if (user_id === this.me) {
      own = own.filter((each) => each !== emoji && !replaced?.includes(each));
      if (type === "reaction.added") own.push(emoji);
    }
    this.#change(message_id, { reactions, own_reactions: own });
  }

  /** Whatever quotes a message shows it as it is now, as short as the server would. */
  #requote({ id, text, deleted_at }) {
    const now = { text: [...text].slice(0, QUOTED).join(""), deleted: Boolean(deleted_at) };
    for (const each of this.messages.values()) {
      if (each.quoted?.id === id) this.#change(each.id, { quoted: { ...each.quoted, ...now } });
    }
  }

  #truncated({ truncated_to, truncated_number }) {
    this.#cut(truncated_to);
    this.readNumber = Math.max(this.readNumber, truncated_number);
  }

  #cut(from) {
    for (const [id, { seq }] of this.messages) if (seq < from) this.messages.delete(id);
    if (this.messages.size === 0 || this.first >= from) this.hasBefore = false;
  }

  /** This user sees nothing older any more: it has cleared the channel. */
  seenFrom(seq) {
    if (!this.loaded || ![...this.messages.values()].some((message) => message.seq < seq)) return;
    this.#cut(seq);
    this.pins.cut(seq);
    this.changed();
  }

  #threaded(thread) {
    this.#change(thread.id, {
      reply_count: thread.reply_count,
      last_reply_at: thread.last_reply_at,
      thread_participants: thread.participants,
      thread_participant_count: thread.participant_count,
    });
  }

  // -- what this user does ---------------------------------------------------------------------------------------------

  /** `extra`: whatever else the message says (`quoted_id`, `mentions`). */
  send(text, extra = {}) {
    this.newAfter = null;
    this.all.send(this.channel, { text, ...(this.thread && { thread_id: this.thread }), ...extra });
  }

  edit(id, text) {
    if (this.shown(id)?.text !== text) this.all.edit(this.#ref(id), text);
  }

  remove(id) {
    this.all.remove(this.#ref(id));
  }

  /** Delete it for this user alone. */
  hide(id) {
    this.all.hide(this.#ref(id));
  }

  /** Bring a deleted message back. */
  restore(id) {
    this.all.restore(this.#ref(id));
  }

  /** Give up a message that was refused. */
  discard(id) {
    this.all.remove(this.#ref(id));
  }

  /** Try what was refused once more, with the same id. */
  retry(id) {
    this.all.retry(this.#ref(id));
  }

  /** React with an emoji, or take that back. */
  react(id, emoji) {
    const on = !this.shown(id)?.own_reactions?.includes(emoji);
    this.all.react(this.#ref(id), emoji, on);
  }

  /** As the SDK wants to be told which message. */
  #ref(id) {
    return { id, channel_id: this.channel, ...(this.thread && { thread_id: this.thread }) };
  }

  // -- what it was answered --------------------------------------------------------------------------------------------

  acknowledged(event, message) {
    if (event.startsWith("reaction.")) return this.#agreed(message);
    const sent = event === "message.send";
    if (sent) this.#count(message, true);
    const told = event === "message.delete" ? { ...message, deleted_by: this.me } : message;
    const fits = this.messages.has(message.id) || (sent && !this.hasAfter);
    if (this.loaded && fits) this.#take(told, event === "message.restore");
    this.changed();
  }

  /** This user's reaction is stored. Where its event was first, later ones may have been, too: those know better. */
  #agreed({ id, reactions = {}, own_reactions = [] }) {
    const known = this.messages.get(id)?.own_reactions ?? [];
    const told = known.length === own_reactions.length && known.every((emoji) => own_reactions.includes(emoji));
    if (!told) this.#change(id, { reactions, own_reactions });
    this.changed();
  }

  // -- what is drawn ---------------------------------------------------------------------------------------------------

  /** The messages as this user sees them: `state` is `stored`, `waiting` or `refused`. */
  view() {
    const rows = [...this.messages.values()].sort((a, b) => a.seq - b.seq);
    const shown = new Map(rows.map((message) => [message.id, { ...message, pin: this.pins.get(message.id), state: "stored" }]));
    for (const op of this.operations) {
      if (op.kind === "send" && (shown.has(op.id) || this.hasAfter)) continue;
      const before = shown.get(op.id) ?? this.#blank(op);
      if (!before) continue;
      if (op.kind === "hide") shown.delete(op.id);
      else if (op.emoji) shown.set(op.id, reacted(before, op.emoji, op.kind === "react"));
      else shown.set(op.id, { ...before, ...as(op), state: op.error ? "refused" : "waiting", kind: op.kind, error: op.error });
    }
    return [...shown.values()];
  }

  shown(id) {
    return this.view().find((message) => message.id === id);
  }

  #blank(op) {
    if (op.kind !== "send") return null; // an edit of a message that is on an older page
    const times = { created_at: op.at, updated_at: op.at, deleted_at: null };
    return { id: op.id, user_id: this.me, text: op.text, number: null, seq: null, quoted: this.#quoted(op.with), ...op.with, ...times };
  }

  /** What a message quotes that is not sent yet. */
  #quoted({ quoted_id: id }) {
    const message = this.messages.get(id);
    return message && { id, user_id: message.user_id, text: message.text, deleted: Boolean(message.deleted_at) };
  }
}

/** How a message stands under a change that waits. */
function as({ kind, text }) {
  if (kind === "send" || kind === "edit") return { text, changed: kind === "edit" };
  return kind === "delete" ? { removing: true } : {};
}

/** With a reaction of this user's, or without it. */
function reacted(message, emoji, on) {
  const own = message.own_reactions ?? [];
  if (own.includes(emoji) === on) return message;
  const reactions = { ...message.reactions };
  reactions[emoji] = (reactions[emoji] ?? 0) + (on ? 1 : -1);
  if (reactions[emoji] <= 0) delete reactions[emoji];
  return { ...message, reactions, own_reactions: on ? [...own, emoji] : own.filter((each) => each !== emoji) };
}
