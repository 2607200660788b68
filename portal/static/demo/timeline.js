/**
 * From messages to what is drawn: day separators, the "New" line, messages grouped by author, and who has read
 * how far.
 *
 * Pure: `{key, kind: day|new|message, …}` in order. A message has `first` and `last` of its group.
 */
import { dayName } from "./times.js";

/** Messages of one author that follow each other within this time are a group. */
const TOGETHER = 3 * 60_000;

/** `readers`: `Map(user → number)` of the others. `named`: whether the authors' names are shown. */
export function timeline(messages, { me, newAfter, now, readers = new Map(), named = false }) {
  const items = [];
  let previous = null;
  let day = null;
  let marked = newAfter === null;
  for (const message of messages) {
    const at = new Date(message.created_at);
    const today = at.toDateString();
    if (today !== day) items.push({ key: `day ${today}`, kind: "day", label: dayName(at, now) });
    const isNew = !marked && message.user_id !== me && message.number > newAfter;
    if (isNew) items.push({ key: "new", kind: "new" });
    const apart = isNew || today !== day || !previous || !together(previous.message, message);
    if (apart && previous) previous.last = true;
    const own = message.user_id === me;
    const item = { key: message.id, kind: "message", message, at, own, named, first: apart, last: false, readBy: [] };
    items.push(item);
    previous = item;
    marked ||= isNew;
    day = today;
  }
  if (previous) previous.last = true;
  seat(items, readers);
  return items;
}

function together(a, b) {
  if (a.system || b.system) return false;
  return a.user_id === b.user_id && Date.parse(b.created_at) - Date.parse(a.created_at) < TOGETHER;
}

/** Each reader stands at the last message that it has read; under one's own, whether anybody has. */
function seat(items, readers) {
  const messages = items.filter((item) => item.kind === "message" && item.message.number !== null);
  for (const [user, number] of readers) {
    const at = messages.findLast((item) => item.message.number <= number);
    if (at && at.message.user_id !== user) at.readBy.push(user); // whoever wrote it has read it
  }
  let most = Math.max(0, ...readers.values());
  for (const item of messages) item.seen = item.own && item.message.number <= most;
}
