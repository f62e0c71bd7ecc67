/**
 * @file Loading a text of a job: shown when it has come, with a sentence where there is none or it could not be loaded.
 */

import { ApiError, errorMessage, isAborted, requestText } from "../../api/client.js";
import { h, setChildren } from "../../lib/dom.js";

/** @typedef {import("../../lib/dom.js").Child} Child */

/**
 * Creates an element that shows a text of a job once it is loaded.
 * @param {object} what
 * @param {string} what.path  of the request, below the job
 * @param {string} what.className
 * @param {string} what.name  of the text within a sentence
 * @param {string} what.missing  the heading where there is none
 * @param {number} what.maxBytes  how much of it is read
 * @param {import("../../api/types.js").Job} job
 * @param {AbortSignal} signal
 * @param {(text: string, isComplete: boolean) => Child[]} content  makes what is shown
 */
export function loadText({ path, className, name, missing, maxBytes }, job, signal, content) {
  const container = h("div", { class: className }, h("p", { class: "muted loading", role: "status" }, `Loading the ${name}…`));
  void read();
  return container;

  async function read() {
    try {
      const { text, isComplete } = await requestText(`/jobs/${encodeURIComponent(job.job_id)}/${path}`, maxBytes, signal);
      if (!signal.aborted) setChildren(container, ...content(text, isComplete));
    } catch (error) {
      if (isAborted(error) || signal.aborted) return;
      const isMissing = error instanceof ApiError && (error.status === 404 || error.status === 409);
      setChildren(container, h("div", { class: "empty-state" }, h("h2", {}, isMissing ? missing : `The ${name} could not be loaded`), h("p", {}, errorMessage(error))));
    }
  }
}
