/**
 * @file The button that retries a finished job, or only its delivery: always as a new job.
 */

import { access, errorMessage, postJson } from "../../api/client.js";
import { h, setChildren, setText } from "../../lib/dom.js";
import { jobHref } from "../../lib/router.js";

/** @typedef {import("../../api/types.js").Job} Job */

/** @param {Job} first @param {AbortSignal} signal */
export function retryButton(first, signal) {
  let job = first;
  const element = h("button", { type: "button", class: "button" }, "Retry");
  const status = h("div", { class: "notice", role: "status", hidden: true });
  let isSending = false;
  element.addEventListener("click", async () => {
    isSending = true;
    show(job);
    try {
      const receipt = await postJson(`/jobs/${encodeURIComponent(first.job_id)}/retry`);
      setChildren(status, "Retried as a new job: ", h("a", { href: jobHref(receipt.job_id), class: "id" }, receipt.job_id));
    } catch (error) {
      setChildren(status, errorMessage(error));
    }
    status.hidden = false;
    isSending = false;
    show(job);
  });
  const show = (/** @type {Job} */ next) => {
    job = next;
    const isFinal = job.state === "succeeded" || job.state === "failed" || job.state === "aborted";
    element.hidden = !isFinal;
    element.disabled = isSending || access.readOnly !== null;
    element.title = access.readOnly ?? (job.reason === "delivery" ? "Deliver the saved work again, without running the agent" : "Run the prompt again, as a new job");
    setText(element, job.reason === "delivery" ? "Deliver again" : "Retry");
  };
  access.addEventListener("change", () => show(job), { signal });
  return { element, status, show };
}
