/**
 * The messages of a channel, or of a thread in it, as one user has them before it. What is stored and what waits are the
 * SDK's state; a place knows which stretch of it is looked at, and where the "New" line stands.
 */
import { channelOf, hasAfter, hasBefore, hasOlder, messagesAround, messagesIn, pinsIn } from "../vendor/natter.js";

/** Messages that are drawn at the end of a long history; those before them are shown again when one scrolls there. */
const MOST = 300;
const PAGE = 50;
/** The `seq` of what is not sent yet. */
const UNSENT = Number.MAX_SAFE_INTEGER;

export class Place {
  /** A message of the stretch that is looked at, by its `seq`; null for the newest. */
  #around = null;
  /** Messages before this `seq` are not drawn; null for none. */
  #first = null;
  /** The newest event that it was told of. */
  #heard = 0;
  /** As of which event its channel was entered when the history was read. */
  #begun = null;
  /** How far others have read, as far as the last connection told. */
  #receipts = {};

  /** `root`: the message that a thread hangs on. `deletedBy(id)`: who deleted a message, where that is known. */
  constructor({ me, id, root = null, client, operations, deletedBy }) {
    Object.assign(this, { me, id, root, thread: root?.id ?? null, client, all: operations, deletedBy });
    /** Messages of others with a higher number stand below the "New" line; null for no line. */
    this.newAfter = null;
    /** Whoever waves, with the timer that ends it. */
    this.waves = new Map();
    /** Why there is nothing to be seen. */
    this.problem = null;
    /** Whether its messages are being asked for; whether the rest is. */
    this.asking = this.furnishing = false;
    /** Up to which number it was marked read. */
    this.marked = null;
  }

  // -- what the SDK knows of it ----------------------------------------------------------------------------------------

