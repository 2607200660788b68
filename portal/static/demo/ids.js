/** Message ids: `msg_` and a UUIDv7 as 26 characters of Crockford's base 32. Made here, so that a send can be repeated. */

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const RANDOM_BITS = (1n << 62n) - 1n;

let last = 0n;

/** A fresh id. Ids of one page sort in the order in which they were made, even inside a millisecond. */
export function messageId(now = Date.now()) {
  const stamp = BigInt(now) << 12n;
  last = stamp > last ? stamp : last + 1n;
  const random = crypto.getRandomValues(new BigUint64Array(1))[0] & RANDOM_BITS;
  const value = ((last >> 12n) << 80n) | (7n << 76n) | ((last & 0xfffn) << 64n) | (2n << 62n) | random;
  let text = "msg_";
  for (let shift = 125n; shift >= 0n; shift -= 5n) text += ALPHABET[Number((value >> shift) & 31n)];
  return text;
}
