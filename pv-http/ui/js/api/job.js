/**
 * @file How far a job is, and which of two tellings of it is the later one. Pure.
 */

import { parseTime } from "../lib/time.js";

/** The states of jobs, in the order in which they are shown. */
export const STATES = /** @type {const} */ (["created", "running", "succeeded", "failed", "aborted", "unknown"]);

/** @typedef {Pick<import("./types.js").Job, "state" | "updated_at">} Told */

/** How far each state is; what is of no known state may have come from any, and go to any. @type {Map<string, number>} */
const STEPS = new Map([["created", 0], ["running", 1], ["succeeded", 2], ["failed", 2], ["aborted", 2]]);

/** Tells whether a job has come to its end, or to nothing. @param {Told} job */
export function isOver(job) {
  return job.state !== "created" && job.state !== "running";
}

/**
 * Tells whether what is told of a job may take the place of what is known of it. A list or an answer may have been read
 * before an event that arrived first: a job does not go back for it.
 * @param {Told} next
 * @param {Told} known
 */
export function supersedes(next, known) {
  const [step, reached] = [STEPS.get(next.state), STEPS.get(known.state)];
  if (step !== undefined && reached !== undefined && step !== reached) return step > reached;
  const [at, knownAt] = [parseTime(next.updated_at), parseTime(known.updated_at)];
  // What is derived, as that it stalls, changes without a new record.
  return at === null || knownAt === null || at >= knownAt;
}

/**
 * Returns `owner/name`, or what is known of it.
 * @param {import("./types.js").Job} job
 */
export function repoOf(job) {
  return job.git_owner && job.repo_name ? `${job.git_owner}/${job.repo_name}` : (job.repo_name ?? "");
}
