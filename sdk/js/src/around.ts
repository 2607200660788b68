/** Both ways on from a message that was found with `loadAround`. Apps that only scroll back leave this out. */
import type { Client } from "./client.js";
import { firstSeq, messagesAround } from "./selectors.js";
import type { State } from "./state.js";
import { LIVE, type Stretch, stretchAt } from "./timeline.js";

/** Whether there are messages before those that are held around a place. */
export function hasBefore(state: State, channel_id: string, seq: number): boolean {
  const channel = state.channels[channel_id];
  return channel !== undefined && held(state, channel_id, seq)[0] > firstSeq(channel);
}

/** Whether there are messages after those that are held around a place; if not, they are the newest. */
export function hasAfter(state: State, channel_id: string, seq: number): boolean {
  return held(state, channel_id, seq)[1] < LIVE;
}

/** Read the page before what is held around a place. Whether there is more. */
export async function loadBefore(client: Client, channel_id: string, seq: number): Promise<boolean> {
  const first = messagesAround(client.state, channel_id, seq)[0];
  if (first && hasBefore(client.state, channel_id, seq)) await client.loadAround(channel_id, first.id, "before");
  return hasBefore(client.state, channel_id, seq);
}

/** Read the page after what is held around a place. Whether there is more. */
export async function loadAfter(client: Client, channel_id: string, seq: number): Promise<boolean> {
  const last = messagesAround(client.state, channel_id, seq).filter((message) => message.seq < LIVE).at(-1);
  if (last && hasAfter(client.state, channel_id, seq)) await client.loadAround(channel_id, last.id, "after");
  return hasAfter(client.state, channel_id, seq);
}

function held(state: State, channel_id: string, seq: number): Stretch {
  const channel = state.channels[channel_id];
  return channel ? stretchAt(channel.timeline, seq) : [0, LIVE];
}
