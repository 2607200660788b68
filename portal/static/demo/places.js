/** The channels and threads whose messages a user has before it: has them read, and hears what passes by in them. */
import { deletions, loadAfter, loadBefore, messagesAround } from "../vendor/natter.js";
import { Place } from "./place.js";

const AGAIN_AFTER = 2000;
const WAVES_FOR = 4000;
const WATCH_AFTER = 300;

export class Places {
  /** By channel. */
  #open = new Map();

  constructor(session) {
    this.session = session;
    this.client = session.connection.client;
    this.deletedBy = deletions(this.client);
    /** The channel that is shown now. */
    this.current = null;
    /** The thread that is shown beside it. */
    this.thread = null;
  }

  /** Show a channel; asks for what is missing. */
  show(id) {
    if (this.current?.id === id) return this.current;
    if (this.current) this.client.leave(this.current.id).catch(() => {});
    this.hide(this.thread);
    const place = this.#open.get(id) ?? this.#make(id);
    this.#open.set(id, place);
    this.current = place;
    place.latest();
    place.marked = place.problem = null;
    this.session.keep.channel = id;
    if (place.loaded) this.#watch(place);
    this.look();
    return place;
  }

  /** Show the thread of a message of the channel that is shown. */
  showThread(message) {
    this.hide(this.thread);
    this.thread = this.#make(this.current.id, message);
    this.look();
    return this.thread;
  }

  hide(thread) {
    if (thread === this.thread) this.thread = null;
  }

  close(id) {
    this.#open.delete(id);
    if (this.current?.id === id) this.current = this.thread = null;
  }

  #make(id, root = null) {
    const { user, operations } = this.session;
    return new Place({ me: user, id, root, client: this.client, operations, deletedBy: this.deletedBy });
  }

  // -- asking ----------------------------------------------------------------------------------------------------------

  /** The connection is there, again or at last: what could not be had may be had now. */
  connected() {
    for (const place of this.#shown()) place.problem = null;
    this.look();
  }

  /** Have read what is shown and not known, or not known any more. */
  look() {
    for (const place of this.#shown()) {
      if (place.loaded) place.begin();
      else if (this.session.online && !place.asking && !place.problem) this.#load(place);
      if (place.loaded && !place.furnished && this.session.online && !place.furnishing) this.#furnish(place);
    }
  }

  /** Hear what passes by, and who is there. */
  #watch(place) {
    this.client.open(place.id).catch(() => {}); // messages come all the same
  }

  /** Ask for the newest messages; when that fails, again, for as long as the connection stands. */
  async #load(place) {
    place.asking = true;
    try {
      await (place.thread ? this.client.openThread({ id: place.thread, channel_id: place.id }) : this.client.open(place.id));
      this.session.trouble = null;
      place.asking = false;
    } catch (error) {
      if (error.code === "not_found" || error.code === "permission_missing") {
        place.problem = error;
        place.asking = false;
        this.session.on.changed();
        return;
      }
      this.session.fail(error);
      setTimeout(() => this.#retry(place), AGAIN_AFTER);
    }
    this.look(); // it may have been entered anew meanwhile
    this.session.on.changed();
  }

  #retry(place) {
    place.asking = false;
    if (this.session.online && this.#shown().includes(place)) this.#load(place);
  }

  /** Ask for what is pinned in a channel, and for who is in it. Whoever may not know it goes without. */
  async #furnish(place) {
    place.furnishing = true;
    try {
      await Promise.all([this.client.loadPins(place.id), this.client.loadMembers(place.id)]);
    } catch (error) {
      if (!error.retryable) return;
      await new Promise((wake) => setTimeout(wake, AGAIN_AFTER));
    }
    place.furnishing = false;
    this.look();
  }

  /** More of a place; errors are left to the next scroll. */
  async older(place) {
    if (place.untrim()) return this.session.on.changed();
    const { id, thread, around } = place;
    const more = around === null ? this.client.loadOlder(id, thread) : loadBefore(this.client, id, around, thread);
    return more.catch(() => {});
  }

  async newer(place) {
    if (place.hasAfter) await loadAfter(this.client, place.id, place.around, place.thread).catch(() => {});
  }

  /** Look at the newest messages. */
  latest(place) {
    place.latest();
    this.session.on.changed();
  }

  /** A message of a channel, wherever in the history it is; undefined if it is not there. */
  async find({ id: channel }, id) {
    const seq = await this.client.loadAround(channel, id);
    return messagesAround(this.client.state, channel, seq).find((message) => message.id === id);
  }

  /** Look at the messages around one. Returns whether they are there. */
  async around(place, id) {
    const seq = await this.client.loadAround(place.id, id, undefined, place.thread).catch(() => null);
    if (seq !== null) place.lookAt(seq);
    return seq !== null;
  }

  // -- hearing ---------------------------------------------------------------------------------------------------------

  /** An event of a channel's log; whether it was new to the open channel. */
  event(event) {
    const { type, channel_id, data } = event;
    const reading = this.session.on.reading();
    let fresh = false;
    for (const place of this.#of(channel_id)) {
      fresh = place.event(event, reading && place === this.current) || fresh;
      if (type === "message.created") this.#arrived(place, data.message);
      if (place !== this.current) continue;
      if (type === "message.pinned" && place.loaded) this.client.loadPins(channel_id).catch(() => {});
      if (type === "member.added") this.#watchSoon(place);
    }
    return fresh;
  }

  /** It is stored, whatever became of the answer to its sending. */
  #arrived(place, { id }) {
    if (place.operations.some((op) => op.kind === "send" && op.id === id && op.error)) place.remove(id);
  }

  /** Somebody is new here: look who is there now, once for all who come at the same moment. */
  #watchSoon(place) {
    clearTimeout(place.watching);
    place.watching = setTimeout(() => place === this.current && this.session.online && this.#watch(place), WATCH_AFTER);
  }

  markedUnread({ channel_id, read_number }) {
    for (const place of this.#of(channel_id)) place.markedUnread(read_number);
  }

  /** When this user wrote in a channel last, in ms; 0 when that is not known. */
  lastSent(channel) {
    return Math.max(0, ...this.#of(channel).map((place) => place.lastSent));
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

  #shown() {
    return [this.current, this.thread].filter(Boolean);
  }

  #of(channel) {
    const all = this.thread ? [...this.#open.values(), this.thread] : [...this.#open.values()];
    return all.filter((place) => place.id === channel);
  }
}
