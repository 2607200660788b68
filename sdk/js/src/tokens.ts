/** The user's access token: asked of the app when there is none that still lasts, once for everybody who waits. */
import { ClientError } from "./errors.js";
import type { Clock } from "./ports.js";

/** Brings an access token of the user, from the app's own server. Called again whenever the last one is about to end. */
export type TokenProvider = () => Promise<string> | string;

/** Milliseconds before its end from which on a token is not begun with any more. */
const TOO_SHORT = 5_000;

export class Tokens {
  #token: string | null = null;
  #ends = 0;
  #asking: Promise<string> | null = null;

  constructor(
    readonly provide: TokenProvider,
    readonly clock: Clock,
  ) {}

  /** When the token ends, by this clock, in milliseconds since 1970; 0 without one. */
  get ends(): number {
    return this.#token === null ? 0 : this.#ends;
  }

  /** A token that lasts. Raises `ClientError` with `token_provider` where the app gives none. */
  async get(): Promise<string> {
    if (this.#token !== null && this.#ends - TOO_SHORT > this.clock.now()) return this.#token;
    return this.renew();
  }

  /** Another one. The last one stays in use until it is there. */
  renew(): Promise<string> {
    this.#asking ??= this.#ask().finally(() => (this.#asking = null));
    return this.#asking;
  }

  /** The server does not take it any more, or soon will not. */
  forget(): void {
    this.#token = null;
  }

  async #ask(): Promise<string> {
    let token: string;
    try {
      token = await this.provide();
    } catch (error) {
      throw new ClientError("token_provider", `No token: ${String(error)}`);
    }
    this.#ends = endOf(token, this.clock.now());
    this.#token = token;
    return token;
  }
}

/** When a token ends by this clock, which may be wrong: a token that seems to be over just as it comes is new. */
export function endOf(token: string, now: number): number {
  const { exp, iat } = claims(token);
  if (exp === undefined) return now + 60_000;
  const lasts = (exp - (iat ?? exp - 900)) * 1000;
  return exp * 1000 > now ? Math.min(exp * 1000, now + lasts) : now + lasts;
}

function claims(token: string): { exp?: number; iat?: number } {
  try {
    const body = token.split(".")[1]!.replace(/-/g, "+").replace(/_/g, "/");
    return JSON.parse(atob(body)) as { exp?: number; iat?: number };
  } catch {
    return {};
  }
}
