/**
 * @file The buttons that retry a finished job, only its delivery, or only its checks: always as a new job.
 */

import { access, errorMessage, postJson } from "../../api/client.js";
import { h, setChildren, setText } from "../../lib/dom.js";
import { jobHref } from "../../lib/router.js";
import { hasChecks } from "./phases.js";

/** @typedef {import("../../api/types.js").Job} Job */

/** @param {Job} first @param {AbortSignal} signal */
export function retryButton(first, signal) {
  let job = first;
  const element = h("button", { type: "button", class: "button" }, "Retry");
  const checks = h("button", { type: "button", class: "button", title: "Run the checks on the saved work again, without running the agent, and deliver it where they are green" }, "Check again");
  const status = h("div", { class: "notice", role: "status", hidden: true });
  let isSending = false;
  const send = async (/** @type {string} */ query) => {
    isSending = true;
    show(job);
    try {
      const receipt = await postJson(`/jobs/${encodeURIComponent(first.job_id)}/retry${query}`);
      setChildren(status, "Retried as a new job: ", h("a", { href: jobHref(receipt.job_id), class: "id" }, receipt.job_id));
    } catch (error) {
      setChildren(status, errorMessage(error));
    }
    status.hidden = false;
    isSending = false;
    show(job);
  };
  element.addEventListener("click", () => void send(""));
  checks.addEventListener("click", () => void send("?checks=true"));
  const show = (/** @type {Job} */ next) => {
    job = next;
    const isFinal = job.state === "succeeded" || job.state === "failed" || job.state === "aborted";
    element.hidden = !isFinal;
    element.disabled = isSending || access.readOnly !== null;
    const hasKeptWork = (job.state === "failed" || job.state === "aborted") && job.delivery?.commit !== undefined;
    checks.hidden = !(hasKeptWork && hasChecks(job));
    checks.disabled = element.disabled;
    element.title = access.readOnly ?? (job.reason === "delivery" ? "Deliver the saved work again, without running the agent" : "Run the prompt again, as a new job");
    setText(element, job.reason === "delivery" ? "Deliver again" : "Retry");
  };
  access.addEventListener("change", () => show(job), { signal });
  return { element, checks, status, show };
}
