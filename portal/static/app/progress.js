/** A line on top while something is asked for; the style shows it only after 150 ms. */
export function showProgress() {
  let running = 0;
  const show = () => document.getElementById("progress")?.toggleAttribute("data-running", running > 0);
  document.addEventListener("htmx:beforeRequest", () => {
    running += 1;
    show();
  });
  document.addEventListener("htmx:afterRequest", () => {
    running = Math.max(0, running - 1);
    show();
  });
  // The line of a page that was swapped in while another request runs.
  document.addEventListener("htmx:afterSettle", show);
}
