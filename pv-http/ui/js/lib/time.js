/**
 * @file Times and durations as people read them, and `<time>` elements that stay true while they are shown.
 */

import { h, setText } from "./dom.js";

const MINUTE_S = 60;
const HOUR_S = 60 * MINUTE_S;
const DAY_S = 24 * HOUR_S;
/** How often the shown times are brought up to date, in milliseconds. */
const TICK_MS = 1000;

/**
 * Returns the milliseconds of a time of the API, or null for none that can be used.
 * @param {string | null | undefined} text
 */
export function parseTime(text) {
  const at = text ? Date.parse(text) : NaN;
  return Number.isNaN(at) ? null : at;
}

/**
 * Returns a duration in at most two units: `8s`, `3m 20s`, `2h 05m`, `4d 3h`.
 * @param {number} seconds
 */
export function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  if (s < MINUTE_S) return `${s}s`;
  if (s < HOUR_S) return `${Math.floor(s / MINUTE_S)}m ${two(s % MINUTE_S)}s`;
  if (s < DAY_S) return `${Math.floor(s / HOUR_S)}h ${two(Math.floor((s % HOUR_S) / MINUTE_S))}m`;
  return `${Math.floor(s / DAY_S)}d ${Math.floor((s % DAY_S) / HOUR_S)}h`;
}

/**
 * Returns how long ago something was, in one unit: `now`, `12s ago`, `5m ago`, `3h ago`, `2d ago`.
 * @param {number} at
 * @param {number} now
 */
export function ago(at, now) {
  const s = Math.max(0, Math.floor((now - at) / 1000));
  if (s < 2) return "now";
  if (s < MINUTE_S) return `${s}s ago`;
  if (s < HOUR_S) return `${Math.floor(s / MINUTE_S)}m ago`;
  if (s < DAY_S) return `${Math.floor(s / HOUR_S)}h ago`;
  return `${Math.floor(s / DAY_S)}d ago`;
}

const DATE = { year: "numeric", month: "short", day: "numeric" };
const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const exactFormat = new Intl.DateTimeFormat(undefined, /** @type {Intl.DateTimeFormatOptions} */ ({ ...DATE, ...CLOCK, timeZoneName: "short" }));
const clockFormat = new Intl.DateTimeFormat(undefined, /** @type {Intl.DateTimeFormatOptions} */ (CLOCK));

/**
 * Returns the exact time in the reader's zone.
 * @param {number} at
 */
export function exact(at) {
  return exactFormat.format(at);
}

/**
 * Returns the time of day in the reader's zone.
 * @param {number} at
 */
export function clock(at) {
  return clockFormat.format(at);
}

/**
 * Makes a `<time>` that says how long ago it was, with the exact time on hover; `none` where there is no time.
 * @param {string | null | undefined} text
 */
export function timeAgo(text) {
  const element = /** @type {HTMLTimeElement} */ (h("time", { class: "time" }));
  setTimeAgo(element, text);
  return element;
}

/**
 * Gives a `<time>` another time. Nothing is touched where it shows that one already.
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
    element.title = exact(at);
  }
  setText(element, ago(at, Date.now()));
}

/** Brings every `<time>` that is in the page up to date. */
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
 * Calls a function about once a second while the page is looked at, until the signal ends it.
 * @param {() => void} run
 * @param {AbortSignal} signal
 */
export function everySecond(run, signal) {
  tickers.add(run);
  signal.addEventListener("abort", () => tickers.delete(run), { once: true });
}

/** Starts the clock of the page. */
export function startClock() {
  setInterval(() => {
    if (document.hidden) return;
    refresh();
    for (const run of tickers) run();
  }, TICK_MS);
}
