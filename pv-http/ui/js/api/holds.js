/**
 * @file Holds: why the jobs of an agent wait, and lifting one.
 */

import { sendDelete } from "./client.js";

/** @typedef {import("./types.js").Hold} Hold */

/** Lets the agent's jobs start that wait for this reason. @param {Hold} hold */
export function liftHold({ kind, agent }) {
  return sendDelete(`/holds/${encodeURIComponent(kind ?? "")}/${encodeURIComponent(agent)}`);
}
