/** Change the theme at once; the server is told in the background. */
export function switchTheme() {
  document.addEventListener("submit", (event) => {
    if (!("themeSwitch" in event.target.dataset)) return;
    const chosen = event.submitter.value;
    const root = document.documentElement;
    if (chosen === "system") delete root.dataset.theme;
    else root.dataset.theme = chosen;
    document.querySelectorAll("[data-theme-switch] button").forEach((button) => {
      button.setAttribute("aria-pressed", String(button.value === chosen));
    });
  });
}
