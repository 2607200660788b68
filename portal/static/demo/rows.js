/** One row of the timeline. Whatever a user wrote goes in as text, never as markup. */
import { avatar, copy, element, flag, part } from "./elements.js";
import { ago, clock } from "./times.js";

const READERS_SHOWN = 4;

export function drawDay(row, { label }) {
  row.className = "day";
  row.replaceChildren(element("span", "", label));
}

export function drawNew(row) {
  row.className = "new";
  row.replaceChildren(element("span", "", "New"));
}

/** `around`: `{online, people, rights, can(verb, message), versions(message), me}`; `rights` is what `can` depends on. */
export function drawMessage(row, item, { mode, around }) {
  const { message, own, first, last } = item;
  row.className = "message";
  row.tabIndex = -1;
  row.dataset.id = message.id;
  flag(row, "own", own && !message.deleted_at);
  flag(row, "first", first);
  flag(row, "last", last);
  flag(row, "pinned", message.pin && !message.deleted_at);
  row.dataset.side = own ? "own" : "other";
  row.dataset.state = message.removing ? "removing" : message.state;
  const made = copy("message");
  const name = around.people.name(message.user_id);
  if (item.named && !own) {
    if (last) part(made, "face").append(avatar(message.user_id, name));
    if (first) part(made, "author").textContent = name;
  } else part(made, "face").remove();
  if (!part(made, "author").textContent) part(made, "author").remove();
  const body = part(made, "bubble");
  if (mode === "editing") body.replaceWith(editor(message));
  else fill(body, message, around);
  actions(part(made, "actions"), item, mode, around);
  reactions(part(made, "reactions"), message);
  threadLink(part(made, "thread"), message, around);
  if (mode === "reading") former(part(made, "versions"), message, around);
  else part(made, "versions").remove();
  const below = part(made, "below");
  if (mode === "confirming") below.replaceWith(question(message, around));
  else if (message.state === "refused") below.replaceWith(refusal(message));
  else below.replaceChildren(...underline(item, around));
  row.replaceChildren(made);
}

function fill(body, message, around) {
  if (message.deleted_at) {
    body.classList.add("deleted");
    body.textContent = "Message deleted";
    return;
  }
  if (message.quoted && mayQuote(message)) body.append(quote(message.quoted, around));
  body.append(...words(message, around));
  if (message.changed || message.updated_at !== message.created_at) body.append(" ", editedMark(message, around));
}

/** That it was edited, and the way to what it said before for who may see that. */
function editedMark(message, around) {
  if (!around.can("versions", message)) return element("span", "edited", "edited");
  const made = element("button", "edited", "edited");
  made.type = "button";
  made.dataset.do = "versions";
  made.title = "What it said before";
  made.setAttribute("aria-expanded", String(around.versions(message) !== null));
  return made;
}

/** What a message said before, the latest first. */
function former(list, message, { people, versions }) {
  const known = message.deleted_at ? null : versions(message);
  if (!known) return list.remove();
  const { failed, list: found } = known;
  const rows = (found ?? []).map(({ text, attachments, at, by, first }) => {
    const who = by ? people.name(by) : "The server";
    const when = element("time", "", ago(new Date(at), new Date()));
    when.dateTime = at;
    const said = text || (attachments ? "Attachments alone" : "Nothing");
    return element("li", "", element("p", "", said), element("span", "", first ? "At first, " : `${who}, `, when));
  });
  if (failed) rows.push(element("li", "versions-failed", failed));
  else if (!found) rows.push(element("li", "versions-loading", "Loading"));
  return list.append(...rows);
}

function mayQuote(message) {
  return !message.removing;
}

function quote({ id, user_id, text, deleted }, { people }) {
  const made = element("button", "quote");
  made.type = "button";
  made.dataset.do = "go";
  made.dataset.target = id;
  made.append(element("span", "quote-who", people.name(user_id)), element("span", "", deleted ? "Message deleted" : text));
  return made;
}

/** The text, with those it mentions marked. */
function words({ text, mentions }, { people, me }) {
  if (!mentions) return [text];
  const named = new Map(mentions.users.map((id) => [`@${people.name(id)}`, id]));
  if (mentions.channel) named.set("@channel", null);
  if (mentions.here) named.set("@here", null);
  const found = [];
  let rest = text;
  while (rest) {
    const next = [...named.keys()].map((name) => [rest.indexOf(name), name]).filter(([at]) => at >= 0).sort((a, b) => a[0] - b[0])[0];
    if (!next) break;
    const [at, name] = next;
    const mark = element("span", "mention", name);
    if (named.get(name) === me || named.get(name) === null) mark.dataset.me = "";
    found.push(rest.slice(0, at), mark);
    rest = rest.slice(at + name.length);
  }
  return [...found, rest];
}

