/**
 * @file The progress of a job as a list of steps: waiting, preparing, agent, saving, checking where there are checks,
 * delivering, and its end.
 */

import { h, setAttr, setText } from "../../lib/dom.js";
import { duration, parseTime } from "../../lib/time.js";
import { everySecond } from "../../lib/time_element.js";

/** @typedef {import("../../api/types.js").Job} Job */

const STEPS = /** @type {const} */ (["waiting", "preparing", "agent", "saving", "checking", "delivering", "end"]);

/**
 * Returns which step a job is at, whether it has finished, and whether it finished there, before the last step.
 * @param {Job} job
 */
export function stepOf(job) {
  const phase = STEPS.findIndex((step) => step === job.phase);
  if (job.state === "created") return { at: 0, isFinished: false, hasFailed: false };
  if (job.state === "running") return { at: Math.max(1, phase), isFinished: false, hasFailed: false };
  if (job.state === "succeeded") return { at: STEPS.length - 1, isFinished: true, hasFailed: false };
  return { at: job.started_at ? Math.max(1, phase) : 0, isFinished: true, hasFailed: true };
}

/** Tells whether a job has checks, as far as is known. @param {Job} job */
export function hasChecks(job) {
  return job.phase === "checking" || (job.checks?.length ?? 0) > 0 || (job.attempts ?? []).some((attempt) => attempt.checks?.length);
}

/** Returns what the step of the agent is called: which attempt it is, where there is more than one. @param {Job} job */
export function agentStep(job) {
  const number = job.attempts?.at(-1)?.number ?? 1;
  return number > 1 ? `attempt ${number}` : "agent";
}

/** @param {AbortSignal} signal */
export function phaseList(signal) {
  /** @type {Job | null} */
  let shown = null;
  const items = STEPS.map((step) => h("li", { class: "phase" }, h("span", { class: "phase-name" }, step)));
  const times = h("span", { class: "phase-times" });
  const element = h("div", { class: "phases" }, h("ol", { "aria-label": "Progress" }, items), times);
  everySecond(() => shown?.state === "running" && setText(times, timesText(shown)), signal);
  return {
    element,
    /** @param {Job} job */
    show(job) {
      shown = job;
      const { at, isFinished, hasFailed } = stepOf(job);
      items.forEach((item, i) => {
        const state = i < at ? "done" : i > at ? "ahead" : hasFailed ? job.state : isFinished ? "done" : "now";
        const isEnd = i === items.length - 1;
        setAttr(item, "data-step", isEnd && hasFailed ? job.state : state);
        setAttr(item, "aria-current", i === at && !isFinished ? "step" : null);
        const name = item.firstElementChild;
        if (name && isEnd) setText(name, isFinished ? job.state : "end");
        if (name && STEPS[i] === "agent") setText(name, agentStep(job));
        if (STEPS[i] === "checking") item.hidden = !hasChecks(job);
      });
      setText(times, timesText(job));
    },
  };
}

/** @param {Job} job */
function timesText(job) {
  const [created, started, finished] = [job.created_at, job.started_at, job.finished_at].map(parseTime);
  const texts = [];
  if (created != null && started != null && started > created) texts.push(`waited for ${duration((started - created) / 1000)}`);
  if (started != null && job.state === "running") texts.push(`running for ${duration((Date.now() - started) / 1000)}`);
  if (started != null && finished != null) texts.push(`ran for ${duration((finished - started) / 1000)}`);
  return texts.join(", ");
}
