/**
 * @file What follows from a job's record: whether it has finished, which of two versions is newer, its repository. Pure.
 */

import { parseTime } from "../lib/time.js";

/** The states of jobs, in the order in which they are shown. */
export const STATES = /** @type {const} */ (["created", "running", "succeeded", "failed", "aborted", "unknown"]);

/** @typedef {Pick<import("./types.js").Job, "state" | "updated_at">} JobVersion */

/** The order in which a job goes through its states. An unknown state may precede and follow any. @type {Map<string, number>} */
const STATE_RANKS = new Map([["created", 0], ["running", 1], ["succeeded", 2], ["failed", 2], ["aborted", 2]]);

/** Returns whether a job waits or runs. @param {JobVersion} job */
export function isLive(job) {
  return job.state === "created" || job.state === "running";
}

/** Returns whether nothing more happens to a job: it has ended, or its state is unknown. @param {JobVersion} job */
export function isFinished(job) {
  return !isLive(job);
}

/**
 * Returns whether one version of a job may replace another. A list may have been read before an event that arrived first,
 * and must not set a job back.
 * @param {JobVersion} next
 * @param {JobVersion} known
 */
export function supersedes(next, known) {
  const [rank, knownRank] = [STATE_RANKS.get(next.state), STATE_RANKS.get(known.state)];
  if (rank !== undefined && knownRank !== undefined && rank !== knownRank) return rank > knownRank;
  const [time, knownTime] = [parseTime(next.updated_at), parseTime(known.updated_at)];
  // Derived fields, such as `stalled`, change while `updated_at` stays.
  return time === null || knownTime === null || time >= knownTime;
}

/**
 * Returns `owner/name`, or as much of it as the record has.
 * @param {import("./types.js").Job} job
 */
export function repoOf(job) {
  return job.git_owner && job.repo_name ? `${job.git_owner}/${job.repo_name}` : (job.repo_name ?? "");
}
