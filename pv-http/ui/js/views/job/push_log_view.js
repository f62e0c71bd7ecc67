/**
 * @file What git and the remote said about a push of the job's branch that failed.
 */

import { copyButton, h } from "../../lib/dom.js";
import { visible } from "../../text/visible.js";
import { loadText } from "./text_loader.js";

/** The longest answer that is read, in bytes: more than is kept. */
const MAX_BYTES = 1024 * 1024;

/**
 * @param {import("../../api/types.js").Job} job
 * @param {AbortSignal} signal
 */
export function pushLogView(job, signal) {
  return loadText({ path: "push-log", className: "push-log", name: "answer to the push", missing: "No push has failed", maxBytes: MAX_BYTES }, job, signal, content);
}

/** @param {string} text */
function content(text) {
  const lines = text.split("\n").map(visible).join("\n");
  return [
    h("div", { class: "panel-bar" }, copyButton(text, "the answer")),
    h("pre", { class: "source whole", tabindex: "0", "aria-label": "What was said about the push" }, lines),
  ];
}
