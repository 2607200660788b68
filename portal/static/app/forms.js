/** A form is sent once: until it is answered, its buttons are off and a second submit does nothing. */
export function guardForms() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || "themeSwitch" in form.dataset) return;
    if (form.getAttribute("aria-busy") === "true") {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    form.setAttribute("aria-busy", "true");
    // Not `disabled`, which would take the focus away, and the button's own value out of the form.
    buttons(form).forEach((button) => button.setAttribute("aria-disabled", "true"));
  }, true);

  document.addEventListener("htmx:afterRequest", (event) => release(event.detail.elt));
  // Back may show the page as it was when it was left.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) document.querySelectorAll("form[aria-busy]").forEach(release);
  });
}

const buttons = (form) => [...form.querySelectorAll("button:not([type=button])")];

function release(element) {
  const form = element.closest?.("form[aria-busy]");
  if (!form) return;
  form.removeAttribute("aria-busy");
  buttons(form).forEach((button) => button.removeAttribute("aria-disabled"));
}
