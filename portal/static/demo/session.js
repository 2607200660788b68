/**
 * One user of the app: a connection, what it knows, and what it does. Pages and elements are the pane's.
 *
 * `on` has `changed()` for whatever is drawn, `wire(…)`, `attends()`, `askPortal()`, `gone(channel)`.
 */
import { Channels } from "./channels.js";
import { Connection, Rest } from "./connection.js";
import { Invites } from "./invites.js";
import { Keep } from "./keep.js";
import { Operations } from "./operations.js";
import { People } from "./people.js";
import { Places } from "./places.js";
import { Versions } from "./versions.js";

const PREVIEWS_AHEAD = 40;
const AT_ONCE = 4;
const CAUGHT_UP_FOR = 5000;
const TOLD_FOR = 8000;
/** The demo's own event, which its users send each other in passing. */
const WAVE = "demo.wave";

export class Session {
  constructor({ page, user, name, on }) {
    Object.assign(this, { page, user, name, on });
    this.replaying = false;
    this.replayed = 0;
    this.caughtUp = null;
    this.trouble = null;
    this.keep = new Keep(page.app, user);
    this.connection = new Connection({
      url: page.node,
      key: page.key,
      user,
      tokens: page.portal,
      on: {
        state: () => on.changed(),
        ready: (data) => this.#ready(data),
        event: (event) => this.#event(event),
        taken: (operation, error) => this.#taken(operation, error),
        wire: (...line) => on.wire(...line),
        unreachable: () => on.askPortal(),
        refused: () => on.askPortal(),
      },
    });
    const { client } = this.connection;
    this.operations = new Operations(client);
    this.rest = new Rest(this.connection);
    this.people = new People(client, () => on.changed());
    this.versions = new Versions(this.rest, () => on.changed());
    this.invites = new Invites(client, this.rest, () => on.changed());
    this.channels = new Channels(user, client);
    this.places = new Places(this);
    client.subscribe((state) => state, () => this.#told());
    client.subscribe((state) => Object.keys(state.channels).length, () => this.#lookAhead());
  }

  get online() {
    return this.connection.online;
  }

  /** Change how a channel stands in this user's own list. */
  async arrange(entry, wish) {
    try {
      await this.connection.emit("membership.arrange", { channel_id: entry.id, ...wish });
    } catch (error) {
      this.failed(error);
    }
  }

  /** Wave to those who have the channel before them. */
  async wave(channel) {
    if (!this.online) return;
    try {
      await this.connection.emit("event.send", { channel_id: channel, type: WAVE, data: {} });
      this.places.waved(channel, this.user);
    } catch (error) {
      this.failed(error);
    }
  }

  fail(error) {
    this.trouble = { code: error.code, message: error.message };
    this.on.changed();
  }

  /** One thing that was asked for failed; it is told for a while. */
  failed(error) {
    this.fail(error);
    const told = (this.trouble = { ...this.trouble, once: true });
    setTimeout(() => {
      if (this.trouble !== told) return;
      this.trouble = null;
      this.on.changed();
    }, TOLD_FOR);
  }

  /** The SDK knows more, or other things. */
  #told() {
    this.places.look();
    this.on.changed();
  }

  /** Something that was done is refused, and taken back. A message stays, and says why. */
  #taken({ act }, error) {
    if (act.kind !== "send" && error.code !== "discarded") this.failed(error);
  }

  // -- the connection --------------------------------------------------------------------------------------------------

