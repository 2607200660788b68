/** Menus are <details>: close them when something else is clicked, and by Escape, which gives the focus back. */
export function closeMenus() {
  document.addEventListener("click", (event) => {
    open().filter((menu) => !menu.contains(event.target)).forEach(close);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const last = open().at(-1);
    if (!last) return;
    close(last);
    last.querySelector("summary").focus();
  });
}

const open = () => [...document.querySelectorAll("details.menu[open], .bar > details[open]")];
const close = (menu) => menu.removeAttribute("open");
