/**
 * Exact values on a chart, for the pointer and for the arrow keys. Without this script each day has a native tooltip and
 * the table below the chart says the same.
 */
const COLUMN = "[data-chart-day]";

function show(chart, column) {
  const tip = chart.querySelector("[data-chart-tip]");
  const mark = chart.querySelector("[data-chart-mark]");
  chart.querySelectorAll("[data-chart-on]").forEach((other) => other.removeAttribute("data-chart-on"));
  column.setAttribute("data-chart-on", "");
  tip.querySelector("[data-chart-tip-day]").textContent = column.dataset.chartDay;
  tip.querySelector("[data-chart-tip-value]").textContent = column.dataset.chartValue;
  tip.querySelector("[data-chart-tip-more]").textContent = column.dataset.chartMore ?? "";
  tip.hidden = false;
  const { x, y } = column.dataset;
  mark.setAttribute("d", `M${x} 0V120M${x} ${y}h0`);
  const plot = chart.querySelector("[data-chart-plot]").getBoundingClientRect();
  const frame = chart.getBoundingClientRect();
  const left = plot.left - frame.left + (Number(x) / 1000) * plot.width;
  const room = frame.width - tip.offsetWidth;
  tip.style.left = `${Math.max(0, Math.min(room, left - tip.offsetWidth / 2))}px`;
}

function hide(chart) {
  chart.querySelector("[data-chart-tip]").hidden = true;
  chart.querySelector("[data-chart-mark]").setAttribute("d", "");
  chart.querySelectorAll("[data-chart-on]").forEach((other) => other.removeAttribute("data-chart-on"));
}

function near(chart, clientX) {
  const columns = [...chart.querySelectorAll(COLUMN)];
  const plot = chart.querySelector("[data-chart-plot]").getBoundingClientRect();
  const at = (1000 * (clientX - plot.left)) / plot.width;
  return columns.findLast((column) => Number(column.getAttribute("x")) <= at) ?? columns[0];
}

export function readCharts() {
  document.addEventListener("pointermove", (event) => {
    const chart = event.target.closest?.("[data-chart]");
    for (const other of document.querySelectorAll("[data-chart]")) {
      if (other !== chart && !other.matches(":focus-visible")) hide(other);
    }
    const column = chart && near(chart, event.clientX);
    if (!column) return;
    // The native tooltip would say the same again.
    column.querySelector("title")?.remove();
    show(chart, column);
  });

  document.addEventListener("keydown", (event) => {
    const chart = event.target.closest?.("[data-chart]");
    if (!chart || !["ArrowLeft", "ArrowRight", "Home", "End", "Escape"].includes(event.key)) return;
    event.preventDefault();
    if (event.key === "Escape") return hide(chart);
    const columns = [...chart.querySelectorAll(COLUMN)];
    const at = columns.findIndex((column) => column.hasAttribute("data-chart-on"));
    const step = { ArrowLeft: at < 0 ? columns.length - 1 : at - 1, ArrowRight: at + 1, Home: 0, End: columns.length - 1 };
    const next = columns[Math.max(0, Math.min(columns.length - 1, step[event.key]))];
    if (next) show(chart, next);
  });

  document.addEventListener("focusout", (event) => {
    const chart = event.target.closest?.("[data-chart]");
    if (chart) hide(chart);
  });
}
