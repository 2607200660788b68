/** Who deleted what. No page of history says so, and few apps ask; whoever does imports this. */
import type { Client } from "./client.js";

/** Tells who deleted a message, as far as events have said so since this was called; null for a server without a user. */
export function deletions(client: Pick<Client, "on">): (message_id: string) => string | null | undefined {
  const by = new Map<string, string | null>();
  client.on("event", ({ type, actor, data }) => {
    if (type === "message.deleted") by.set(data.message.id, actor);
  });
  return (message_id) => by.get(message_id);
}
