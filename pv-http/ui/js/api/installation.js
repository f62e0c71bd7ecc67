/**
 * @file The installation as `GET /config` describes it: settings, checks and agents.
 */

import { access, LONG_TIMEOUT_MS, requestJson } from "./client.js";

/** @typedef {{name: string, variable: string | null, value: unknown, origin: string}} Setting */
/** @typedef {{check: string, level: string, message: string, remedy: string | null}} Check */
/** @typedef {{settings: Setting[], checks: Check[], agents: string[], warnings: string[]}} Installation */

/**
 * Reads the description, and sets the page's time limit by it. Fails where the API describes no installation.
 * @param {AbortSignal} [signal]
 * @returns {Promise<Installation>}
 */
export async function readInstallation(signal) {
  const config = await requestJson("/config", { signal, timeoutMs: LONG_TIMEOUT_MS });
  /** @type {Setting[]} */
  const settings = Array.isArray(config.settings) ? config.settings : [];
  const checks = Array.isArray(config.checks) ? config.checks : Array.isArray(config.checks?.checks) ? config.checks.checks : [];
  const warnings = Array.isArray(config.warnings) ? config.warnings.map(String) : [];
  const timeout = Number(settings.find(({ variable }) => variable === "PV_UI_API_TIMEOUT_SECONDS")?.value);
  // Longer than the page's service waits, so that its own error about the API arrives first.
  if (timeout > 0) access.timeoutMs = (timeout + 1) * 1000;
  return { settings, checks, agents: agentNames(settings, config.agents), warnings };
}

/**
 * Returns the agents that a prompt may name.
 * @param {Setting[]} settings
 * @param {unknown} reported
 */
function agentNames(settings, reported) {
  const allowed = settings.find(({ name }) => name === "allowed_agents")?.value;
  if (Array.isArray(allowed) && allowed.length > 0) return allowed.map(String);
  if (Array.isArray(reported)) return reported.map((agent) => String(agent?.name ?? agent));
  const names = settings.flatMap(({ name }) => /^agents\.(.+)\.command$/.exec(name)?.[1] ?? []);
  return [...new Set(names)].sort();
}
