/**
 * @file The dashboard: timeline and statistics, the filters, and the list of jobs, live.
 */

import { errorMessage } from "../../api/client.js";
import { MAX_JOBS, store } from "../../api/job_store.js";
import { h, setChildren, setText } from "../../lib/dom.js";
import { rememberListQuery, replaceQuery } from "../../lib/router.js";
import { everySecond } from "../../lib/time_element.js";
import { firstStepsPanel, noWatcherNotice } from "../first_steps.js";
import { filterBar } from "./filter_bar.js";
import { isFiltered, matcher, readFilters, writeFilters } from "./filters.js";
import { COLUMNS, jobRow } from "./job_row.js";
import { statisticsPanel } from "./statistics_panel.js";
import { timelinePanel } from "./timeline_panel.js";
import { VirtualList } from "./virtual_list.js";

/** Narrow windows, in which rows have two lines. The same as in dashboard.css. */
const NARROW = matchMedia("(max-width: 760px)");
const ROW_PX = 34;
const NARROW_ROW_PX = 66;

/**
 * @param {HTMLElement} root
 * @param {import("../../lib/router.js").Route} route
 * @param {AbortSignal} signal
 * @returns {import("../../lib/router.js").View}
 */
export function dashboard(root, route, signal) {
  let filters = readFilters(route.query);
  const bar = filterBar(filters, (changed) => {
    filters = changed;
    replaceQuery("", writeFilters(filters));
    show();
  });
  const statistics = statisticsPanel((state) => bar.toggleState(state), signal);
  const timeline = timelinePanel(signal);
  const list = new VirtualList({
    id: (/** @type {import("../../api/types.js").Job} */ job) => job.job_id,
    create: jobRow,
    rowHeight: () => (NARROW.matches ? NARROW_ROW_PX : ROW_PX),
    signal,
  });
  const count = h("p", { class: "count", role: "status" });
  const empty = h("div", { class: "empty-state", hidden: true });
  const head = h("div", { role: "rowgroup", class: "table-head" },
    h("div", { role: "row", class: "row-head", "aria-rowindex": "1" },
      COLUMNS.map(([name, key]) => h("div", { role: "columnheader", class: `cell cell-${key}` }, name))));
  const table = h("div", { role: "table", class: "table", "aria-label": "Jobs, newest first" }, head, list.element);
  const overview = h("section", { class: "overview", "aria-label": "Overview" }, timeline.element, statistics.element);
  const jobsHead = h("div", { class: "jobs-head" }, bar.element, count);
  root.append(
    h("h1", { class: "visually-hidden", tabindex: "-1" }, "Dashboard"),
    overview,
    h("section", { class: "jobs", "aria-label": "Jobs" }, noWatcherNotice(() => store.all().some(({ state }) => state === "created"), signal), jobsHead, table, empty),
  );

  const show = () => {
    rememberListQuery(writeFilters(filters));
    const all = store.all();
    const shown = isFiltered(filters) ? all.filter(matcher(filters)) : all;
    list.setItems(shown);
    bar.setOptions(all);
    statistics.show(all, filters.states);
    timeline.show(all);
    setText(count, countText(shown.length, all.length));
    const state = emptyState(shown.length, all.length);
    empty.hidden = state === null;
    table.hidden = state !== null;
    // On a first visit there is nothing to look at or to search: what to do comes first.
    overview.hidden = jobsHead.hidden = state === "none";
    if (state && empty.dataset.state !== state) {
      empty.dataset.state = state;
      setChildren(empty, ...emptyContent(state, () => bar.clear(), signal));
    }
  };
  store.addEventListener("change", show, { signal });
  everySecond(() => list.render(), signal);
  NARROW.addEventListener("change", show, { signal });
  show();
  return {
    title: "Dashboard",
    update: (next) => {
      filters = readFilters(next.query);
      bar.set(filters);
      show();
    },
  };
}

/**
 * @param {number} shown
 * @param {number} all
 */
function countText(shown, all) {
  const number = new Intl.NumberFormat();
  const jobs = (/** @type {number} */ n) => `${number.format(n)} ${n === 1 ? "job" : "jobs"}`;
  if (!store.isLoaded) return "";
  const more = store.isTruncated ? `; this page shows only the newest ${number.format(MAX_JOBS)}, pv list shows all` : "";
  const rest = store.isComplete ? more : ", loading more…";
  return (shown === all ? jobs(all) : `${number.format(shown)} of ${jobs(all)}`) + rest;
}

/**
 * @param {number} shown
 * @param {number} all
 * @returns {"loading" | "error" | "none" | "filtered" | null}
 */
function emptyState(shown, all) {
  if (shown > 0) return null;
  if (all > 0) return store.isComplete ? "filtered" : "loading";
  if (store.mode === "offline") return "error";
  return store.isComplete ? "none" : "loading";
}

/**
 * @param {"loading" | "error" | "none" | "filtered"} state
 * @param {() => void} clear
 * @param {AbortSignal} signal
 * @returns {Node[]}
 */
function emptyContent(state, clear, signal) {
  switch (state) {
    case "loading":
      return [h("div", { class: "skeleton", role: "img", "aria-label": "Loading jobs" }, Array.from({ length: 6 }, () => h("span", {})))];
    case "error":
      return [h("h2", {}, "The jobs could not be loaded"), h("p", {}, `${errorMessage(store.error)}.`), h("p", { class: "muted" }, "Retrying automatically.")];
    case "filtered":
      return [h("h2", {}, "No matching jobs"), h("p", {}, h("button", { type: "button", class: "button", on: { click: clear } }, "Show all jobs"))];
    default:
      return [firstStepsPanel(signal)];
  }
}
