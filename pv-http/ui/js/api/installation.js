/**
 * @file The installation's settings, as `GET /config` tells them, and what follows from them for the page.
 */

import { access, json, LONG_TIMEOUT_MS } from "./client.js";

/** @typedef {{name: string, variable: string | null, value: unknown, origin: string}} Setting */
/** @typedef {{check: string, level: string, message: string, remedy: string | null}} Check */
/** @typedef {{settings: Setting[], checks: Check[], agents: string[], warnings: string[]}} Installation */

/**
 * Reads what there is; an API that is no installation's tells nothing.
 * @param {AbortSignal} [signal]
 * @returns {Promise<Installation>}
 */
export async function readInstallation(signal) {
  const answer = await json("/config", { signal, timeoutMs: LONG_TIMEOUT_MS });
  /** @type {Setting[]} */
  const settings = Array.isArray(answer.settings) ? answer.settings : [];
  const checks = Array.isArray(answer.checks) ? answer.checks : Array.isArray(answer.checks?.checks) ? answer.checks.checks : [];
  const warnings = Array.isArray(answer.warnings) ? answer.warnings.map(String) : [];
  const timeout = Number(settings.find(({ variable }) => variable === "PV_UI_API_TIMEOUT_SECONDS")?.value);
  // Longer than the service waits, so that its own word about the API is the one that is heard.
  if (timeout > 0) access.timeoutMs = (timeout + 1) * 1000;
  return { settings, checks, agents: agentNames(settings, answer.agents), warnings };
}

/**
 * Returns the agents that a prompt may name.
 * @param {Setting[]} settings
 * @param {unknown} told
 */
function agentNames(settings, told) {
  const allowed = settings.find(({ name }) => name === "allowed_agents")?.value;
  if (Array.isArray(allowed) && allowed.length > 0) return allowed.map(String);
  if (Array.isArray(told)) return told.map((agent) => String(agent?.name ?? agent));
  const names = settings.flatMap(({ name }) => /^agents\.(.+)\.command$/.exec(name)?.[1] ?? []);
  return [...new Set(names)].sort();
}
