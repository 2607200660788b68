/** The few emoji that people react with most: a small menu beside the button that asked for it. */
import { element } from "./elements.js";

const EMOJI = [
  ["👍", "Thumbs up"], ["❤️", "Heart"], ["😂", "Laughing"], ["🎉", "Party"], ["😮", "Surprised"], ["😢", "Sad"],
  ["🙏", "Thanks"], ["👀", "Looking"], ["🔥", "Fire"], ["✅", "Done"], ["👏", "Applause"], ["🚀", "Rocket"],
];
const ACROSS = 6;

let open = null;

/** `chosen(emoji)`; `left()` gives the focus back. */
export function pickEmoji(button, chosen, left) {
  open?.close();
  const menu = element("div", "picker");
  menu.setAttribute("role", "menu");
  menu.setAttribute("aria-label", "React with");
  for (const [emoji, name] of EMOJI) {
    const item = element("button", "", emoji);
    item.type = "button";
    item.setAttribute("role", "menuitem");
    item.setAttribute("aria-label", name);
    item.title = name;
    menu.append(item);
  }
  const items = [...menu.children];
  const away = (event) => !menu.contains(event.target) && close();
  const close = () => {
    document.removeEventListener("pointerdown", away);
    menu.remove();
    open = null;
  };
  const done = (item) => {
    close();
    left();
    if (item) chosen(item.textContent);
  };
  menu.addEventListener("click", (event) => {
    event.stopPropagation();
    const item = event.target.closest("button");
    if (item) done(item);
  });
  menu.addEventListener("keydown", (event) => {
    const at = items.indexOf(document.activeElement);
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: ACROSS, ArrowUp: -ACROSS }[event.key];
    if (step) items[(at + step + items.length) % items.length].focus();
    else if (event.key === "Escape") done(null);
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
  items[0].focus();
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
