/**
 * What each event does to the state. Pure: no network, no clock. Repeats do nothing; an event that came too early is not
 * applied, and `gaps` says of which log something is missing.
 */
import { CHANNEL_REDUCERS } from "./reduce/channels.js";
import { MESSAGE_REDUCERS, wrote } from "./reduce/messages.js";
import { PASSING_REDUCERS } from "./reduce/passing.js";
import { OWN_REDUCERS } from "./reduce/own.js";
import { Draft } from "./draft.js";
import type { State } from "./state.js";
import type { ServerEvent } from "./types.js";
import { without } from "./record.js";

export type Reducer = (draft: Draft, event: ServerEvent) => void;

/** Events without a channel that are entries of the app's log, not of the user's own. */
const OF_THE_APP = new Set(["grants.updated"]);
export const OWN_LOG = "";
export const APP_LOG = "app:";

export const REDUCERS: Readonly<Record<string, Reducer>> = {
  ...CHANNEL_REDUCERS,
  ...MESSAGE_REDUCERS,
  ...OWN_REDUCERS,
  ...PASSING_REDUCERS,
};

/** The state after an event; the same object when nothing changed. */
export function reduce(state: State, event: ServerEvent): State {
  return reduceAll(state, [event]);
}

/** The same after several events: cheaper than one by one, because what is changed twice is copied once. */
export function reduceAll(state: State, events: readonly ServerEvent[]): State {
  const draft = new Draft(state);
  for (const event of events) apply(draft, event);
  return draft.now;
}

/** The log that an event is an entry of: a channel's id, `OWN_LOG` or `APP_LOG`. */
export function logOf(event: ServerEvent): string {
  return event.channel_id ?? (OF_THE_APP.has(event.type) ? APP_LOG : OWN_LOG);
}

function apply(draft: Draft, event: ServerEvent): void {
  if (event.seq !== null && !takes(draft, logOf(event), event.seq)) return;
  if (event.type === "message.created") wrote(draft, event.data.message);
  REDUCERS[event.type]?.(draft, event);
}

/** Whether an entry is the next of its log, which is noted. */
function takes(draft: Draft, log: string, seq: number): boolean {
  const { applied, channels } = draft.now;
  const channelless = log === OWN_LOG ? "own" : log === APP_LOG ? "app" : null;
  const last = channelless ? applied[channelless] : channels[log]?.applied;
  if (last === undefined || seq <= last) return false;
  // Of the app's log nobody says where it stands at the start.
  if (seq > last + 1 && (last > 0 || channels[log])) {
    if (!(log in draft.now.gaps)) draft.set({ gaps: { ...draft.now.gaps, [log]: seq } });
    return false;
  }
  if (channelless) draft.set({ applied: { ...applied, [channelless]: seq } });
  else draft.channel(log)!.applied = seq;
  const gap = draft.now.gaps[log];
  if (gap !== undefined && seq >= gap) draft.set({ gaps: without(draft.now.gaps, log) });
  return true;
}
