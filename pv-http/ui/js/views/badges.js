/**
 * @file How states and marks look: a shape, a colour and a word each, so that none of them needs to be told by colour.
 */

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
 * Makes the badge of a state.
 * @param {string} state
 */
export function stateBadge(state) {
  const badge = h("span", { class: "badge" }, icon(), h("span", { class: "badge-word" }));
  setStateBadge(badge, state);
  return badge;
}

/**
 * Gives a badge another state.
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
 * Returns the marks that a job deserves, with what each of them means.
 * @param {Job} job
 * @returns {[string, string][]}
 */
export function marksOf(job) {
  /** @type {[string, string][]} */
  const marks = [];
  const isLive = job.state === "created" || job.state === "running";
  if (job.stalled) marks.push(["stalled", "Its supervisor has not given a sign of life for too long"]);
  if (job.quiet && !job.stalled) marks.push(["quiet", "Its agent has written nothing for a while, which is no fault"]);
  if (isLive && job.abort_requested) marks.push(["aborting", "Somebody asked for it to be stopped"]);
  if (job.delivery?.error) marks.push(["undelivered", job.delivery.error]);
  return marks;
}

/**
 * Makes a place for marks.
 * @param {Job} job
 */
export function marks(job) {
  const place = h("span", { class: "marks" });
  setMarks(place, job);
  return place;
}

/**
 * Shows the marks of a job, touching nothing where they are the same.
 * @param {HTMLElement} place
 * @param {Job} job
 */
export function setMarks(place, job) {
  const wanted = marksOf(job);
  while (place.children.length > wanted.length) place.lastElementChild?.remove();
  wanted.forEach(([word, why], i) => {
    let mark = place.children[i];
    if (!mark) {
      mark = h("span", { class: "mark" });
      place.append(mark);
    }
    setAttr(mark, "data-mark", word);
    setAttr(mark, "title", why);
    setText(mark, word);
  });
}
