/**
 * @file The figures beside the timeline: counts by state, the queue, and each agent's success rate and median duration.
 */

import { STATES } from "../../api/job.js";
import { h, setAttr, setChildren, setText } from "../../lib/dom.js";
import { duration } from "../../lib/time.js";
import { everySecond } from "../../lib/time_element.js";
import { byAgent, countByState } from "./statistics.js";

/** Agents that are shown: those with the most jobs. */
const MAX_AGENTS = 5;
/** Figures of agents are reckoned anew at most this often, in milliseconds. */
const RECKON_MS = 1000;
const number = new Intl.NumberFormat();

/**
 * @param {(state: string) => void} toggle  filters by a state
 * @param {AbortSignal} signal
 */
export function figuresPanel(toggle, signal) {
  const states = new Map(STATES.map((state) => {
    const value = h("span", { class: "stat-value" }, "–");
    const button = h("button", { type: "button", class: "stat", "data-state": state, "aria-pressed": "false", on: { click: () => toggle(state) } }, value, h("span", { class: "stat-name" }, state === "created" ? "waiting" : state));
    return [state, { value, button }];
  }));
  const share = h("div", { class: "share", "aria-hidden": "true" }, STATES.map((state) => h("span", { "data-state": state })));
  const agents = h("tbody", {});
  const noAgents = h("p", { class: "muted none" }, "No job is over yet.");
  const table = h("table", { class: "agents" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Agent"), h("th", { scope: "col" }, "Succeeded"), h("th", { scope: "col", class: "num" }, "Median"), h("th", { scope: "col", class: "num" }, "Jobs"))), agents);
  const element = h("section", { class: "panel figures", "aria-label": "Figures" },
    h("div", { class: "panel-head" }, h("h2", {}, "Jobs")),
    h("div", { class: "stats" }, [...states.values()].map(({ button }) => button)), share,
    h("h2", { class: "sub" }, "By agent"), table, noAgents);
  let reckonedAt = 0;
  let known = "";
  /** Jobs that are not reckoned with yet. @type {import("../../api/types.js").Job[] | null} */
  let latest = null;
  const reckon = () => {
    if (!latest || Date.now() - reckonedAt < RECKON_MS) return;
    reckonedAt = Date.now();
    const figures = byAgent(latest).slice(0, MAX_AGENTS);
    latest = null;
    const key = JSON.stringify(figures);
    if (key === known) return;
    known = key;
    table.hidden = figures.length === 0;
    noAgents.hidden = figures.length > 0;
    setChildren(agents, figures.map(agentRow));
  };
  everySecond(reckon, signal);
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
        setText(entry.value, number.format(n));
        setAttr(entry.value, "data-long", n >= 1000 ? "" : null);
        setAttr(entry.button, "aria-pressed", String(chosen.includes(state)));
        setAttr(entry.button, "data-none", n === 0 ? "" : null);
        entry.button.hidden = state === "unknown" && n === 0;
        const part = share.children[i];
        if (part instanceof HTMLElement) part.style.flexGrow = String(n);
      });
      latest = jobs;
      reckon();
    },
  };
}

/** @param {import("./statistics.js").AgentFigures} agent */
function agentRow({ agent, over, succeeded, aborted, medianMs }) {
  const rate = over === 0 ? null : succeeded / over;
  const fill = h("span", { class: "meter-fill" });
  fill.style.width = `${(rate ?? 0) * 100}%`;
  return h("tr", {},
    h("th", { scope: "row", title: agent }, agent),
    h("td", {}, h("span", { class: "meter", "aria-hidden": "true" }, fill), h("span", { class: "rate" }, rate === null ? "–" : `${Math.round(rate * 100)} %`)),
    h("td", { class: "num" }, medianMs === null ? "–" : duration(medianMs / 1000)),
    h("td", { class: "num", title: `${over} succeeded or failed, ${aborted} aborted` }, number.format(over + aborted)));
}
