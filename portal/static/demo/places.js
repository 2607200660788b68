/**
 * The channels and threads whose messages a user has before it: their stores, and what is known of them in passing (who
 * types, who has read how far). A few are kept when another one is opened, so that going back is instant.
 */
import { Store } from "./store.js";

const KEPT = 5;
const PAGE = 50;
const AGAIN_AFTER = 2000;
const WAVES_FOR = 4000;
const WATCH_AFTER = 300;

export class Places {
  /** By channel, the least lately used first: `{id, store, thread, readers, crowd}`. */
  #open = new Map();

  constructor(session) {
    this.session = session;
    /** The channel that is shown now. */
    this.current = null;
    /** The thread that is shown beside it. */
    this.thread = null;
  }

  /** Show a channel; asks for what is missing. */
  show(id) {
    if (this.current?.id === id) return this.current;
    if (this.current) this.session.say("channel.unwatch", { channel_id: this.current.id });
    this.hide(this.thread);
    const known = this.#open.get(id);
    const place = known ?? this.#make(id, null);
    this.#open.delete(id);
    this.#open.set(id, place);
    if (this.#open.size > KEPT) this.#open.delete(this.#open.keys().next().value);
    this.current = place;
    this.session.keep.channel = id;
    this.#arrive(place);
    return place;
  }

  /** Show the thread of a message of the channel that is shown. */
  showThread(message) {
    this.hide(this.thread);
    this.thread = this.#make(this.current.id, message.id);
    this.thread.root = message;
    this.#load(this.thread);
    return this.thread;
  }

  hide(thread) {
    if (thread === this.thread) this.thread = null;
  }

  close(id) {
    this.#open.delete(id);
    if (this.current?.id === id) this.current = this.thread = null;
  }

  #make(id, thread) {
    const { user, operations, hidden } = this.session;
    const store = new Store({ me: user, channel: id, thread, operations, hidden });
    store.subscribe(() => this.session.on.changed());
    const passing = { readers: new Map(), waves: new Map(), crowd: null };
    return { id, store, thread, ...passing, problem: null };
  }

  // -- asking ----------------------------------------------------------------------------------------------------------

  /** The connection is there, again or at last. */
  async connected() {
    if (this.current) await this.#arrive(this.current);
    if (this.thread?.store.incomplete) await this.#load(this.thread);
  }

  /** A resume was not possible: everything is asked for again. */
  reopen() {
    for (const place of this.#all()) place.store.opening();
  }

  async #arrive(place) {
    if (!this.session.online) return;
    this.#watch(place);
    if (place.store.incomplete) await this.#load(place);
  }

