/** A small menu beside the button that asked for it: one at a time on the page. */
import { element } from "./elements.js";

let open = null;

/**
 * `items` are `{text, name, value}`, `across` of them in a row, under a `title` if there is one. `chosen(value)`; `left()`
 * gives the focus back.
 */
export function openMenu(button, { label, title, items, across = 1, className, chosen, left }) {
  open?.close();
  const menu = element("div", `chat-menu ${className}`);
  menu.setAttribute("role", "menu");
  menu.setAttribute("aria-label", label);
  const buttons = items.map(({ text, name }) => {
    const item = element("button", "", text);
    item.type = "button";
    item.setAttribute("role", "menuitem");
    if (name) {
      item.setAttribute("aria-label", name);
      item.title = name;
    }
    return item;
  });
  if (title) menu.append(element("p", "menu-title", title));
  menu.append(...buttons);
  const away = (event) => !menu.contains(event.target) && close();
  const close = () => {
    document.removeEventListener("pointerdown", away);
    menu.remove();
    open = null;
  };
  const done = (at) => {
    close();
    left();
    if (at >= 0) chosen(items[at].value);
  };
  menu.addEventListener("click", (event) => {
    event.stopPropagation();
    const item = event.target.closest("button");
    if (item) done(buttons.indexOf(item));
  });
  menu.addEventListener("keydown", (event) => {
    const at = buttons.indexOf(document.activeElement);
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across }[event.key];
    if (step) buttons[(at + step + buttons.length) % buttons.length].focus();
    else if (event.key === "Escape") done(-1);
    else if (event.key === "Tab") close();
    else return;
    event.stopPropagation();
    if (event.key !== "Tab") event.preventDefault();
  });
  menu.addEventListener("focusout", (event) => event.relatedTarget && !menu.contains(event.relatedTarget) && close());
  open = { close };
  const pane = button.closest("[data-part=pane]");
  pane.append(menu);
  place(menu, button, pane);
  document.addEventListener("pointerdown", away);
  buttons[0].focus();
}

/** Above the button or below it, inside the pane. */
function place(menu, button, pane) {
  const at = button.getBoundingClientRect();
  const room = pane.getBoundingClientRect();
  const above = at.top - room.top > menu.offsetHeight + 8;
  const left = Math.min(at.left - room.left, room.width - menu.offsetWidth - 8);
  menu.style.insetInlineStart = `${Math.max(8, left)}px`;
  menu.style.insetBlockStart = `${above ? at.top - room.top - menu.offsetHeight - 4 : at.bottom - room.top + 4}px`;
}
