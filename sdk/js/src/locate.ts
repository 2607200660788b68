/** Finding the app: `GET /v1/locate`. */
import { NoAnswer, ServerError } from "./errors.js";
import type { Json } from "./types.js";

/** The address of the app's shard. Raises `ServerError`, or `NoAnswer` when the control plane is away. */
export async function found(fetch: typeof globalThis.fetch, control: string, key: string): Promise<string> {
  let answer: Response;
  let said: Json;
  try {
    answer = await fetch(`${control}/v1/locate?key=${encodeURIComponent(key)}`);
    said = (await answer.json()) as Json;
  } catch {
    throw new NoAnswer("GET /v1/locate");
  }
  if (!answer.ok) throw new ServerError({ code: "unavailable", status: answer.status, ...said });
  return said.url as string;
}
