/**
 * @file The checkouts of jobs that are over, as `GET /status` names them: each with why it is kept, and how to remove it.
 */

import { copyButton, h } from "../lib/dom.js";
import { jobHref } from "../lib/router.js";
import { bytesText } from "../text/bytes.js";

/** @typedef {import("../api/types.js").KeptCheckout} KeptCheckout */

/**
 * Returns what the panel shows; nothing where no checkout is kept, and where an older API does not tell.
 * @param {KeptCheckout[] | undefined} checkouts
 * @returns {Node[]}
 */
export function keptCheckoutsPanel(checkouts = []) {
  if (checkouts.length === 0) return [];
  const row = (/** @type {KeptCheckout} */ { job_id, path, bytes, reason }) => h("li", { class: "kept-checkout" },
    h("span", { class: "kept-size" }, bytes === null ? "not measured" : bytesText(bytes)),
    h("div", { class: "kept-details" }, h("code", { class: "path" }, path), h("span", {}, reason),
      h("span", { class: "with-copy" }, discardCommand(job_id), " ", h("a", { href: jobHref(job_id), "aria-label": `Job ${job_id}` }, "job"))));
  return [
    h("div", { class: "panel-head" }, h("h2", {}, "Kept checkouts"), h("span", { class: "muted" }, "look at each on its host, then remove it there")),
    h("ul", { class: "check-list" }, checkouts.map(row)),
  ];
}

/** The command that removes the checkout of a job, to be copied. @param {string} id */
export function discardCommand(id) {
  const command = `pv discard ${id}`;
  return h("span", { class: "with-copy" }, h("code", { class: "command" }, command), copyButton(command, `the command that removes the checkout of job ${id}`));
}
