/**
 * @file How far a job is. Pure.
 */

/** @typedef {Pick<import("./types.js").Job, "state">} Told */

/** Tells whether a job has come to its end, or to nothing. @param {Told} job */
export function isOver(job) {
  return job.state !== "created" && job.state !== "running";
}