  get #known() {
    return this.client.state.channels[this.id];
  }

  get #channel() {
    return channelOf(this.client.state, this.id);
  }

  /** Whether the history was read. */
  get loaded() {
    if (!this.thread) return Boolean(this.#known?.loaded);
    const replies = this.#known?.replies[this.thread];
    return Boolean(replies) && (replies.size > 0 || !hasOlder(this.client.state, this.id, this.thread));
  }

  /** Whether what is pinned and who is in the channel was read. */
  get furnished() {
    return Boolean(this.thread) || (this.#known.pins !== null && (this.#known.membersLoaded || this.members.length > 0));
  }

  /** Where in the history one looks; null for its end, which is where a stretch that has grown long enough arrives. */
  get around() {
    if (this.#around !== null && !hasAfter(this.client.state, this.id, this.#around, this.thread)) this.#around = null;
    return this.#around;
  }

  get hasBefore() {
    const { state } = this.client;
    if (this.#first !== null) return true;
    return this.around === null ? hasOlder(state, this.id, this.thread) : hasBefore(state, this.id, this.around, this.thread);
  }

  get hasAfter() {
    return this.around !== null;
  }

  /** The number of the channel's newest message. */
  get lastNumber() {
    return this.thread ? 0 : (this.#channel?.last_number ?? 0);
  }

  get unread() {
    return this.thread ? 0 : (this.#channel?.membership?.unread ?? 0);
  }

  /** How far each of the others has read, by number. */
  get readers() {
    this.#receipts = this.#known?.receipts ?? this.#receipts;
    const told = Object.entries(this.#receipts).filter(([user, { read_number }]) => user !== this.me && read_number !== null);
    return new Map(told.map(([user, { read_number }]) => [user, read_number]));
  }

  /** What is pinned now, the latest pin first, each with its message where that is known. */
  get pins() {
    return this.thread ? [] : pinsIn(this.client.state, this.id, new Date().toISOString());
  }

  /** Its members, as far as they were read. */
  get members() {
    return Object.keys(this.#known?.members ?? {});
  }

  /** How many members are there, by `is(user)`; null where that is not known. */
  here(is) {
    if (!this.#known) return null;
    // Of a large channel's members nobody is told who is there, but how many.
    return this.#known.membersLoaded ? this.members.filter(is).length : this.#known.onlineCount;
  }

  /** The message that its thread hangs on, as it is now. */
  get hangsOn() {
    const held = messagesAround(this.client.state, this.id, this.root.seq).find(({ id }) => id === this.thread);
    return (this.root = held ?? this.root);
  }

  get operations() {
    return this.all.all.filter((op) => op.channel === this.id && (op.thread ?? null) === this.thread);
  }

  /** When this user's newest message was sent, in ms; 0 for none. */
  get lastSent() {
    const sent = this.operations.filter((op) => op.kind === "send" && op.tried && !op.error).map((op) => op.at);
    const own = this.#messages().findLast(({ user_id, state, seq }) => user_id === this.me && state !== "failed" && seq !== UNSENT);
    return Math.max(0, ...[...sent, ...(own ? [own.created_at] : [])].map((at) => Date.parse(at)));
  }

  // -- what is told ----------------------------------------------------------------------------------------------------

  /** The history is there: for the first time, or anew, or as before. */
  begin() {
    const { entered, applied } = this.#known;
    if (this.#begun === entered) return;
    this.#begun = entered;
    this.#heard = applied;
    this.latest();
    this.newAfter = this.unread ? Math.max(this.#channel.membership.read_number, this.#channel.truncated_number) : null;
  }

  /** An event of the channel's log; whether it was new. A resume may repeat events. `reading`: whether its user sees it. */
  event({ type, seq, data: { message } }, reading) {
    if (!this.loaded || seq <= this.#heard) return false;
    this.#heard = seq;
    if (type !== "message.created") return true;
    const counts = !this.thread && !message.silent && (!message.thread_id || message.also_in_channel);
    if (counts && message.user_id !== this.me && !reading) this.newAfter ??= message.number - 1;
    return true;
  }

  /** This user has marked it unread, here or on another device. */
  markedUnread(number) {
    if (!this.thread) this.newAfter = number;
  }

  clearNew() {
    this.newAfter = null;
  }

  // -- which messages are looked at ------------------------------------------------------------------------------------

  /** The newest. */
  latest() {
    this.#around = this.#first = null;
  }

  /** Those around one, by its `seq`. */
  lookAt(seq) {
    this.#first = null;
    this.#around = seq;
  }

  /** Let go of what is far above, to draw no more than can be seen. */
  trim() {
    const rows = this.#messages();
    if (!this.hasAfter && rows.length > MOST + PAGE) this.#first = rows.at(-MOST).seq;
  }

  /** Draw a page more of what is held; whether there was any. */
  untrim() {
    if (this.#first === null) return false;
    const above = this.#held().filter((message) => message.seq < this.#first);
    this.#first = above.length > PAGE ? above.at(-PAGE).seq : null;
    return true;
  }

  #held() {
    const { state } = this.client;
    if (!this.#known) return this.operations.filter((op) => op.kind === "send").map((op) => unsent(op, this.id));
    if (this.around === null) return messagesIn(state, this.id, this.thread);
    return messagesAround(state, this.id, this.around, this.thread).filter((message) => message.seq !== UNSENT);
  }

  #messages() {
    const held = this.#held();
    return this.#first === null ? held : held.filter((message) => message.seq >= this.#first);
  }

  /** The messages as this user sees them: `state` is `stored`, `waiting` or `refused`. */
  view() {
    const pins = new Map(this.pins.map((pin) => [pin.message_id, pin]));
    // Reactions are drawn as if they were stored.
    const waiting = new Map(this.operations.filter((op) => !op.emoji).map((op) => [op.id, op]));
    const messages = this.#messages();
    return messages.map((message) => {
      const more = { pin: pins.get(message.id) ?? null, ...(message.deleted_at && { deleted_by: this.deletedBy(message.id) }) };
      const op = waiting.get(message.id);
      if (!op || message.state === "stored") return { ...message, ...more, state: "stored" };
      const shown = { ...message, ...more, ...as(op), state: message.state === "failed" ? "refused" : "waiting" };
      if (message.seq !== UNSENT) return shown;
      return { ...shown, user_id: this.me, number: null, seq: null, quoted: quoted(message, messages) };
    });
  }

  shown(id) {
    return this.view().find((message) => message.id === id);
  }

  // -- what this user does ---------------------------------------------------------------------------------------------

  /** `extra`: whatever else the message says (`quoted_id`, `mentions`). */
  send(text, extra = {}) {
    this.newAfter = null;
    this.all.send(this.id, { text, ...(this.thread && { thread_id: this.thread }), ...extra });
  }

  edit(id, text) {
    if (this.shown(id)?.text !== text) this.all.edit(this.#ref(id), text);
  }

  /** For everybody; what was refused is given up. */
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
    return { id, channel_id: this.id, ...(this.thread && { thread_id: this.thread }) };
  }
}

/** How a message stands under a change that waits. */
function as({ kind }) {
  return { kind, changed: kind === "edit", removing: kind === "delete" };
}

/** What waits to be sent to a channel of which the SDK knows nothing yet: another page has left it. */
function unsent({ id, thread, text, with: more, at, error }, channel_id) {
  const times = { created_at: at, updated_at: at, deleted_at: null };
  return { id, channel_id, ...(thread && { thread_id: thread }), seq: UNSENT, text, ...more, ...times, state: error ? "failed" : "waiting", error };
}

/** What a message quotes that is not sent yet. */
function quoted({ quoted_id }, messages) {
  const message = messages.find(({ id }) => id === quoted_id);
  return message && { id: quoted_id, user_id: message.user_id, text: message.text, deleted: Boolean(message.deleted_at) };
}
