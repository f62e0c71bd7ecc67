/**
 * @file Parsing times, and formatting times and durations. Pure.
 */

const MINUTE_S = 60;
const HOUR_S = 60 * MINUTE_S;
const DAY_S = 24 * HOUR_S;

/**
 * Returns the milliseconds of a time of the API, or null where there is no valid one.
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
  const pad = (/** @type {number} */ n) => String(n).padStart(2, "0");
  if (s < MINUTE_S) return `${s}s`;
  if (s < HOUR_S) return `${Math.floor(s / MINUTE_S)}m ${pad(s % MINUTE_S)}s`;
  if (s < DAY_S) return `${Math.floor(s / HOUR_S)}h ${pad(Math.floor((s % HOUR_S) / MINUTE_S))}m`;
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
const TIME = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const dateTimeFormat = new Intl.DateTimeFormat(undefined, /** @type {Intl.DateTimeFormatOptions} */ ({ ...DATE, ...TIME, timeZoneName: "short" }));
const timeOfDayFormat = new Intl.DateTimeFormat(undefined, /** @type {Intl.DateTimeFormatOptions} */ (TIME));

/**
 * Returns date and time in the reader's zone.
 * @param {number} at
 */
export function dateTime(at) {
  return dateTimeFormat.format(at);
}

/**
 * Returns the time of day in the reader's zone.
 * @param {number} at
 */
export function timeOfDay(at) {
  return timeOfDayFormat.format(at);
}
