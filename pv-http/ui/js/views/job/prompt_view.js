/**
 * @file The prompt of a job, as rendered Markdown or as its source.
 */

import { ApiError, errorMessage, isAborted, requestText } from "../../api/client.js";
import { copyButton, h, setChildren } from "../../lib/dom.js";
import { markdownView } from "../markdown_view.js";

/** The longest prompt that is read, in bytes. */
const MAX_BYTES = 4 * 1024 * 1024;

/**
 * @param {import("../../api/types.js").Job} job
 * @param {AbortSignal} signal
 */
export function promptView(job, signal) {
  const container = h("div", { class: "prompt" }, h("p", { class: "muted loading", role: "status" }, "Loading the prompt…"));
  void read();
  return container;

  async function read() {
    try {
      const { text: source, isComplete } = await requestText(`/jobs/${encodeURIComponent(job.job_id)}/prompt`, MAX_BYTES, signal);
      if (signal.aborted) return;
      const body = h("div", {}, markdownView(source));
      const sourceButton = h("button", { type: "button", class: "button", "aria-pressed": "false" }, "Source");
      sourceButton.addEventListener("click", () => {
        const isSource = sourceButton.getAttribute("aria-pressed") !== "true";
        sourceButton.setAttribute("aria-pressed", String(isSource));
        setChildren(body, isSource ? h("pre", { class: "source whole", tabindex: "0", "aria-label": "Source of the prompt" }, source) : markdownView(source));
      });
      setChildren(container, h("div", { class: "panel-bar" }, sourceButton, copyButton(source, "the prompt"), isComplete ? null : h("span", { class: "muted" }, "truncated: this is the beginning of the prompt")), body);
    } catch (error) {
      if (isAborted(error) || signal.aborted) return;
      const isMissing = error instanceof ApiError && error.status === 404;
      setChildren(container, h("div", { class: "empty-state" }, h("h2", {}, isMissing ? "No prompt" : "The prompt could not be loaded"), h("p", {}, errorMessage(error))));
    }
  }
}
