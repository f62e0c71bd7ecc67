/**
 * @file Figures about jobs: counts, durations, success by agent, and the bars of the timeline. Pure.
 */

import { repoOf } from "../../api/job.js";
import { parseTime } from "../../lib/time.js";

/** @typedef {import("../../api/types.js").Job} Job */

/** Repositories with a lane of their own in the timeline; all others share one. */
const MAX_LANES = 6;
/** How many jobs can stand above each other in one lane; more of them share the last row. */
const MAX_ROWS = 4;
/** Bars that are drawn at most: the latest. */
const MAX_BARS = 1500;
const OTHERS = "others";

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
export function ranMs(job, now) {
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

/** @typedef {{agent: string, over: number, succeeded: number, failed: number, aborted: number, medianMs: number | null}} AgentFigures */

/**
 * Returns, for each agent, how many of its jobs are over, how many of them succeeded, and how long the middle one took.
 * Aborted jobs say nothing about an agent: they count for neither.
 * @param {Iterable<Job>} jobs
 * @returns {AgentFigures[]} those with the most jobs first
 */
export function byAgent(jobs) {
  /** @type {Map<string, {figures: AgentFigures, took: number[]}>} */
  const agents = new Map();
  for (const job of jobs) {
    if (!job.agent || (job.state !== "succeeded" && job.state !== "failed" && job.state !== "aborted")) continue;
    let entry = agents.get(job.agent);
    if (!entry) {
      entry = { figures: { agent: job.agent, over: 0, succeeded: 0, failed: 0, aborted: 0, medianMs: null }, took: [] };
      agents.set(job.agent, entry);
    }
    entry.figures[job.state] += 1;
    if (job.state === "aborted") continue;
    entry.figures.over += 1;
    const took = ranMs(job, 0);
    if (took !== null) entry.took.push(took);
  }
  const all = [...agents.values()].map(({ figures, took }) => ({ ...figures, medianMs: median(took) }));
  return all.sort((a, b) => b.over - a.over || a.agent.localeCompare(b.agent));
}

/** @typedef {{job: Job, from: number, to: number, row: number, waited: number | null}} Bar */
/** @typedef {{name: string, rows: number, bars: Bar[]}} Lane */

/**
 * Lays out the jobs that ran between two times: a lane for each repository, in it rows so that no bar hides another.
 * @param {Iterable<Job>} jobs
 * @param {number} from
 * @param {number} now
 * @returns {{lanes: Lane[], total: number}}
 */
export function timeline(jobs, from, now) {
  /** @type {Omit<Bar, "row">[]} */
  const bars = [];
  for (const job of jobs) {
    const created = parseTime(job.created_at);
    const start = parseTime(job.started_at) ?? created;
    if (start === null) continue;
    const isLive = job.state === "created" || job.state === "running";
    const end = isLive ? now : (parseTime(job.finished_at) ?? parseTime(job.updated_at) ?? start);
    if (end < from || start > now) continue;
    bars.push({ job, from: Math.max(from, start), to: Math.max(start, end), waited: created !== null && created < start ? Math.max(from, created) : null });
  }
  bars.sort((a, b) => b.from - a.from);
  const total = bars.length;
  const shown = bars.slice(0, MAX_BARS).reverse();
  const counts = new Map();
  for (const bar of shown) counts.set(repoOf(bar.job), (counts.get(repoOf(bar.job)) ?? 0) + 1);
  const named = [...counts].sort((a, b) => b[1] - a[1]).slice(0, counts.size > MAX_LANES ? MAX_LANES - 1 : MAX_LANES);
  const names = named.map(([name]) => name).sort((a, b) => a.localeCompare(b));
  /** @type {Map<string, Lane & {ends: number[]}>} */
  const lanes = new Map(names.map((name) => [name, { name: name || "no repository", rows: 1, bars: [], ends: [] }]));
  const gap = (now - from) / 400;
  for (const bar of shown) {
    const name = repoOf(bar.job);
    let lane = lanes.get(name) ?? lanes.get(OTHERS);
    if (!lane) {
      lane = { name: OTHERS, rows: 1, bars: [], ends: [] };
      lanes.set(OTHERS, lane);
    }
    const ends = lane.ends;
    let row = ends.findIndex((end) => end + gap <= bar.from);
    if (row < 0) row = ends.length < MAX_ROWS ? ends.length : ends.indexOf(Math.min(...ends));
    ends[row] = Math.max(ends[row] ?? 0, bar.to);
    lane.rows = Math.max(lane.rows, row + 1);
    lane.bars.push({ ...bar, row });
  }
  return { lanes: [...lanes.values()].map(({ name, rows, bars: own }) => ({ name, rows, bars: own })), total };
}
