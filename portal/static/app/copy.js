/** Buttons that copy the text beside them. */
const SHOWN_FOR = 1500;

export function copyOnClick() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const text = button.closest(".code").querySelector("[data-copy-text]").textContent;
    const label = button.querySelector("[data-copy-label]");
    const before = (label.dataset.before ??= label.textContent);
    try {
      await navigator.clipboard.writeText(text);
      label.textContent = "Copied";
    } catch {
      select(button.closest(".code").querySelector("[data-copy-text]"));
      label.textContent = "Press Ctrl C";
    }
    setTimeout(() => (label.textContent = before), SHOWN_FOR);
  });
}

/** Where the browser keeps the clipboard from us, the text is at least marked. */
function select(element) {
  const range = document.createRange();
  range.selectNodeContents(element);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
}
