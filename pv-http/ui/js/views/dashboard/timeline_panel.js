/**
 * @file The timeline of the last hours: a bar for each job, coloured by outcome, in the lane of its repository.
 *
 * For assistive technology it is an image with a description; the list below it contains the same jobs.
 */

import { store } from "../../api/job_store.js";
import { h, setChildren, setText, svg } from "../../lib/dom.js";
import { jobHref } from "../../lib/router.js";
import { duration, timeOfDay } from "../../lib/time.js";
import { everySecond } from "../../lib/time_element.js";
import { layoutTimeline } from "./timeline_layout.js";

/** The time ranges to choose from, in hours. */
const RANGES = [1, 6, 24];
const RANGE_KEY = "pv.timeline-hours";
/** The chart is redrawn at most this often, in milliseconds. */
const REDRAW_MS = 1000;
const [ROW_PX, BAR_PX, LANE_GAP_PX, AXIS_PX, MIN_BAR_PX] = [12, 9, 8, 20, 3];
const LABEL_PX = 150;
const NARROW_LABEL_PX = 92;
const EMPTY_PX = 96;
/** The approximate width of a character of a lane's name. */
const CHAR_PX = 6.6;

/** @param {AbortSignal} signal */
export function timelinePanel(signal) {
  let hours = RANGES.find((range) => String(range) === localStorage.getItem(RANGE_KEY)) ?? 6;
  /** @type {import("../../api/types.js").Job[]} */
  let jobs = [];
  let drawnAt = 0;
  let drawnJobs = 0;
  let isStale = true;

  const chart = svg("svg", { class: "timeline-svg", role: "img" });
  const tooltip = h("div", { class: "tooltip", hidden: true, "aria-hidden": "true" });
  const ranges = RANGES.map((range) => h("button", {
    type: "button", class: "chip", "aria-pressed": String(range === hours),
    on: { click: () => {
      hours = range;
      localStorage.setItem(RANGE_KEY, String(range));
      ranges.forEach((button, i) => button.setAttribute("aria-pressed", String(RANGES[i] === hours)));
      draw();
    } },
  }, `${range} h`));
  const frame = h("div", { class: "timeline-frame" }, chart, tooltip);
  const element = h("section", { class: "panel timeline", "aria-label": "Timeline" },
    h("div", { class: "panel-head" }, h("h2", {}, "Timeline"), legend(), h("div", { class: "chips", role: "group", "aria-label": "Time range" }, ranges)), frame);

  const draw = () => {
    drawnAt = Date.now();
    drawnJobs = jobs.length;
    isStale = false;
    drawTimeline(chart, jobs, hours, frame.clientWidth);
  };
  const size = new ResizeObserver(() => draw());
  size.observe(frame);
  signal.addEventListener("abort", () => size.disconnect(), { once: true });
  everySecond(() => {
    if (isStale || Date.now() - drawnAt > hours * 4000) draw();
  }, signal);
  hover(chart, frame, tooltip);
  return {
    element,
    show(/** @type {import("../../api/types.js").Job[]} */ all) {
      // The first jobs are drawn at once.
      const isFirst = drawnJobs === 0;
      jobs = all;
      isStale = true;
      if (isFirst || Date.now() - drawnAt > REDRAW_MS) draw();
    },
  };
}

function legend() {
  const item = (/** @type {string} */ state) => h("span", { class: "key" },
    svg("svg", { viewBox: "0 0 14 9", width: 14, height: 9, "aria-hidden": "true" }, svg("rect", { class: "job-bar", "data-state": state, x: 0.75, y: 0.75, width: 12.5, height: 7.5, rx: 2 })), state);
  return h("div", { class: "legend" }, ["running", "succeeded", "failed", "aborted"].map(item));
}

/**
 * @param {SVGSVGElement} chart
 * @param {import("../../api/types.js").Job[]} jobs
 * @param {number} hours
 * @param {number} width
 */
