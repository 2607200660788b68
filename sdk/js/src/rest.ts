/** REST, as the user. */
import { NoAnswer, ServerError } from "./errors.js";
import { type Clock, pause } from "./ports.js";
import type { Ids } from "./ids.js";
import type { Tokens } from "./tokens.js";
import type { Json } from "./types.js";

/** Milliseconds until a request is given up. */
const ANSWER_WITHIN = 15_000;
const ATTEMPTS = 4;
/** Seconds that are waited for an error that says nothing. */
const WAIT = 1;
const TOKEN_CODES = new Set<string>(["token_expired", "token_invalid"]);

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
        const init: RequestInit = { method, headers: { ...headers, authorization: `Bearer ${token}` } };
        if (body) init.body = JSON.stringify(body);
        return await ask(this.fetch, this.clock, (await this.base()) + path, init);
      } catch (error) {
        const { code, retryable, retryAfter = WAIT } = error as ServerError;
        if (TOKEN_CODES.has(code) && !renewed) {
          this.tokens.forget();
          renewed = true;
        } else if (retryable && attempt < ATTEMPTS) await pause(this.clock, retryAfter * 1000);
        else throw error;
      }
    }
  }
}

/** One request. Raises `ServerError`, or `NoAnswer` when there is none in time. */
export async function ask(fetch: typeof globalThis.fetch, clock: Clock, url: string, init: RequestInit): Promise<Json> {
  const control = new AbortController();
  const stop = clock.after(ANSWER_WITHIN, () => control.abort());
  try {
    const answer = await fetch(url, { ...init, signal: control.signal });
    const text = await answer.text();
    const said = (text ? JSON.parse(text) : {}) as Json;
    if (answer.ok) return said;
    const wait = answer.headers.get("retry-after");
    throw new ServerError({ code: "internal", status: answer.status, ...(wait ? { retry_after: Number(wait) } : {}), ...said });
  } catch (error) {
    throw error instanceof ServerError ? error : new NoAnswer(url);
  } finally {
    stop();
  }
}
