/** Times in words. */

export function clock(at) {
  return at.toLocaleTimeString(undefined, { hour: "numeric", minute: "2-digit" });
}

export function dayName(at, now) {
  const days = daysBetween(at, now);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  const year = at.getFullYear() === now.getFullYear() ? undefined : "numeric";
  return at.toLocaleDateString(undefined, { weekday: "long", day: "numeric", month: "long", year });
}

/** For the edge of a list: the time today, the weekday this week, the date before. */
export function shortly(at, now) {
  const days = daysBetween(at, now);
  if (days === 0) return clock(at);
  if (Math.abs(days) < 7) return at.toLocaleDateString(undefined, { weekday: "short" });
  const year = at.getFullYear() === now.getFullYear() ? undefined : "2-digit";
  return at.toLocaleDateString(undefined, { day: "numeric", month: "short", year });
}

export function ago(at, now) {
  const minutes = Math.floor((now - at) / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  if (daysBetween(at, now) === 0) return `at ${clock(at)}`;
  return daysBetween(at, now) === 1 ? `yesterday at ${clock(at)}` : `on ${shortly(at, now)}`;
}

/** For what ends: `until 14:05`, `until Tue, 14:05`, `until 3 Dec`. */
export function until(at, now) {
  const days = daysBetween(now, at);
  if (days === 0) return `until ${clock(at)}`;
  return days < 7 ? `until ${shortly(at, now)}, ${clock(at)}` : `until ${shortly(at, now)}`;
}

function daysBetween(at, now) {
  return Math.round((midnight(now) - midnight(at)) / 86_400_000);
}

function midnight(date) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}
