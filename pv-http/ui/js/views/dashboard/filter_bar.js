/**
 * @file The filters above the list of jobs.
 */

import { repoOf, STATES } from "../../api/job.js";
import { h, setChildren } from "../../lib/dom.js";
import { isFiltered } from "./filters.js";

/** @typedef {import("./filters.js").Filters} Filters */

/** How long typing must pause before the list is filtered, in milliseconds. */
const TYPING_MS = 120;
/** Repositories and branches in the menus. */
const MAX_OPTIONS = 200;

/**
 * @param {Filters} first
 * @param {(filters: Filters) => void} onChange
 */
export function filterBar(first, onChange) {
  let filters = first;
  const text = h("input", { type: "search", class: "input filter-text", placeholder: "Search title, id, message…", "aria-label": "Search jobs", autocomplete: "off", spellcheck: "false" });
  const repo = h("select", { class: "input", "aria-label": "Repository" });
  const branch = h("select", { class: "input", "aria-label": "Branch" });
  const chips = new Map(STATES.map((state) => [state, chip(state, () => toggleState(state))]));
  const stalled = chip("stalled", () => change({ stalled: !filters.stalled }));
  const verified = chip("verified", () => change({ verified: !filters.verified }));
  const clear = h("button", { type: "button", class: "text-button", on: { click: () => change({ states: [], repo: "", branch: "", stalled: false, verified: false, text: "" }) } }, "Clear");

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let typing;
  const change = (/** @type {Partial<Filters>} */ part) => {
    // Includes text that was typed but is not searched for yet.
    clearTimeout(typing);
    filters = { ...filters, text: text.value.trim(), ...part };
    set(filters);
    onChange(filters);
  };
  const toggleState = (/** @type {string} */ state) => {
    const states = filters.states.includes(state) ? filters.states.filter((s) => s !== state) : [...filters.states, state];
    change({ states });
  };
  text.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => change({}), TYPING_MS);
  });
  repo.addEventListener("change", () => change({ repo: repo.value }));
  branch.addEventListener("change", () => change({ branch: branch.value }));

  const set = (/** @type {Filters} */ next) => {
    filters = next;
    if (text.value.trim() !== next.text) text.value = next.text;
    selectValue(repo, next.repo);
    selectValue(branch, next.branch);
    for (const [state, button] of chips) button.setAttribute("aria-pressed", String(next.states.includes(state)));
    stalled.setAttribute("aria-pressed", String(next.stalled));
    verified.setAttribute("aria-pressed", String(next.verified));
    clear.hidden = !isFiltered(next);
  };
  let optionsKey = "";
  const setOptions = (/** @type {import("../../api/types.js").Job[]} */ jobs) => {
    const repos = new Set();
    const branches = new Set();
    for (const job of jobs) {
      if (repos.size < MAX_OPTIONS) repos.add(repoOf(job));
      if (branches.size < MAX_OPTIONS && (!filters.repo || repoOf(job) === filters.repo)) branches.add(job.branch_name ?? "");
    }
    const key = JSON.stringify([[...repos].sort(), [...branches].sort(), filters.repo, filters.branch]);
    if (key === optionsKey) return;
    optionsKey = key;
    fill(repo, "All repositories", repos, filters.repo);
    fill(branch, "All branches", branches, filters.branch);
  };
  const element = h("div", { class: "filters", role: "search", "aria-label": "Filter jobs" },
    text, repo, branch, h("div", { class: "chips", role: "group", "aria-label": "States" }, [...chips.values()], stalled, verified), clear);
  set(first);
  return { element, set, setOptions, toggleState, clear: () => clear.click() };
}

/**
 * @param {string} name
 * @param {() => void} click
 */
function chip(name, click) {
  return h("button", { type: "button", class: "chip", "data-state": name, "aria-pressed": "false", on: { click } }, name);
}

/**
 * @param {HTMLSelectElement} select
 * @param {string} all
 * @param {Set<string>} names
 * @param {string} chosen
 */
function fill(select, all, names, chosen) {
  const sorted = [...names].filter(Boolean).sort((a, b) => a.localeCompare(b));
  setChildren(select, h("option", { value: "" }, all), sorted.map((name) => h("option", { value: name }, name)));
  selectValue(select, chosen);
}

/**
 * Selects a value, and adds it where the address names one that no job has.
 * @param {HTMLSelectElement} select
 * @param {string} value
 */
function selectValue(select, value) {
  if (value && ![...select.options].some((option) => option.value === value)) select.append(h("option", { value }, value));
  select.value = value;
}
