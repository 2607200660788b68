/** Show what is typed into a password field, and hide it again before it is sent. */
export function revealPasswords() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-reveal]");
    if (!button) return;
    const field = document.getElementById(button.dataset.reveal);
    const shown = field.type === "text";
    set(field, button, !shown);
    field.focus();
  });
  document.addEventListener("submit", (event) => {
    event.target.querySelectorAll("[data-reveal]").forEach((button) => {
      set(document.getElementById(button.dataset.reveal), button, false);
    });
  }, true);
}

function set(field, button, shown) {
  field.type = shown ? "text" : "password";
  button.setAttribute("aria-pressed", String(shown));
  button.setAttribute("aria-label", shown ? "Hide password" : "Show password");
}
