/**
 * Every failure is a `ChatError` with a stable `code`:
 *
 * - `ServerError`: the server said no. `code` is one of `ServerErrorCode`; a `retryable` one may pass unchanged later.
 * - `NoAnswer`: nobody answered in time. What was asked may have been done or not; operations of the outbox go on by
 *   themselves, with the same id.
 * - `ClientError`: something here: `closed`, `token_provider`, `storage_unavailable`, `storage_full`, `not_loaded`.
 */
import type { ClosingCode, ServerErrorCode } from "./codes.js";
import type { Json } from "./types.js";

export class ChatError extends Error {
  /** Stable; `message` is for people and may change. */
  readonly code: string;
  /** Whether the same call may succeed later, unchanged. */
  readonly retryable: boolean;

  constructor(code: string, message: string, retryable: boolean) {
    super(message);
    // Classes have no names of use in a bundle.
    this.name = this.code = code;
    this.retryable = retryable;
  }
}

export class ServerError extends ChatError {
  declare readonly code: ServerErrorCode | ClosingCode;
  /** Over REST alone. */
  readonly status: number | undefined;
  /** Seconds to wait before a retry; undefined where waiting does not help. */
  readonly retryAfter: number | undefined;
  /** Finds the request in the server's logs. */
  readonly requestId: string | undefined;
  /** Whatever else the server said, as `field` or `permission`. */
  readonly data: Json;

  /** From an acknowledgement's `error`, a connection's refusal or a problem document. */
  constructor(said: Json) {
    const { code, message, detail, retryable, retry_after, status, request_id, ...data } = said;
    super(String(code), String(message ?? detail ?? code), retryable === true);
    this.status = status as number | undefined;
    this.retryAfter = retry_after as number | undefined;
    this.requestId = request_id as string | undefined;
    this.data = data;
  }
}

export class NoAnswer extends ChatError {
  constructor(what: string) {
    super("no_answer", `No answer to ${what}.`, true);
  }
}

export type ClientErrorCode = "closed" | "token_provider" | "storage_unavailable" | "storage_full" | "not_loaded" | "discarded";

export class ClientError extends ChatError {
  declare readonly code: ClientErrorCode;

  constructor(code: ClientErrorCode, message: string) {
    super(code, message, false);
  }
}
