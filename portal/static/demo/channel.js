/**
 * The channel in which the two users meet: `demo`, made by the first over REST. When the app uses that id for something
 * else, the next name is taken.
 */
const NAMES = ["demo", "demo-2", "demo-3"];

export class Channel {
  id = null;

  constructor(founder, guest) {
    Object.assign(this, { founder, guest });
  }

  /** Make sure that it is there, with both in it. */
  async open() {
    await this.guest.get("/v1/users/me"); // a user exists from its first authenticated request on
    for (const id of NAMES) {
      const wish = { id, name: "Demo", members: [this.guest.user] };
      try {
        await this.founder.call("POST", "/v1/channels", wish);
        await this.founder.call("PUT", `/v1/channels/${id}/members/${this.guest.user}`, {});
        this.id = id;
        return;
      } catch (error) {
        if (error.code !== "channel_exists" || id === NAMES.at(-1)) throw error;
      }
    }
  }
}
