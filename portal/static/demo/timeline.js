/**
 * From messages to what is drawn: day separators, the "New" line, and messages grouped by author and minute.
 *
 * Pure: `{key, kind: day|new|message, …}` in order. A message has `first` and `last` of its group.
 */
export function timeline(messages, { me, newAfter, now }) {
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
    const item = { key: message.id, kind: "message", message, at, own: message.user_id === me, first: apart, last: false };
    items.push(item);
    previous = item;
    marked ||= isNew;
    day = today;
  }
  if (previous) previous.last = true;
  return items;
}

function together(a, b) {
  return a.user_id === b.user_id && a.created_at.slice(0, 16) === b.created_at.slice(0, 16);
}

function dayName(at, now) {
  const days = Math.round((midnight(now) - midnight(at)) / 86_400_000);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  const year = at.getFullYear() === now.getFullYear() ? undefined : "numeric";
  return at.toLocaleDateString(undefined, { weekday: "long", day: "numeric", month: "long", year });
}

function midnight(date) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

export function clock(at) {
  return at.toLocaleTimeString(undefined, { hour: "numeric", minute: "2-digit" });
}
