/** Both ways on from a message that was found with `loadAround`, in a channel or in a thread of it. Apps that only scroll back
 * leave this out. */
import type { Client } from "./client.js";
import { firstSeq, messagesAround, timelineOf } from "./selectors.js";
import type { State } from "./state.js";
import { LIVE, type Stretch, stretchAt } from "./timeline.js";

/** Whether there are messages before those that are held around a place. */
export function hasBefore(state: State, channel_id: string, seq: number, thread_id: string | null = null): boolean {
  const channel = state.channels[channel_id];
  return channel !== undefined && held(state, channel_id, seq, thread_id)[0] > firstSeq(channel);
}

/** Whether there are messages after those that are held around a place; if not, they are the newest. */
export function hasAfter(state: State, channel_id: string, seq: number, thread_id: string | null = null): boolean {
  return held(state, channel_id, seq, thread_id)[1] < LIVE;
}

/** Read the page before what is held around a place. Whether there is more. */
export async function loadBefore(client: Client, channel_id: string, seq: number, thread_id: string | null = null): Promise<boolean> {
  const first = messagesAround(client.state, channel_id, seq, thread_id)[0];
  const more = (): boolean => hasBefore(client.state, channel_id, seq, thread_id);
  if (first && more()) await client.loadAround(channel_id, first.id, "before", thread_id);
  return more();
}

/** Read the page after what is held around a place. Whether there is more. */
export async function loadAfter(client: Client, channel_id: string, seq: number, thread_id: string | null = null): Promise<boolean> {
  const last = messagesAround(client.state, channel_id, seq, thread_id).filter((message) => message.seq < LIVE).at(-1);
  const more = (): boolean => hasAfter(client.state, channel_id, seq, thread_id);
  if (last && more()) await client.loadAround(channel_id, last.id, "after", thread_id);
  return more();
}

function held(state: State, channel_id: string, seq: number, thread_id: string | null): Stretch {
  const timeline = timelineOf(state.channels[channel_id], thread_id);
  return timeline ? stretchAt(timeline, seq) : [0, LIVE];
}