  async #watch(place) {
    try {
      const watched = await this.session.connection.emit("channel.watch", { channel_id: place.id });
      if (watched.presence) {
        this.session.people.saw(watched.presence.members);
        place.present = watched.presence.members.map((member) => member.user_id);
        this.counted(place.id, watched.presence);
      }
      if (watched.receipts) this.receipts(place.id, watched.receipts);
    } catch {
      // Who types and who is there is not known then; messages come all the same.
    }
  }

  /** Somebody is new here: look who is there now, once for all who come at the same moment. */
  #watchSoon(place) {
    clearTimeout(place.watching);
    place.watching = setTimeout(() => place === this.current && this.session.online && this.#watch(place), WATCH_AFTER);
  }

  /** Ask for the newest messages; when that fails, again, for as long as the connection stands. */
  async #load(place) {
    const { rest, channels, hidden } = this.session;
    place.store.opening();
    try {
      // The channel first: the page must not be older.
      const channel = await rest.get(`/v1/channels/${place.id}`);
      hidden.count(channel.id, channel.membership?.hidden_numbers);
      const [page, { pins }] = await Promise.all([
        rest.get(this.#path(place, `limit=${PAGE}`)),
        place.thread ? { pins: [] } : rest.get(`/v1/channels/${place.id}/pins`),
      ]);
      this.session.trouble = place.problem = null;
      place.store.open(channel, page, pins);
      if (!place.thread) channels.preview(place.id, page.messages.at(-1) ?? null);
    } catch (error) {
      if (error.code === "not_found" || error.code === "permission_missing") {
        place.problem = error;
        this.session.on.changed();
        return;
      }
      this.session.fail(error);
      clearTimeout(place.again);
      place.again = setTimeout(() => this.session.online && place.store.incomplete && this.#load(place), AGAIN_AFTER);
    }
  }

  /** More of a place; errors are left to the next scroll. */
  async older(place) {
    const { store } = place;
    const page = await this.#page(place, `limit=${PAGE}&before=${store.first}`);
    if (page) store.older(page);
  }

  async newer(place) {
    const { store } = place;
    const page = await this.#page(place, `limit=${PAGE}&after=${store.last}`);
    if (page) store.newer(page);
  }

  /** The newest messages, or those around one. Returns whether they are there. */
  async latest(place) {
    const page = await this.#page(place, `limit=${PAGE}`);
    if (page) place.store.replace(page);
    return Boolean(page);
  }

  async around(place, id) {
    const page = await this.#page(place, `limit=${PAGE}&around=${id}`);
    if (page) place.store.replace(page);
    return Boolean(page);
  }

  #page(place, query) {
    return this.session.rest.get(this.#path(place, query)).catch(() => null);
  }

  #path({ id, thread }, query) {
    return thread ? `/v1/messages/${thread}/replies?${query}` : `/v1/channels/${id}/messages?${query}`;
  }

  // -- hearing ---------------------------------------------------------------------------------------------------------

  /** An event of a channel's log; whether it was new to the open channel. */
  event(event) {
    const { actor, data } = event;
    const reading = this.session.on.reading();
    let fresh = false;
    for (const place of this.#of(event.channel_id)) {
      fresh = place.store.event(event, reading && place === this.current) || fresh;
      if (event.type === "message.pinned" && place.store.pins.lacking) this.#lookUpPins(place);
      if (place.thread && event.type.startsWith("message.") && data.message?.id === place.thread) place.root = data.message;
      if (place.thread && data.thread?.id === place.thread) place.root = { ...place.root, reply_count: data.thread.reply_count };
      if (event.type === "member.removed") place.readers.delete(actor);
      if (event.type.startsWith("member.")) place.members = null; // asked for again by whoever needs them
      if (event.type === "member.added" && place === this.current) this.#watchSoon(place);
    }
    return fresh;
  }

  /** A message was pinned that is not at hand. */
  async #lookUpPins(place) {
    const found = await this.session.rest.get(`/v1/channels/${place.id}/pins`).catch(() => null);
    if (!found) return;
    place.store.pins.learn(found.pins);
    this.session.on.changed();
  }

  acknowledged(event, message) {
    for (const place of this.#of(message.channel_id)) {
      if (place.thread === (message.thread_id ?? null)) place.store.acknowledged(event, message);
    }
  }

  read(position) {
    for (const place of this.#of(position.channel_id)) if (!place.thread) place.store.read(position);
  }

  /** When this user wrote in a channel last, in ms; 0 when that is not known. */
  lastSent(channel) {
    return Math.max(0, ...this.#of(channel).map((place) => place.store.lastSent));
  }

  /** The user sees the channel's messages from this `seq` on. */
  seenFrom(channel, seq) {
    for (const place of this.#of(channel)) place.store.seenFrom(seq);
  }

  hid(message) {
    for (const place of this.#of(message.channel_id)) place.store.hid(message);
  }

  /** Somebody waves: an event of the demo's own. */
  waved(channel, user) {
    const place = this.#open.get(channel);
    if (!place) return;
    const stop = () => {
      place.waves.delete(user);
      this.session.on.changed();
    };
    clearTimeout(place.waves.get(user));
    place.waves.set(user, setTimeout(stop, WAVES_FOR));
    this.session.on.changed();
  }

  counted(channel, { aggregated, online_count }) {
    for (const place of this.#of(channel)) place.crowd = aggregated === false ? null : online_count;
    this.session.on.changed();
  }

  /** How far others have read: each one, or in a large channel how many have read the newest message. */
  receipts(channel, { positions, receipts, aggregated, number, count, read_by_count }) {
    for (const place of this.#of(channel)) {
      place.readBy = aggregated ? { number, count: count ?? read_by_count } : null;
      for (const each of positions ?? []) place.readers.set(each.user_id, each.number);
      for (const each of receipts ?? []) if (each.read_number !== null) place.readers.set(each.user_id, each.read_number);
      place.readers.delete(this.session.user);
    }
    this.session.on.changed();
  }

  #all() {
    return this.thread ? [...this.#open.values(), this.thread] : [...this.#open.values()];
  }

  #of(channel) {
    return this.#all().filter((place) => place.id === channel);
  }
}