function actions(group, { message, own }, mode, { can }) {
  const busy = mode !== "reading" || message.removing || (message.kind === "restore" && message.state === "waiting");
  for (const button of [...group.children]) {
    const verb = button.dataset.do;
    if (busy || !fits(verb, message, own) || !can(verb, message)) button.remove();
    else if (verb === "pin") {
      const words = message.pin ? "Unpin" : "Pin";
      button.title = `${words} (P)`;
      button.setAttribute("aria-label", words);
      if (message.pin) button.replaceChildren(copy("icon-unpin"));
      else button.setAttribute("aria-haspopup", "menu");
    }
  }
  if (!group.children.length) group.remove();
}

/** What there is to do with a message that is there, that is deleted, that is not stored yet. */
function fits(verb, { seq, deleted_at }, own) {
  if (deleted_at) return verb === "restore" || verb === "delete";
  if (seq === null) return own && (verb === "edit" || verb === "delete");
  return verb !== "restore";
}

/** Delete it, and for whom? */
function question(message, { can }) {
  const made = copy("confirm");
  const [all, alone] = [can("remove", message), can("hide", message)];
  if (!all) made.querySelector("[data-do=remove]").remove();
  if (!alone) made.querySelector("[data-do=hide]").remove();
  const words = part(made, "question");
  if (message.deleted_at) words.textContent = "Take it out of your own view?";
  else if (!all) words.textContent = "Delete it for yourself? Others still see it.";
  else if (!alone) made.querySelector("[data-do=remove]").textContent = "Delete";
  return made;
}

function reactions(group, { reactions: counts, own_reactions: own = [], deleted_at }) {
  const shown = deleted_at ? [] : Object.entries(counts ?? {});
  if (!shown.length) return group.remove();
  for (const [emoji, count] of shown) {
    const chip = element("button", "chip", element("span", "", emoji), element("span", "", String(count)));
    chip.type = "button";
    chip.dataset.do = "react-with";
    chip.dataset.emoji = emoji;
    const mine = own.includes(emoji);
    chip.setAttribute("aria-pressed", String(mine));
    chip.setAttribute("aria-label", `${emoji}, ${count}${mine ? ", yours too" : ""}`);
    group.append(chip);
  }
}

function threadLink(link, { reply_count, last_reply_at, thread_participants = [] }, { people }) {
  if (!reply_count) return link.remove();
  const faces = thread_participants.slice(0, 3).map((id) => avatar(id, people.name(id)));
  part(link, "faces").append(...faces);
  part(link, "count").textContent = reply_count === 1 ? "1 reply" : `${reply_count} replies`;
  part(link, "when").textContent = last_reply_at ? ago(new Date(last_reply_at), new Date()) : "";
}

/** What stands under a message: the minute under the last of a group, how far the user's own has come, and who has read it. */
function underline(item, around) {
  const { message, own, last, at } = item;
  if (message.state === "waiting") {
    const said = around.online ? waitingWords(message) : "Waiting for the connection";
    return [copy("icon-clock"), element("span", "", said)];
  }
  const readers = seen(item, around);
  const pinned = message.pin && !message.deleted_at ? [copy("icon-pinned")] : [];
  if (!last) return [...pinned, ...readers];
  const time = element("time", "", clock(at));
  time.dateTime = message.created_at;
  time.title = at.toLocaleString(undefined, { dateStyle: "full", timeStyle: "medium" });
  const shown = [...pinned, time];
  if (own && !message.deleted_at) shown.push(copy(item.seen ? "icon-read" : "icon-sent"));
  return [...shown, ...readers];
}

function seen({ readBy, named }, { people }) {
  if (!readBy.length || !named) return [];
  const names = readBy.map((id) => people.name(id));
  const group = element("span", "readers", ...readBy.slice(0, READERS_SHOWN).map((id) => avatar(id, people.name(id))));
  if (readBy.length > READERS_SHOWN) group.append(element("span", "", `+${readBy.length - READERS_SHOWN}`));
  group.setAttribute("role", "img");
  group.title = `Read up to here by ${names.slice(0, 12).join(", ")}${names.length > 12 ? " and others" : ""}`;
  group.setAttribute("aria-label", group.title);
  return [group];
}

function waitingWords({ removing, kind }) {
  if (removing) return "Deleting";
  if (kind === "restore") return "Restoring";
  return kind === "edit" ? "Saving" : "Sending";
}

function refusal(message) {
  const made = copy("refused");
  part(made, "reason").textContent = `Not sent. ${message.error.message}`;
  return made;
}

function editor(message) {
  const made = copy("editor");
  made.querySelector("textarea").value = message.text;
  return made;
}
