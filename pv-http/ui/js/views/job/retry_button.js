/**
 * @file Repeating a job that is over, or only its delivery: always as a new job.
 */

import { access, errorMessage, postJson } from "../../api/client.js";
import { h, setChildren, setText } from "../../lib/dom.js";
import { jobHref } from "../../lib/router.js";

/** @typedef {import("../../api/types.js").Job} Job */

/** @param {Job} first @param {AbortSignal} signal */
export function retryButton(first, signal) {
  let job = first;
  const element = h("button", { type: "button", class: "button" }, "Retry");
  const said = h("div", { class: "answer", role: "status", hidden: true });
  let isAsking = false;
  element.addEventListener("click", async () => {
    isAsking = true;
    show(job);
    try {
      const receipt = await postJson(`/jobs/${encodeURIComponent(first.job_id)}/retry`);
      setChildren(said, "A new job repeats this one: ", h("a", { href: jobHref(receipt.job_id), class: "id" }, receipt.job_id));
    } catch (error) {
      setChildren(said, errorMessage(error));
    }
    said.hidden = false;
    isAsking = false;
    show(job);
  });
  const show = (/** @type {Job} */ next) => {
    job = next;
    const isFinished = job.state === "succeeded" || job.state === "failed" || job.state === "aborted";
    element.hidden = !isFinished;
    element.disabled = isAsking || access.readOnly !== null;
    element.title = access.readOnly ?? (job.reason === "delivery" ? "Deliver the saved work again, without running the agent" : "Run the prompt again, as a new job");
    setText(element, job.reason === "delivery" ? "Deliver again" : "Retry");
  };
  access.addEventListener("change", () => show(job), { signal });
  return { element, said, show };
}
