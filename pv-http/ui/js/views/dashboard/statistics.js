/**
 * @file Statistics of jobs: counts by state, run times, and success by agent. Pure.
 */

import { parseTime } from "../../lib/time.js";

/** @typedef {import("../../api/types.js").Job} Job */

/**
 * Returns how many jobs are in each state.
 * @param {Iterable<Job>} jobs
 * @returns {Map<string, number>}
 */
export function countByState(jobs) {
  const counts = new Map();
  for (const job of jobs) counts.set(job.state, (counts.get(job.state) ?? 0) + 1);
  return counts;
}

/**
 * Returns how long a job has run, or ran, in milliseconds; null before it started.
 * @param {Job} job
 * @param {number} now
 */
export function runTimeMs(job, now) {
  const start = parseTime(job.started_at);
  if (start === null) return null;
  const end = parseTime(job.finished_at) ?? (job.state === "running" ? now : null);
  return end === null ? null : Math.max(0, end - start);
}

/** @param {number[]} values */
export function median(values) {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

/** @typedef {{agent: string, completed: number, succeeded: number, failed: number, aborted: number, medianMs: number | null}} AgentStatistics */

/**
 * Returns, for each agent, how many of its jobs succeeded or failed, and their median run time. Aborted jobs are counted
 * apart, since they say nothing about an agent.
 * @param {Iterable<Job>} jobs
 * @returns {AgentStatistics[]} those with the most jobs first
 */
export function byAgent(jobs) {
  /** @type {Map<string, {statistics: AgentStatistics, runTimes: number[]}>} */
  const agents = new Map();
  for (const job of jobs) {
    if (!job.agent || (job.state !== "succeeded" && job.state !== "failed" && job.state !== "aborted")) continue;
    let entry = agents.get(job.agent);
    if (!entry) {
      entry = { statistics: { agent: job.agent, completed: 0, succeeded: 0, failed: 0, aborted: 0, medianMs: null }, runTimes: [] };
      agents.set(job.agent, entry);
    }
    entry.statistics[job.state] += 1;
    if (job.state === "aborted") continue;
    entry.statistics.completed += 1;
    const runTime = runTimeMs(job, 0);
    if (runTime !== null) entry.runTimes.push(runTime);
  }
  const all = [...agents.values()].map(({ statistics, runTimes }) => ({ ...statistics, medianMs: median(runTimes) }));
  return all.sort((a, b) => b.completed - a.completed || a.agent.localeCompare(b.agent));
}
