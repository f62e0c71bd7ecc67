/**
 * @file Badges for states, and flags such as `stalled`: a shape, a colour and a word each, so that none depends on colour alone.
 */

import { isLive } from "../api/job.js";
import { h, setAttr, setText, svg } from "../lib/dom.js";

/** @typedef {import("../api/types.js").Job} Job */

const UNKNOWN = "M5.6 6a2.4 2.4 0 1 1 3.4 2.2c-.7.3-1 .8-1 1.5M8 12.4v.2";
const SHAPES = new Map(Object.entries({
  created: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11Zm0 2.8V8l1.9 1.4",
  running: "M8 2.5a5.5 5.5 0 1 1-5.5 5.5",
  succeeded: "m3 8.6 3.2 3.2L13 4.6",
  failed: "m4 4 8 8M12 4l-8 8",
  aborted: "M4.2 8h7.6M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11Z",
}));

/**
 * Creates the badge of a state.
 * @param {string} state
 */
export function stateBadge(state) {
  const badge = h("span", { class: "badge" }, icon(), h("span", { class: "badge-word" }));
  setStateBadge(badge, state);
  return badge;
}

/**
 * Sets the state of a badge.
 * @param {HTMLElement} badge
 * @param {string} state
 */
export function setStateBadge(badge, state) {
  if (badge.dataset.state === state) return;
  badge.dataset.state = state;
  const path = badge.querySelector("path");
  if (path) path.setAttribute("d", SHAPES.get(state) ?? UNKNOWN);
  const word = badge.lastElementChild;
  if (word) setText(word, state);
}

function icon() {
  return svg("svg", { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true", focusable: "false" }, svg("path", {}));
}

/**
 * Returns the flags of a job, each with its explanation.
 * @param {Job} job
 * @returns {[string, string][]}
 */
export function flagsOf(job) {
  /** @type {[string, string][]} */
  const flags = [];
  if (job.stalled) flags.push(["stalled", "Its supervisor has sent no heartbeat for too long"]);
  if (job.quiet && !job.stalled) flags.push(["quiet", "Its agent has written no output for a while, which is not an error"]);
  if (isLive(job) && job.abort_requested) flags.push(["aborting", "An abort was requested"]);
  if (job.state === "succeeded" && job.changed === false) flags.push(["no changes", "Its agent ended well and changed no file"]);
  if (job.verified === true) flags.push(["verified", "Every check is green"]);
  if (job.verified === false) flags.push(["checks failed", "A check of the repository failed on its work"]);
  if (job.delivery?.error) flags.push(["delivery failed", job.delivery.error]);
  return flags;
}

/**
 * Creates the list of a job's flags.
 * @param {Job} job
 */
export function flagList(job) {
  const list = h("span", { class: "flags" });
  setFlags(list, job);
  return list;
}

/**
 * Shows the flags of a job, and leaves those that are shown already.
 * @param {HTMLElement} list
 * @param {Job} job
 */
export function setFlags(list, job) {
  const wanted = flagsOf(job);
  while (list.children.length > wanted.length) list.lastElementChild?.remove();
  wanted.forEach(([word, why], i) => {
    let flag = list.children[i];
    if (!flag) {
      flag = h("span", { class: "flag" });
      list.append(flag);
    }
    setAttr(flag, "data-flag", word);
    setAttr(flag, "title", why);
    setText(flag, word);
  });
}