function drawTimeline(chart, jobs, hours, width) {
  if (width < 50) return;
  const now = Date.now();
  const from = now - hours * 3_600_000;
  const { lanes, total } = layoutTimeline(jobs, from, now);
  const label = width < 520 ? NARROW_LABEL_PX : LABEL_PX;
  const x = (/** @type {number} */ at) => label + ((at - from) / (now - from)) * (width - label - 2);
  /** @type {SVGElement[]} */
  const parts = [];
  let y = 4;
  for (const lane of lanes) {
    const height = lane.rows * ROW_PX;
    parts.push(svg("text", { class: "lane-name", x: label - 10, y: y + height / 2 + 4, "text-anchor": "end" }, shorten(lane.name, Math.floor((label - 14) / CHAR_PX))));
    parts.push(svg("line", { class: "lane-line", x1: label, x2: width, y1: y + height + LANE_GAP_PX / 2, y2: y + height + LANE_GAP_PX / 2 }));
    for (const bar of lane.bars) {
      const top = y + bar.row * ROW_PX + (ROW_PX - BAR_PX) / 2;
      if (bar.queuedAt !== null && x(bar.from) - x(bar.queuedAt) > 2) {
        parts.push(svg("line", { class: "job-queued", x1: x(bar.queuedAt), x2: x(bar.from), y1: top + BAR_PX / 2, y2: top + BAR_PX / 2 }));
      }
      parts.push(svg("rect", { class: "job-bar", "data-state": bar.job.state, "data-id": bar.job.job_id, x: x(bar.from), y: top, width: Math.max(MIN_BAR_PX, x(bar.to) - x(bar.from)), height: BAR_PX, rx: 2 }));
    }
    y += height + LANE_GAP_PX;
  }
  const height = Math.max(EMPTY_PX, y + AXIS_PX);
  if (total === 0) parts.push(svg("text", { class: "none", x: label + (width - label) / 2, y: height / 2 - 6, "text-anchor": "middle" }, store.isLoaded ? "no jobs in this period" : ""));
  chart.setAttribute("viewBox", `0 0 ${width} ${height}`);
  chart.setAttribute("height", String(height));
  chart.setAttribute("aria-label", `Timeline of the last ${hours} hours: ${total} ${total === 1 ? "job" : "jobs"} in ${lanes.length} ${lanes.length === 1 ? "repository" : "repositories"}. The list below contains all jobs.`);
  setChildren(chart, ...axis(from, now, x, height, hours, width), ...parts);
}

/**
 * @param {number} from
 * @param {number} now
 * @param {(at: number) => number} x
 * @param {number} height
 * @param {number} hours
 * @param {number} width
 */
function axis(from, now, x, height, hours, width) {
  const stepMs = (hours === 1 ? 10 : hours === 6 ? 60 : 240) * 60_000 * (width < 520 ? 2 : 1);
  const offset = new Date(from).getTimezoneOffset() * 60_000;
  /** @type {SVGElement[]} */
  const parts = [];
  for (let at = Math.ceil((from - offset) / stepMs) * stepMs + offset; at < now; at += stepMs) {
    parts.push(svg("line", { class: "grid-line", x1: x(at), x2: x(at), y1: 0, y2: height - AXIS_PX + 4 }));
    // A label next to "now" would overlap it.
    if (x(now) - x(at) > 48) parts.push(svg("text", { class: "axis", x: x(at), y: height - 4, "text-anchor": "middle" }, timeOfDay(at).slice(0, 5)));
  }
  parts.push(svg("text", { class: "axis", x: x(now), y: height - 4, "text-anchor": "end" }, "now"));
  return parts;
}

/** @param {string} name @param {number} chars */
function shorten(name, chars) {
  return name.length <= chars ? name : `…${name.slice(name.length - chars + 1)}`;
}

/**
 * @param {SVGSVGElement} chart
 * @param {HTMLElement} frame
 * @param {HTMLElement} tooltip
 */
function hover(chart, frame, tooltip) {
  const jobAt = (/** @type {Event} */ event) => {
    const id = event.target instanceof SVGElement ? event.target.dataset.id : undefined;
    return id ? store.get(id) : undefined;
  };
  chart.addEventListener("pointermove", (event) => {
    const job = jobAt(event);
    tooltip.hidden = !job;
    if (!job) return;
    const from = Date.parse(job.started_at ?? job.created_at ?? "");
    const to = job.finished_at ? Date.parse(job.finished_at) : Date.now();
    setText(tooltip, `${job.title || job.job_id}\n${job.state}${job.reason ? ` (${job.reason})` : ""}, ${timeOfDay(from)}, ${duration((to - from) / 1000)}`);
    const box = frame.getBoundingClientRect();
    const left = Math.min(event.clientX - box.left + 12, box.width - tooltip.offsetWidth - 4);
    tooltip.style.left = `${Math.max(0, left)}px`;
    tooltip.style.top = `${event.clientY - box.top + 14}px`;
  });
  chart.addEventListener("pointerleave", () => (tooltip.hidden = true));
  chart.addEventListener("click", (event) => {
    const job = jobAt(event);
    if (job) location.hash = jobHref(job.job_id);
  });
}
