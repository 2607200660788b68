/** Words in the corner: they can be dismissed, good ones leave by themselves, and a lost connection brings one. */
const GOOD_STAY = 6000;

export function notices() {
  document.addEventListener("click", (event) => event.target.closest("[data-dismiss]")?.closest("[data-toast]").remove());
  document.addEventListener("htmx:afterSettle", leaveSoon);
  document.addEventListener("htmx:sendError", () => say("Natter cannot be reached. Check your connection and try again."));
  document.addEventListener("htmx:timeout", () => say("Natter did not answer in time. Try again."));
  leaveSoon();
}

function leaveSoon() {
  document.querySelectorAll("[data-toast].good:not([data-leaving])").forEach((toast) => {
    toast.dataset.leaving = "";
    setTimeout(() => toast.matches(":hover, :focus-within") || toast.remove(), GOOD_STAY);
  });
}

function say(text) {
  const toast = document.createElement("div");
  toast.className = "toast danger";
  toast.dataset.toast = "";
  toast.setAttribute("role", "alert");
  const words = document.createElement("div");
  words.textContent = text;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button quiet small";
  button.dataset.dismiss = "";
  button.textContent = "Dismiss";
  toast.append(words, button);
  document.getElementById("notices").replaceChildren(toast);
}
