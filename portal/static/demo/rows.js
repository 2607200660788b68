/** One row of the timeline. Whatever a user wrote goes in as text, never as markup. */
import { clock } from "./timeline.js";

export function drawDay(row, { label }) {
  row.className = "day";
  row.replaceChildren(element("span", "", label));
}

export function drawNew(row) {
  row.className = "new";
  row.replaceChildren(element("span", "", "New"));
}

export function drawMessage(row, item, { mode, pane, online }) {
  const { message, own, first, last } = item;
  row.className = "message";
  row.tabIndex = -1;
  row.dataset.id = message.id;
  flag(row, "own", own && !message.deleted_at);
  flag(row, "first", first);
  flag(row, "last", last);
  row.dataset.side = own ? "own" : "other";
  row.dataset.state = message.removing ? "removing" : message.state;
  const part = copy(pane, "message");
  const body = part.querySelector("[data-part=bubble]");
  if (mode === "editing") body.replaceWith(editor(pane, message));
  else fill(body, message);
  if (mode !== "reading" || !own || message.deleted_at || message.removing) {
    part.querySelector("[data-part=actions]").remove();
  }
  const below = part.querySelector("[data-part=below]");
  if (mode === "confirming") below.replaceWith(copy(pane, "confirm"));
  else if (message.state === "refused") below.replaceWith(refusal(pane, message));
  else below.replaceChildren(...underline(item, pane, online));
  row.replaceChildren(part);
}

function fill(body, message) {
  if (message.deleted_at) {
    body.classList.add("deleted");
    body.textContent = "Message deleted";
    return;
  }
  body.textContent = message.text;
  const edited = message.changed || message.updated_at !== message.created_at;
  if (edited) body.append(" ", element("span", "edited", "edited"));
}

/** What stands under a message: the minute under the last of a group, and how far the user's own has come. */
function underline({ message, own, last, at }, pane, online) {
  if (message.state === "waiting") {
    const words = online ? waitingWords(message) : "Waiting for the connection";
    return [copy(pane, "icon-clock"), element("span", "", words)];
  }
  if (!last) return [];
  const time = element("time", "", clock(at));
  time.dateTime = message.created_at;
  time.title = at.toLocaleString(undefined, { dateStyle: "full", timeStyle: "medium" });
  return own && !message.deleted_at ? [time, copy(pane, "icon-sent")] : [time];
}

function waitingWords({ removing, kind }) {
  if (removing) return "Deleting";
  return kind === "edit" ? "Saving" : "Sending";
}

function refusal(pane, message) {
  const part = copy(pane, "refused");
  const verb = { send: "Not sent", edit: "Not saved", delete: "Not deleted" }[message.kind];
  part.querySelector("[data-part=reason]").textContent = `${verb}. ${message.error.message}`;
  return part;
}

function editor(pane, message) {
  const part = copy(pane, "editor");
  part.querySelector("textarea").value = message.text;
  return part;
}

function copy(pane, name) {
  const template = pane.closest("[data-demo]").querySelector(`template[data-template=${name}]`);
  return template.content.firstElementChild.cloneNode(true);
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

function flag(row, name, on) {
  if (on) row.dataset[name] = "";
  else delete row.dataset[name];
}
