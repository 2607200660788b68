/** After a page was swapped in, the focus goes where reading goes on: the first wrong field, or the content. */
export function keepFocus() {
  focusFirstError();
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target !== document.body) return;
    if (focusFirstError() || document.activeElement?.matches("[autofocus]")) return;
    document.getElementById("main")?.focus({ preventScroll: true });
  });
}

function focusFirstError() {
  const field = document.querySelector("main [aria-invalid=true]");
  field?.focus();
  return Boolean(field);
}
