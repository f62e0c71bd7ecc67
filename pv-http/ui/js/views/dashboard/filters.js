/**
 * @file Filters of the list: by state, repository, branch, stalled, verified and text. They are kept in the address. Pure.
 */

import { repoOf, STATES } from "../../api/job.js";

/** @typedef {import("../../api/types.js").Job} Job */

/** @typedef {{states: string[], repo: string, branch: string, stalled: boolean, verified: boolean, text: string}} Filters */

/**
 * Reads filters from an address.
 * @param {URLSearchParams} query
 * @returns {Filters}
 */
export function readFilters(query) {
  const states = (query.get("state") ?? "").split(",").filter((state) => STATES.some((known) => known === state));
  return {
    states,
    repo: query.get("repo") ?? "",
    branch: query.get("branch") ?? "",
    stalled: query.get("stalled") === "true",
    verified: query.get("verified") === "true",
    text: query.get("q") ?? "",
  };
}

/**
 * Writes filters for an address; those that are not set are left out.
 * @param {Filters} filters
 */
export function writeFilters(filters) {
  const query = new URLSearchParams();
  if (filters.states.length > 0) query.set("state", filters.states.join(","));
  if (filters.repo) query.set("repo", filters.repo);
  if (filters.branch) query.set("branch", filters.branch);
  if (filters.stalled) query.set("stalled", "true");
  if (filters.verified) query.set("verified", "true");
  if (filters.text) query.set("q", filters.text);
  return query;
}

/** @param {Filters} filters */
export function isFiltered(filters) {
  return writeFilters(filters).size > 0;
}

/**
 * Returns a predicate for jobs.
 * @param {Filters} filters
 * @returns {(job: Job) => boolean}
 */
export function matcher(filters) {
  const words = filters.text.toLowerCase().split(/\s+/).filter(Boolean);
  return (job) => {
    if (filters.states.length > 0 && !filters.states.includes(job.state)) return false;
    if (filters.stalled && !job.stalled) return false;
    if (filters.verified && job.verified !== true) return false;
    if (filters.repo && repoOf(job) !== filters.repo && job.repo_name !== filters.repo) return false;
    if (filters.branch && job.branch_name !== filters.branch) return false;
    if (words.length === 0) return true;
    const all = [job.title, job.job_id, repoOf(job), job.branch_name, job.agent, job.model, job.state, job.reason, job.message].join(" ").toLowerCase();
    return words.every((word) => all.includes(word));
  };
}
