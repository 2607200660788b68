/** REST, as the user. */
import { NoAnswer, ServerError } from "./errors.js";
import type { Clock } from "./ports.js";
import type { Ids } from "./ids.js";
import type { Tokens } from "./tokens.js";
import type { Json } from "./types.js";

/** Milliseconds until a request is given up. */
const ANSWER_WITHIN = 15_000;
const ATTEMPTS = 4;
/** Seconds that are waited for an error that says nothing. */
const WAIT = 1;
const TOKEN_CODES = new Set(["token_expired", "token_invalid"]);

export class Rest {
  constructor(
    readonly fetch: typeof globalThis.fetch,
    readonly tokens: Tokens,
    readonly clock: Clock,
    readonly ids: Ids,
    readonly base: () => Promise<string>,
  ) {}

  /** A call, made again when the server says that this may help. Raises `ServerError` or `NoAnswer`. */
  async call(method: string, path: string, body?: Json): Promise<Json> {
    const headers: Record<string, string> = {};
    if (body) headers["content-type"] = "application/json";
    if (method === "POST") headers["idempotency-key"] = this.ids.make("");
    let renewed = false;
    for (let attempt = 1; ; attempt += 1) {
      const token = await this.tokens.get();
      try {
        return await this.#once(method, path, { ...headers, authorization: `Bearer ${token}` }, body);
      } catch (error) {
        const stale = error instanceof ServerError && TOKEN_CODES.has(error.code) && !renewed;
        if (stale) {
          this.tokens.forget();
          renewed = true;
        } else if (attempt < ATTEMPTS && (error instanceof NoAnswer || (error instanceof ServerError && error.retryable))) {
          const seconds = error instanceof ServerError ? (error.retryAfter ?? WAIT) : WAIT;
          await new Promise<void>((wake) => this.clock.after(seconds * 1000, wake));
        } else throw error;
      }
    }
  }

  async #once(method: string, path: string, headers: Record<string, string>, body?: Json): Promise<Json> {
    const control = new AbortController();
    const stop = this.clock.after(ANSWER_WITHIN, () => control.abort());
    try {
      const init: RequestInit = { method, headers, signal: control.signal };
      if (body) init.body = JSON.stringify(body);
      const answer = await this.fetch((await this.base()) + path, init);
      const text = await answer.text();
      const said = (text ? JSON.parse(text) : {}) as Json;
      if (answer.ok) return said;
      const wait = answer.headers.get("retry-after");
      throw new ServerError({ code: "internal", status: answer.status, ...(wait ? { retry_after: Number(wait) } : {}), ...said });
    } catch (error) {
      if (error instanceof ServerError) throw error;
      throw new NoAnswer(`${method} ${path}`);
    } finally {
      stop();
    }
  }
}
