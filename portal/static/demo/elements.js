/** Small parts of pages. Whatever a user wrote goes in as text, never as markup. */

export function element(tag, className, ...content) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

/** A copy of a template of the page. */
export function copy(name) {
  return document.querySelector(`template[data-template=${name}]`).content.firstElementChild.cloneNode(true);
}

export function part(root, name) {
  return root.querySelector(`[data-part="${name}"]`);
}

export function flag(row, name, on) {
  if (on) row.dataset[name] = "";
  else delete row.dataset[name];
}

const HUES = 6;

/** A round picture of somebody or of a channel: initials on a colour that stays theirs. */
export function avatar(id, name, { presence = null, symbol = null } = {}) {
  const made = element("span", "avatar");
  made.setAttribute("aria-hidden", "true");
  made.dataset.hue = String(hue(id));
  if (symbol) made.append(copy(symbol));
  else made.textContent = initials(name);
  if (presence) made.dataset.presence = presence;
  return made;
}

function hue(id) {
  let sum = 0;
  for (const char of id) sum = (sum * 31 + char.codePointAt(0)) % 9973;
  return sum % HUES;
}

function initials(name) {
  const words = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  const spoken = words.filter((word) => /^\p{L}/u.test(word));
  const letters = (spoken.length ? spoken : words).slice(0, 2).map((word) => [...word][0]);
  return letters.join("").toUpperCase() || "?";
}
