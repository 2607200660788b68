/** Ids that sort in the order in which they were made: a UUIDv7 as 26 characters of Crockford's base 32. */

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/** Random numbers, at least 0 and less than 1. */
export type Random = () => number;

/** `crypto`'s, where there is one. */
export const systemRandom: Random = () => {
  const crypto = globalThis.crypto as Crypto | undefined;
  return crypto ? crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32 : Math.random();
};

/** How many ids of one millisecond sort; more of them borrow from the next. With all 12 bits it would be no safe number. */
const EACH = 1024;

/** Makes ids. Two of one maker never sort the other way round, even inside a millisecond. */
export class Ids {
  /** Milliseconds since 1970, and a count inside one. */
  #last = 0;

  constructor(
    readonly now: () => number,
    readonly random: Random,
  ) {}

  /** A fresh id, as `msg_01k2x7m5t1e8b9v3q4w5r6t7y8`. */
  make(prefix: string): string {
    this.#last = Math.max(Math.floor(this.now()) * EACH, this.#last + 1);
    // 48 bits of time; then version 7, 12 bits of count, variant 2, and chance.
    const middle = (0x7000 + (this.#last % EACH)) * 16 + 8 + this.#bits(2);
    return prefix + base32(this.#last / EACH, 10) + base32(middle, 4) + base32(this.#bits(30), 6) + base32(this.#bits(30), 6);
  }

  #bits(many: number): number {
    return Math.floor(this.random() * 2 ** many);
  }
}

function base32(value: number, length: number): string {
  let text = "";
  for (; text.length < length; value = Math.floor(value) / 32) text = ALPHABET[Math.floor(value) % 32] + text;
  return text;
}
