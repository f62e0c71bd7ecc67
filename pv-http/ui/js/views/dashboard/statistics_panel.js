/**
 * @file The statistics next to the timeline: counts by state, and each agent's success rate and median run time.
 */

import { STATES } from "../../api/job.js";
import { store } from "../../api/job_store.js";
import { h, setAttr, setChildren, setText } from "../../lib/dom.js";
import { duration } from "../../lib/time.js";
import { everySecond } from "../../lib/time_element.js";
import { byAgent, countByState } from "./statistics.js";

/** How many agents are shown: those with the most jobs. */
const MAX_AGENTS = 5;
/** Once they are shown, the agents' statistics are updated at most this often, in milliseconds. */
const UPDATE_MS = 1000;
const number = new Intl.NumberFormat();

/**
 * @param {(state: string) => void} toggle  filters by a state
 * @param {AbortSignal} signal
 */
export function statisticsPanel(toggle, signal) {
  const states = new Map(STATES.map((state) => {
    const value = h("span", { class: "stat-value" }, "–");
    const button = h("button", { type: "button", class: "stat", "data-state": state, "aria-pressed": "false", on: { click: () => toggle(state) } }, value, h("span", { class: "stat-name" }, state));
    return [state, { value, button }];
  }));
  const share = h("div", { class: "state-shares", "aria-hidden": "true" }, STATES.map((state) => h("span", { "data-state": state })));
  const agents = h("tbody", {});
  const noAgents = h("p", { class: "muted none", hidden: true }, "No finished jobs yet.");
  const table = h("table", { class: "agents", hidden: true },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Agent"), h("th", { scope: "col" }, "Success rate"), h("th", { scope: "col", class: "num" }, "Median time"), h("th", { scope: "col", class: "num" }, "Jobs"))), agents);
  const element = h("section", { class: "panel statistics", "aria-label": "Statistics" },
    h("div", { class: "panel-head" }, h("h2", {}, "Jobs")),
    h("div", { class: "stats" }, [...states.values()].map(({ button }) => button)), share,
    h("h2", { class: "subheading" }, "By agent"), table, noAgents);
  let updatedAt = 0;
  let known = "";
  /** Jobs that are not in the agents' statistics yet. @type {import("../../api/types.js").Job[] | null} */
  let latest = null;
  const update = () => {
    if (!latest || (!table.hidden && Date.now() - updatedAt < UPDATE_MS)) return;
    updatedAt = Date.now();
    const statistics = byAgent(latest).slice(0, MAX_AGENTS);
    latest = null;
    const key = JSON.stringify([statistics, store.isComplete]);
    if (key === known) return;
    known = key;
    table.hidden = statistics.length === 0;
    noAgents.hidden = statistics.length > 0 || !store.isComplete;
    setChildren(agents, statistics.map(agentRow));
  };
  everySecond(update, signal);
  return {
    element,
    /**
     * @param {import("../../api/types.js").Job[]} jobs
     * @param {string[]} chosen
     */
    show(jobs, chosen) {
      const counts = countByState(jobs);
      STATES.forEach((state, i) => {
        const entry = states.get(state);
        const n = counts.get(state) ?? 0;
        if (!entry) return;
        setText(entry.value, store.isLoaded ? number.format(n) : "–");
        setAttr(entry.value, "data-long", n >= 1000 ? "" : null);
        setAttr(entry.button, "aria-pressed", String(chosen.includes(state)));
        setAttr(entry.button, "data-none", n === 0 ? "" : null);
        entry.button.hidden = state === "unknown" && n === 0;
        const part = share.children[i];
        if (part instanceof HTMLElement) part.style.flexGrow = String(n);
      });
      latest = jobs;
      update();
    },
  };
}

/** @param {import("./statistics.js").AgentStatistics} agent */
function agentRow({ agent, completed, succeeded, aborted, medianMs }) {
  const rate = completed === 0 ? null : succeeded / completed;
  const fill = h("span", { class: "meter-fill" });
  fill.style.width = `${(rate ?? 0) * 100}%`;
  return h("tr", {},
    h("th", { scope: "row", title: agent }, agent),
    h("td", {}, h("span", { class: "meter", "aria-hidden": "true" }, fill), h("span", { class: "rate" }, rate === null ? "–" : `${Math.round(rate * 100)} %`)),
    h("td", { class: "num" }, medianMs === null ? "–" : duration(medianMs / 1000)),
    h("td", { class: "num", title: `${completed} succeeded or failed, ${aborted} aborted` }, number.format(completed + aborted)));
}
