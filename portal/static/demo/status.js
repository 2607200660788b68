/** The connection in words: a quiet label in the header, and a thin bar when there is something to know or to do. */
const WORDS = { connecting: "Connecting", online: "Online", away: "Reconnecting", off: "Offline", refused: "Not connected" };

/** `{label, tone, bar, again, link}` of a session. `tone` is `good`, `quiet`, `warning` or `danger`. */
export function statusOf({ connection, operations: { all }, trouble, caughtUp, page }) {
  const label = WORDS[connection.state];
  const waits = waiting(all.filter((op) => !op.error));
  const limit = all.find((op) => op.error?.code === "quota_exceeded")?.error;
  const problem = connection.problem ?? trouble ?? limit;
  if (problem) return { label, ...explain(problem, page) };
  switch (connection.state) {
    case "off":
      return { label, tone: "quiet", bar: `Offline by the switch.${waits || " What you send waits here."}` };
    case "away":
      return { label, tone: "warning", bar: `Reconnecting to ${page.node}.${waits}`, again: true };
    case "online":
      if (caughtUp === null) return { label, tone: "good" };
      return { label, tone: "good", bar: caughtUp ? `Back online. ${missed(caughtUp)}` : "Back online. Nothing was missed." };
    default:
      return { label, tone: "quiet" };
  }
}

function explain({ code, message, once }, page) {
  if (code === "quota_exceeded") {
    return { tone: "danger", bar: message, link: { href: page.usageUrl, text: "See usage and limits" } };
  }
  if (code === "no_answer") {
    return { tone: "warning", bar: `${page.node} does not answer. Is the node running?`, again: true };
  }
  if (code === "portal_away") {
    return { tone: "warning", bar: "The portal does not answer, so there are no tokens to connect with.", again: true };
  }
  if (code === "signed_out") {
    return { tone: "warning", bar: "You are signed out here.", link: { href: location.href, text: "Sign in again" } };
  }
  if (code === "token_revoked") {
    return { tone: "danger", bar: "The user's tokens were revoked, so the server closed the connection.", again: true };
  }
  return { tone: "danger", bar: (message !== code && message) || `The server refused the connection (${code}).`, again: !once };
}

function waiting(operations) {
  const count = operations.length;
  if (!count) return "";
  const what = operations.every((op) => op.kind === "send") ? "message" : "change";
  return count === 1 ? ` 1 ${what} waits to be sent.` : ` ${count} ${what}s wait to be sent.`;
}

function missed(count) {
  return count === 1 ? "1 message came while you were away." : `${count} messages came while you were away.`;
}
