/**
 * @file What the checks said of a job's work: whether it is verified, and a table of the checks, with a column for each attempt.
 */

import { h, setChildren } from "../../lib/dom.js";
import { duration } from "../../lib/time.js";

/** @typedef {import("../../api/types.js").Job} Job */
/** @typedef {import("../../api/types.js").Check} Check */

/** Tells whether a check was started, ended by itself, and exited with 0. @param {Check} check */
export function isGreen(check) {
  return check.exit_code === 0 && !check.timed_out && !check.error;
}

/** With a decimal below ten seconds. @param {number} seconds */
function took(seconds) {
  return seconds < 9.95 ? `${seconds.toFixed(1)}s` : duration(seconds);
}

/** Returns how a check ended, in a few words. @param {Check} check */
export function endingOf(check) {
  const time = took(check.seconds ?? 0);
  if (check.timed_out) return `ended at its time limit, ${time}`;
  if (check.error) return check.error;
  if (check.exit_code === undefined) return "not known how it ended";
  return `${check.exit_code < 0 ? `signal ${-check.exit_code}` : `exit ${check.exit_code}`}, ${time}`;
}

/**
 * Returns the columns of the table: what the checks said after each attempt, and of the work as it is where that is of none.
 * @param {Job} job
 * @returns {{name: string, checks: Check[]}[]}
 */
export function columnsOf(job) {
  const attempts = (job.attempts ?? []).filter((attempt) => attempt.checks?.length);
  if (attempts.length > 0) return attempts.map(({ number, checks }) => ({ name: `Attempt ${number}`, checks: checks ?? [] }));
  return job.checks?.length ? [{ name: "Result", checks: job.checks }] : [];
}

/**
 * Returns whether the work is verified, in a sentence; `null` while there is nothing to say.
 * @param {Job} job
 * @returns {{is: "verified" | "red" | "unknown" | "none", text: string} | null}
 */
export function verdictOf(job) {
  if (job.verified === true) return { is: "verified", text: "Verified: every check is green." };
  if (job.verified === false) return { is: "red", text: "Not verified: a check failed." };
  if (job.state === "running" && job.phase === "checking") return { is: "unknown", text: "The checks are running." };
  if (columnsOf(job).length > 0) return { is: "unknown", text: "Not verified: the work as it is now was not checked to the end." };
  if (job.state === "succeeded" && job.changed === true) return { is: "none", text: "Not verified: no checks are configured." };
  return null;
}

export function checksPanel() {
  const element = h("section", { class: "checks", "aria-label": "Checks", hidden: true });
  let shownKey = "";
  return {
    element,
    /** @param {Job} job */
    show(job) {
      const verdict = verdictOf(job);
      const columns = columnsOf(job);
      const key = JSON.stringify([verdict, columns, job.checks_rerun, job.checks_changed]);
      if (key === shownKey) return;
      shownKey = key;
      element.hidden = verdict === null;
      if (!verdict) return;
      element.dataset.verdict = verdict.is;
      setChildren(element, h("h2", {}, verdict.text), notes(job), columns.length > 0 ? table(columns) : null);
    },
  };
}

/** @param {Job} job */
function notes(job) {
  const changed = job.checks_changed ?? [];
  return [
    job.checks_rerun ? h("p", {}, "The checks ran once more, on a checkout made from the saved work: a supervisor ended before they did.") : null,
    changed.length > 0 ? h("p", { class: "checks-warning" }, "The work changes what the checks run from: ", changed.flatMap((path, i) => [i > 0 ? ", " : "", h("code", {}, path)])) : null,
  ];
}

/** @param {{name: string, checks: Check[]}[]} columns */
function table(columns) {
  /** @type {Map<string, string>} */
  const rows = new Map();
  for (const { checks } of columns) for (const check of checks) rows.set(check.name, check.command ?? "");
  return h("div", { class: "checks-table" }, h("table", {},
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Check"), h("th", { scope: "col" }, "Command"), columns.map(({ name }) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, [...rows].map(([name, command]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, h("code", { class: "command" }, command)),
      columns.map(({ checks }) => cell(checks.find((check) => check.name === name))))))));
}

/** @param {Check | undefined} check */
function cell(check) {
  if (!check) return h("td", { class: "muted" }, "not run");
  const green = isGreen(check);
  return h("td", { "data-result": green ? "green" : "red" }, h("span", { "aria-hidden": "true" }, green ? "✓ " : "✗ "), h("span", { class: "visually-hidden" }, green ? "green: " : "red: "), endingOf(check));
}
