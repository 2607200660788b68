/** Sends what waits, in order, one at a time. Each operation may be repeated: its id makes the repetition harmless. */
import { ServerError } from "../vendor/natter.js";

const EVENTS = {
  send: "message.send",
  edit: "message.update",
  delete: "message.delete",
  restore: "message.restore",
  hide: "message.hide",
};
const PAUSE = 1000;
/** Longer is not waited, whatever the server says: what it waits for may end before. */
const LONGEST_PAUSE = 3000;

export class Outbox {
  #busy = false;

  /** `acknowledged(op, answer)` is told before the operation goes. */
  constructor(operations, connection, acknowledged) {
    Object.assign(this, { operations, connection, acknowledged });
  }

  /** Call it whenever something was added, and when the connection is back. */
  async flush() {
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let op = this.operations.next(); op && this.connection.online; op = this.operations.next()) {
        const pause = await this.#attempt(op);
        if (pause) await new Promise((wake) => setTimeout(wake, pause));
      }
    } finally {
      this.#busy = false;
    }
  }

  /** Milliseconds to wait before the next attempt. */
  async #attempt(op) {
    // From now on the server may know of it, so it cannot be changed in place any more.
    this.operations.update(op, { tried: true });
    try {
      this.acknowledged(op, await this.connection.emit(EVENTS[op.kind], payload(op)));
      this.operations.remove(op);
      return 0;
    } catch (error) {
      if (!(error instanceof ServerError)) return PAUSE; // no answer: it stays, and is sent again
      if (error.retryable) return Math.min((error.retryAfter ?? 1) * 1000, LONGEST_PAUSE);
      this.operations.update(op, { error: { code: error.code, message: error.message } });
      return 0;
    }
  }
}

function payload(op) {
  if (op.kind === "send") return { id: op.id, channel_id: op.channel, text: op.text, ...op.with };
  return op.kind === "edit" ? { id: op.id, text: op.text } : { id: op.id };
}
