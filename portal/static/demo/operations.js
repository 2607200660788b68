/**
 * What a user did and the server has not acknowledged, in all channels, oldest first:
 * `{key, kind: send|edit|delete|restore|hide, id, channel, thread, text, with, at, tried, error}`. `with` is whatever else a send says.
 */
export class Operations {
  #listeners = new Set();

  constructor(keep) {
    this.keep = keep;
    this.all = keep.operations();
  }

  subscribe(listener) {
    this.#listeners.add(listener);
  }

  find(test) {
    return this.all.find(test);
  }

  /** The next one to be sent. */
  next() {
    return this.all.find((op) => !op.error);
  }

  add(op) {
    const whole = { at: new Date().toISOString(), tried: false, error: null, ...op };
    this.all.push(whole);
    this.keep.put(whole);
    this.#changed(whole);
  }

  update(op, fields) {
    Object.assign(op, fields);
    this.keep.put(op);
    this.#changed(op);
  }

  remove(op) {
    this.all = this.all.filter((other) => other !== op);
    this.keep.drop(op);
    this.#changed(op);
  }

  #changed(op) {
    for (const listener of this.#listeners) listener(op);
  }
}