  #ready(data) {
    this.trouble = null;
    if (data.recovered) this.#beginReplay();
    if (data.recovered === false) {
      this.channels.forget();
      this.#lookAhead();
    }
    if (!data.user.name) this.rest.call("PATCH", "/v1/users/me", { name: this.name }).catch(() => {});
    this.people.learn({ ...data.user, name: data.user.name || this.name });
    this.places.connected();
    this.invites.load(() => this.online);
    this.on.changed();
  }

  /** The list's order is that of the newest messages, so those of rows out of sight are asked for, too. */
  #lookAhead() {
    const next = Object.keys(this.connection.client.state.channels).map((id) => this.channels.get(id));
    const unknown = next.filter((entry) => entry && entry.last === undefined);
    unknown.sort((a, b) => b.channel.seq - a.channel.seq);
    this.look(unknown.slice(0, PREVIEWS_AHEAD).map((entry) => entry.id));
  }

  /** Fetch what the list shows of these channels and nobody has said yet: the newest message, and who a direct one is with. */
  look(ids) {
    this.looking ??= [];
    for (const id of ids) {
      const entry = this.channels.get(id);
      const more = this.channels.more(id);
      if (!entry || entry.last !== undefined || more.looked) continue;
      more.looked = true;
      this.looking.push(entry);
    }
    this.lookers ??= 0;
    while (this.lookers < AT_ONCE && this.looking.length > this.lookers) {
      this.lookers += 1;
      this.#lookOn().finally(() => (this.lookers -= 1));
    }
  }

  async #lookOn() {
    for (let entry = this.looking.shift(); entry; entry = this.looking.shift()) {
      const path = `/v1/channels/${entry.id}`;
      try {
        if (entry.channel.type === "direct") {
          const { members } = await this.rest.get(`${path}/members?limit=2`);
          this.channels.members(entry.id, members);
          const { other } = this.channels.more(entry.id);
          if (other) this.#follow(other);
        }
        const { messages } = await this.rest.get(`${path}/messages?limit=1`);
        this.channels.preview(entry.id, messages[0] ?? null);
        this.on.changed();
      } catch (error) {
        this.channels.more(entry.id).looked = false;
        if (error.retryable) {
          await new Promise((wake) => setTimeout(wake, (error.retryAfter ?? 1) * 1000));
        } else this.channels.preview(entry.id, null);
      }
    }
  }

  /** Hear of somebody's presence without watching a channel of theirs. */
  #follow(user) {
    this.following ??= new Set();
    this.following.add(user);
    clearTimeout(this.followSoon);
    this.followSoon = setTimeout(() => {
      const user_ids = [...this.following].slice(0, 100);
      this.following.clear();
      this.connection.client.followPresence(user_ids).catch(() => {});
    }, 100);
  }

  /** What is replayed after a break is new to the user, even while this pane is looked at. */
  #beginReplay() {
    this.replaying = true;
    this.replayed = 0;
    setTimeout(() => this.#endReplay(), 400);
  }

  #endReplay() {
    this.replaying = false;
    this.caughtUp = this.replayed;
    clearTimeout(this.forgetting);
    this.forgetting = setTimeout(() => {
      this.caughtUp = null;
      this.on.changed();
    }, CAUGHT_UP_FOR);
    this.on.changed();
  }

  // -- events ----------------------------------------------------------------------------------------------------------

  #event(event) {
    const { type, data, channel_id } = event;
    if (event.seq === null) return this.#passing(event);
    if (channel_id) {
      this.channels.event(event);
      const fresh = this.places.event(event);
      if (fresh && this.replaying && type === "message.created" && event.actor !== this.user) this.replayed += 1;
      if (type === "channel.deleted") this.#left(channel_id);
      return;
    }
    if (type === "unread.changed" && data.marked_unread) this.places.markedUnread(data);
    else if (type === "message.hidden") this.look([data.channel_id]);
    else if (type === "membership.added") this.look([data.channel.id]);
    else if (type === "membership.removed") this.#left(data.channel_id);
    else if (type === "user.updated") this.people.learn(data.user);
  }

  #passing({ type, data, channel_id }) {
    if (type === "profile.changed") this.people.learn(data.user);
    else if (type === "event.sent" && data.type === WAVE) this.places.waved(channel_id, data.user_id);
  }

  #left(id) {
    this.channels.forget(id);
    this.places.close(id);
    this.on.gone(id);
  }
}
