/** A slow channel, where its users write: how long is left until the next message, counted down. */
import { part } from "./elements.js";

export class Pace {
  #next = null;

  /** `over()` is called when the wait has ended. */
  constructor(form, over) {
    Object.assign(this, { line: part(form, "pace"), words: part(form, "pace-words"), over, until: 0 });
  }

  /** Whether one has to wait. */
  get waits() {
    return this.until > Date.now();
  }

  /** `seconds` from one message to the next, 0 for no wait; `last`: when this user's newest was sent, in ms. */
  show(seconds, last) {
    this.seconds = seconds;
    this.until = seconds ? last + seconds * 1000 : 0;
    this.line.hidden = !seconds;
    if (seconds) this.#tick();
  }

  #tick() {
    clearTimeout(this.#next);
    const left = this.until - Date.now();
    const words = left > 0 ? `Slow mode: ${duration(left)} until your next message` : `Slow mode: one message every ${duration(this.seconds * 1000)}`;
    if (this.words.textContent !== words) this.words.textContent = words;
    if (left <= 0) return;
    this.#next = setTimeout(() => {
      this.#tick();
      if (!this.waits) this.over();
    }, left % 1000 || 1000);
  }
}

function duration(ms) {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 100) return `${seconds} s`;
  return seconds < 5400 ? `${Math.ceil(seconds / 60)} min` : `${Math.ceil(seconds / 3600)} h`;
}
