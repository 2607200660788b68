/** Sends what waits, in order, one at a time. Each operation may be repeated: its id makes the repetition harmless. */
import { Refused } from "./connection.js";

const EVENTS = { send: "message.send", edit: "message.update", delete: "message.delete" };
const PAUSE = 1000;

export class Outbox {
  #busy = false;

  constructor(store, connection, channel) {
    this.store = store;
    this.connection = connection;
    this.channel = channel;
  }

  /** Call it whenever something was added, and when the connection is back. */
  async flush() {
    if (this.#busy || !this.channel.id) return;
    this.#busy = true;
    try {
      for (let op = this.store.next(); op && this.connection.online; op = this.store.next()) {
        const pause = await this.#attempt(op);
        if (pause) await new Promise((wake) => setTimeout(wake, pause));
      }
    } finally {
      this.#busy = false;
    }
  }

  /** Milliseconds to wait before the next attempt. */
  async #attempt(op) {
    this.store.tried(op);
    try {
      const { message } = await this.connection.emit(EVENTS[op.kind], this.#payload(op));
      this.store.acknowledged(op, message);
      return 0;
    } catch (error) {
      if (!(error instanceof Refused)) return PAUSE; // no answer: it stays, and is sent again
      if (error.retryable) return (error.retryAfter ?? 1) * 1000;
      this.store.refused(op, { code: error.code, message: error.message });
      return 0;
    }
  }

  #payload(op) {
    if (op.kind === "send") return { id: op.id, channel_id: this.channel.id, text: op.text };
    return op.kind === "edit" ? { id: op.id, text: op.text } : { id: op.id };
  }
}
