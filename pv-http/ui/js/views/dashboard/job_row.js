/**
 * @file A job as a row of the dashboard. A row is updated in place: only the texts that differ change.
 */

import { repoOf } from "../../api/job.js";
import { h, setAttr, setText } from "../../lib/dom.js";
import { jobHref } from "../../lib/router.js";
import { duration } from "../../lib/time.js";
import { setTimeAgo, timeAgo } from "../../lib/time_element.js";
import { flagList, setFlags, setStateBadge, stateBadge } from "../badges.js";
import { runTimeMs } from "./statistics.js";

/** @typedef {import("../../api/types.js").Job} Job */

/** The columns: their headings, and the class of their cells. */
export const COLUMNS = /** @type {const} */ ([
  ["State", "state"], ["Prompt", "title"], ["Repository", "repo"], ["Branch", "branch"], ["Agent", "agent"],
  ["Age", "age"], ["Run time", "run-time"], ["Heartbeat", "heartbeat"],
]);

/**
 * Creates the row of a job.
 * @param {Job} first
 * @returns {import("./virtual_list.js").Row<Job>}
 */
export function jobRow(first) {
  const cell = (/** @type {string} */ name, /** @type {(Node | string)[]} */ ...children) =>
    h("div", { role: "cell", class: `cell cell-${name}` }, ...children);
  const badge = stateBadge(first.state);
  const link = h("a", { class: "row-link", href: jobHref(first.job_id), tabindex: "-1" });
  const flags = flagList(first);
  const [age, heartbeat] = [timeAgo(first.created_at), timeAgo(first.heartbeat_at)];
  const repo = cell("repo");
  const branch = cell("branch");
  const agent = cell("agent");
  const runTime = cell("run-time");
  const element = h("div", { role: "row", class: "row" },
    cell("state", badge), cell("title", link, flags), repo, branch, agent, cell("age", age), runTime, cell("heartbeat", heartbeat));
  const update = (/** @type {Job} */ job) => {
    setAttr(element, "data-state", job.state);
    setStateBadge(badge, job.state);
    setText(link, job.title || job.message || job.job_id);
    setAttr(link, "title", `${job.title ?? ""}\n${job.job_id}`.trim());
    setFlags(flags, job);
    setCell(repo, repoOf(job));
    setCell(branch, job.branch_name ?? "");
    setCell(agent, job.agent ?? "");
    setTimeAgo(age, job.created_at);
    setText(runTime, runTimeText(job));
    if (job.state === "running") setTimeAgo(heartbeat, job.heartbeat_at);
    else setTimeAgo(heartbeat, null);
  };
  update(first);
  return { element, update };
}

/** @param {Element} cell @param {string} text */
function setCell(cell, text) {
  setText(cell, text || "–");
  setAttr(cell, "title", text || null);
}

/** @param {Job} job */
function runTimeText(job) {
  const ms = runTimeMs(job, Date.now());
  if (ms !== null) return duration(ms / 1000);
  return job.state === "created" ? "waiting" : "–";
}
