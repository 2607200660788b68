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
  /** Milliseconds since 1970, and 12 bits that count inside one. */
  #last = 0n;

  constructor(
    readonly now: () => number,
    readonly random: Random,
  ) {}

  /** A fresh id, as `msg_01k2x7m5t1e8b9v3q4w5r6t7y8`. */
  make(prefix: string): string {
    const stamp = BigInt(Math.floor(this.now())) << 12n;
    this.#last = stamp > this.#last ? stamp : this.#last + 1n;
    const chance = (this.#bits() << 31n) | this.#bits();
    let value = ((this.#last >> 12n) << 80n) | (7n << 76n) | ((this.#last & 0xfffn) << 64n) | (2n << 62n) | chance;
    let text = "";
    for (; text.length < 26; value >>= 5n) text = ALPHABET[Number(value & 31n)] + text;
    return prefix + text;
  }

  #bits(): bigint {
    return BigInt(Math.floor(this.random() * 2 ** 31));
  }
}
