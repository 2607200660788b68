/**
 * Messages in the order of their `seq`, immutable, and which stretches of the log are known whole.
 *
 * Messages are kept in chunks, so that one more costs a copy of a chunk and not of everything. `covered` lists stretches
 * `[from, to]` without a hole: every message there that the user may see is held. The last stretch is open at its end:
 * from where the channel was entered on, events tell everything.
 */
import type { Message } from "./types.js";

/** The end of the stretch that goes on. */
export const LIVE = Number.MAX_SAFE_INTEGER;
const CHUNK = 64;

export type Stretch = readonly [from: number, to: number];

export interface Timeline {
  readonly chunks: readonly (readonly Message[])[];
  readonly size: number;
  readonly covered: readonly Stretch[];
}

/** Nothing yet; everything from `seq` on will be told. */
export function liveFrom(seq: number): Timeline {
  return { chunks: [], size: 0, covered: [[seq, LIVE]] };
}

/** The messages, oldest first. */
export function messagesOf(timeline: Timeline): Message[] {
  return timeline.chunks.flat();
}

/** The newest message. */
export function newestOf(timeline: Timeline): Message | undefined {
  return timeline.chunks.at(-1)?.at(-1);
}

export function atSeq(timeline: Timeline, seq: number): Message | undefined {
  const chunk = timeline.chunks[chunkOf(timeline, seq)];
  const found = chunk?.[indexIn(chunk, seq)];
  return found?.seq === seq ? found : undefined;
}

/** With a message, in the place of the one with the same `seq` if there is one. */
export function withMessage(timeline: Timeline, message: Message): Timeline {
  const at = Math.min(chunkOf(timeline, message.seq), timeline.chunks.length - 1);
  if (at < 0) return { ...timeline, chunks: [[message]], size: 1 };
  const chunk = timeline.chunks[at]!;
  const index = indexIn(chunk, message.seq);
  const replaces = chunk[index]?.seq === message.seq;
  const chunks = timeline.chunks.slice();
  if (!replaces && index === chunk.length && chunk.length >= CHUNK) {
    chunks.splice(at + 1, 0, [message]);
  } else {
    const changed = chunk.slice();
    changed.splice(index, replaces ? 1 : 0, message);
    if (changed.length < 2 * CHUNK) chunks[at] = changed;
    else chunks.splice(at, 1, changed.slice(0, CHUNK), changed.slice(CHUNK));
  }
  return { ...timeline, chunks, size: timeline.size + (replaces ? 0 : 1) };
}

/** With those messages alone that a test passes. */
export function onlyThose(timeline: Timeline, test: (message: Message) => boolean): Timeline {
  const kept = messagesOf(timeline).filter(test);
  return kept.length === timeline.size ? timeline : { ...timeline, ...chunked(kept) };
}

/** With each message changed; the same timeline if none was. */
export function changedEach(timeline: Timeline, change: (message: Message) => Message): Timeline {
  let touched = false;
  const chunks = timeline.chunks.map((chunk) => {
    const changed = chunk.map(change);
    if (changed.every((message, index) => message === chunk[index])) return chunk;
    touched = true;
    return changed;
  });
  return touched ? { ...timeline, chunks } : timeline;
}

/** With a stretch of messages that was read; what is held already stays, because events have kept it fresh. */
export function withPage(timeline: Timeline, page: readonly Message[], stretch: Stretch): Timeline {
  const held = new Set(messagesOf(timeline).map((message) => message.seq));
  const all = [...messagesOf(timeline), ...page.filter((message) => !held.has(message.seq))];
  all.sort((a, b) => a.seq - b.seq);
  return { ...chunked(all), covered: joined([...timeline.covered, stretch]) };
}

/** The newest `most` messages of the stretch that goes on, and nothing else: what is worth keeping on a disk. */
export function tail(timeline: Timeline, most: number): Timeline {
  const from = stretchAt(timeline, LIVE)[0];
  const live = messagesOf(timeline).filter((message) => message.seq >= from);
  const kept = live.slice(-most);
  const start = kept.length < live.length ? kept[0]!.seq : from;
  return { ...chunked(kept), covered: [[start, LIVE]] };
}

/** The stretch that a place lies in, or that ends the timeline. */
export function stretchAt(timeline: Timeline, seq: number): Stretch {
  return timeline.covered.find(([from, to]) => from <= seq && seq <= to) ?? timeline.covered.at(-1)!;
}

/** The stretch before one. */
export function stretchBefore(timeline: Timeline, stretch: Stretch): Stretch | undefined {
  return timeline.covered.filter(([, to]) => to < stretch[0]).at(-1);
}

function joined(stretches: Stretch[]): Stretch[] {
  const sorted = stretches.sort((a, b) => a[0] - b[0]);
  const found: [number, number][] = [];
  for (const [from, to] of sorted) {
    const last = found.at(-1);
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else found.push([from, to]);
  }
  return found;
}

function chunked(messages: readonly Message[]): Pick<Timeline, "chunks" | "size"> {
  const chunks: Message[][] = [];
  for (let at = 0; at < messages.length; at += CHUNK) chunks.push(messages.slice(at, at + CHUNK));
  return { chunks, size: messages.length };
}

/** The first chunk that ends at a place or after it; one too far if there is none. */
function chunkOf({ chunks }: Timeline, seq: number): number {
  let low = 0;
  let high = chunks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (chunks[middle]!.at(-1)!.seq < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Where in a chunk a place is, or would be. */
function indexIn(chunk: readonly Message[], seq: number): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (chunk[middle]!.seq < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}
