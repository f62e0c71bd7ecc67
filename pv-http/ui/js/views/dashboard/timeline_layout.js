/**
 * @file The layout of the timeline: which jobs become bars, and in which lane and row. Pure.
 */

import { isLive, repoOf } from "../../api/job.js";
import { parseTime } from "../../lib/time.js";

/** @typedef {import("../../api/types.js").Job} Job */

/** Repositories with a lane of their own; all others share one. */
const MAX_LANES = 6;
/** Rows in a lane; jobs that fit into none of them share the one that is free first. */
const MAX_ROWS = 4;
/** Bars that are drawn: the latest. */
const MAX_BARS = 1500;
const OTHERS = "other";

/** @typedef {{job: Job, from: number, to: number, row: number, queuedAt: number | null}} Bar */
/** @typedef {{name: string, rows: number, bars: Bar[]}} Lane */

/**
 * Lays out the jobs that ran between two times: a lane for each repository, with rows so that bars do not overlap.
 * @param {Iterable<Job>} jobs
 * @param {number} from
 * @param {number} now
 * @returns {{lanes: Lane[], total: number}}
 */
export function layoutTimeline(jobs, from, now) {
  /** @type {Omit<Bar, "row">[]} */
  const bars = [];
  for (const job of jobs) {
    const created = parseTime(job.created_at);
    const start = parseTime(job.started_at) ?? created;
    if (start === null) continue;
    const end = isLive(job) ? now : (parseTime(job.finished_at) ?? parseTime(job.updated_at) ?? start);
    if (end < from || start > now) continue;
    bars.push({ job, from: Math.max(from, start), to: Math.max(start, end), queuedAt: created !== null && created < start ? Math.max(from, created) : null });
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
