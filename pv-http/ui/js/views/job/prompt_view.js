/**
 * @file The prompt of a job, and the last message of its agent: as rendered Markdown or as the source.
 */

import { copyButton, h, setChildren } from "../../lib/dom.js";
import { markdownView } from "../markdown_view.js";
import { loadText } from "./text_loader.js";

/** The longest prompt that is read, in bytes. */
const MAX_BYTES = 4 * 1024 * 1024;

/**
 * @param {import("../../api/types.js").Job} job
 * @param {AbortSignal} signal
 */
export function promptView(job, signal) {
  return loadText({ path: "prompt", className: "prompt", name: "prompt", missing: "No prompt", maxBytes: MAX_BYTES }, job, signal, content("prompt"));
}

/**
 * @param {import("../../api/types.js").Job} job
 * @param {AbortSignal} signal
 */
export function lastMessageView(job, signal) {
  return loadText({ path: "last-message", className: "prompt", name: "last message", missing: "No message", maxBytes: MAX_BYTES }, job, signal, content("message"));
}

/**
 * @param {string} name
 * @returns {(source: string, isComplete: boolean) => import("../../lib/dom.js").Child[]}
 */
function content(name) {
  return (source, isComplete) => markdownPanel(name, source, isComplete);
}

/**
 * @param {string} name
 * @param {string} source
 * @param {boolean} isComplete
 */
function markdownPanel(name, source, isComplete) {
  const body = h("div", {}, markdownView(source));
  const sourceButton = h("button", { type: "button", class: "button", "aria-pressed": "false" }, "Source");
  sourceButton.addEventListener("click", () => {
    const isSource = sourceButton.getAttribute("aria-pressed") !== "true";
    sourceButton.setAttribute("aria-pressed", String(isSource));
    setChildren(body, isSource ? h("pre", { class: "source whole", tabindex: "0", "aria-label": `Source of the ${name}` }, source) : markdownView(source));
  });
  return [
    h("div", { class: "panel-bar" }, sourceButton, copyButton(source, `the ${name}`), isComplete ? null : h("span", { class: "muted" }, `truncated: this is the beginning of the ${name}`)),
    body,
  ];
}
