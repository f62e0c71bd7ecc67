/**
 * @file What cannot be used of the installation, and files of the inbox that will never run, as `GET /status` names them: each
 * with what is wrong and what to do.
 */

import { h } from "../lib/dom.js";

/** @typedef {import("../api/types.js").Unusable} Unusable */

/**
 * Returns what the panel shows; nothing where everything can be used, and where an older API does not tell.
 * @param {Unusable | undefined} unusable
 * @returns {Node[]}
 */
export function unusablePanel(unusable) {
  const { entries = [], more = 0 } = unusable ?? {};
  if (entries.length + more === 0) return [];
  const rows = entries.map(({ path, level, why, remedy }) => h("li", { class: "check", "data-level": level },
    h("span", { class: "check-level" }, level), h("code", { class: "path unusable-path" }, path),
    h("span", { class: "check-message" }, why, h("span", { class: "remedy" }, remedy))));
  return [
    h("div", { class: "panel-head" }, h("h2", {}, "Cannot be used"), h("span", { class: "muted" }, "files that never run as they are, and what cannot be read or fails; everything else goes on")),
    h("ul", { class: "check-list" }, rows),
    ...(more > 0 ? [h("p", { class: "muted" }, `and ${more.toLocaleString()} more`)] : []),
  ];
}
