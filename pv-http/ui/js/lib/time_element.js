/**
 * @file `<time>` elements that show how long ago something was and are kept up to date, and the timer that does it.
 */

import { h, setText } from "./dom.js";
import { ago, dateTime, parseTime } from "./time.js";

/** How often the shown times are updated, in milliseconds. */
const TICK_MS = 1000;

/**
 * Creates a `<time>` that shows how long ago it was, with the exact time on hover; a dash where there is no time.
 * @param {string | null | undefined} text
 */
export function timeAgo(text) {
  const element = /** @type {HTMLTimeElement} */ (h("time", { class: "time" }));
  setTimeAgo(element, text);
  return element;
}

/**
 * Sets the time of a `<time>`, unless it shows that one already.
 * @param {HTMLTimeElement} element
 * @param {string | null | undefined} text
 */
export function setTimeAgo(element, text) {
  const at = parseTime(text);
  if (at === null) {
    if (element.dataset.at !== "") {
      element.dataset.at = "";
      element.removeAttribute("datetime");
      element.removeAttribute("title");
    }
    setText(element, "–");
    return;
  }
  if (element.dataset.at !== String(at)) {
    element.dataset.at = String(at);
    element.dateTime = new Date(at).toISOString();
    element.title = dateTime(at);
  }
  setText(element, ago(at, Date.now()));
}

/** Updates every `<time>` in the page. */
function refresh() {
  const now = Date.now();
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("time[data-at]"))) {
    const at = Number(element.dataset.at);
    if (element.dataset.at) setText(element, ago(at, now));
  }
}

/** @type {Set<() => void>} */
const tickers = new Set();

/**
 * Calls a function about once a second while the page is visible, until the signal ends it.
 * @param {() => void} run
 * @param {AbortSignal} signal
 */
export function everySecond(run, signal) {
  tickers.add(run);
  signal.addEventListener("abort", () => tickers.delete(run), { once: true });
}

/** Starts the timer that updates the page once a second. */
export function startTimer() {
  setInterval(() => {
    if (document.hidden) return;
    refresh();
    for (const run of tickers) run();
  }, TICK_MS);
}
