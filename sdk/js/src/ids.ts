/** Ids that sort in the order in which they were made: a UUIDv7 as 26 characters of Crockford's base 32. */

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/** Random numbers, at least 0 and less than 1. */
export type Random = () => number;

/** `crypto`'s, where there is one. */
export const systemRandom: Random = () => {
  const crypto = globalThis.crypto as Crypto | undefined;
  return crypto ? crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32 : Math.random();
};

/** Makes ids. Two of one maker never sort the other way round, even inside a millisecond. */
export class Ids {
  #stamp = 0;
  #count = 0;

  constructor(
    readonly now: () => number,
    readonly random: Random,
  ) {}

  /** A fresh id, as `msg_01k2x7m5t1e8b9v3q4w5r6t7y8`. */
  make(prefix: string): string {
    const now = Math.floor(this.now());
    if (now > this.#stamp) [this.#stamp, this.#count] = [now, Math.floor(this.random() * 1024)];
    else this.#count += 1;
    // 12 bits of counter; beyond them the stamp goes ahead of the clock.
    if (this.#count > 0xfff) [this.#stamp, this.#count] = [this.#stamp + 1, 0];
    const hex =
      this.#stamp.toString(16).padStart(12, "0") +
      "7" + this.#count.toString(16).padStart(3, "0") +
      (8 + Math.floor(this.random() * 4)).toString(16) + this.#digits(15);
    return prefix + base32(hex);
  }

  #digits(count: number): string {
    return Array.from({ length: count }, () => Math.floor(this.random() * 16).toString(16)).join("");
  }
}

/** 32 hexadecimal digits, as 26 of 5 bits; two bits of nothing stand before them. */
function base32(hex: string): string {
  const bits = "00" + Array.from(hex, (digit) => parseInt(digit, 16).toString(2).padStart(4, "0")).join("");
  return Array.from({ length: 26 }, (_, at) => ALPHABET[parseInt(bits.slice(at * 5, at * 5 + 5), 2)]).join("");
}
