/**
 * @file The prompt of a job: laid out as Markdown, or as it is written.
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
  const place = h("div", { class: "prompt" }, h("p", { class: "muted loading", role: "status" }, "Reading the prompt…"));
  void read();
  return place;

  async function read() {
    try {
      const { text: source, isWhole } = await requestText(`/jobs/${encodeURIComponent(job.job_id)}/prompt`, MAX_BYTES, signal);
      if (signal.aborted) return;
      const body = h("div", {}, markdownView(source));
      const raw = h("button", { type: "button", class: "button", "aria-pressed": "false" }, "Source");
      raw.addEventListener("click", () => {
        const isRaw = raw.getAttribute("aria-pressed") !== "true";
        raw.setAttribute("aria-pressed", String(isRaw));
        setChildren(body, isRaw ? h("pre", { class: "source whole", tabindex: "0", "aria-label": "The prompt's source" }, source) : markdownView(source));
      });
      setChildren(place, h("div", { class: "panel-bar" }, raw, copyButton(source, "the prompt"), isWhole ? null : h("span", { class: "muted" }, "only its beginning is shown")), body);
    } catch (error) {
      if (isAborted(error) || signal.aborted) return;
      const isGone = error instanceof ApiError && error.status === 404;
      setChildren(place, h("div", { class: "empty" }, h("h2", {}, isGone ? "No prompt" : "The prompt cannot be read"), h("p", {}, errorMessage(error))));
    }
  }
}
