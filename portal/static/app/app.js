/** What htmx does not do: every page works without it, a little less comfortably. */
import { closeMenus } from "./menus.js";
import { copyOnClick } from "./copy.js";
import { guardForms } from "./forms.js";
import { keepFocus } from "./focus.js";
import { notices } from "./notices.js";
import { readCharts } from "./chart.js";
import { revealPasswords } from "./reveal.js";
import { showProgress } from "./progress.js";
import { switchTheme } from "./theme.js";

document.documentElement.dataset.scripts = "";
[closeMenus, copyOnClick, guardForms, keepFocus, notices, readCharts, revealPasswords, showProgress, switchTheme].forEach((start) => start());
