/**
 * @file The holds on agents, as `GET /status` names them: each with why jobs wait, until when, what to do, and a button that
 * lifts it.
 */

import { access, errorMessage } from "../api/client.js";
import { liftHold } from "../api/holds.js";
import { h, setText } from "../lib/dom.js";
import { jobHref } from "../lib/router.js";
import { dateTime, parseTime } from "../lib/time.js";

/** @typedef {import("../api/types.js").Hold} Hold */

/** Why jobs wait, by the kind of hold. @type {Record<string, string>} */
const REASONS = { quota: "at a limit", auth: "not logged in", start: "cannot be started", paused: "paused" };

/**
 * Returns what the panel shows; nothing where no agent is held.
 * @param {Hold[] | undefined} holds
 * @param {() => void} onLifted  called when a hold was lifted
 * @returns {Node[]}
 */
export function holdsPanel(holds = [], onLifted) {
  if (holds.length === 0) return [];
  return [
    h("div", { class: "panel-head" }, h("h2", {}, "Held agents"), h("span", { class: "muted" }, "their jobs wait, those of other agents go on")),
    h("ul", { class: "check-list" }, holds.map((hold) => row(hold, onLifted))),
  ];
}

/** @param {Hold} hold @param {() => void} onLifted */
function row(hold, onLifted) {
  const { agent, kind, message, remedy, job_id } = hold;
  const level = kind === "auth" || kind === "start" ? "problem" : "warning";
  const error = h("span", { class: "field-error", role: "status" });
  return h("li", { class: "check hold", "data-level": level },
    h("span", { class: "check-level" }, kind ?? "held"), h("span", { class: "check-name" }, agent),
    h("span", { class: "check-message" }, describeHold(hold), ": ", message, " ", h("a", { href: jobHref(job_id), "aria-label": `Job ${job_id}` }, "job"),
      remedy ? h("span", { class: "remedy" }, remedy) : null, kind ? liftButton(hold, error, onLifted) : null, error));
}

/** Says in a few words why jobs wait and for how long, in the reader's zone. @param {Hold} hold */
export function describeHold({ kind, state, until }) {
  const reason = REASONS[kind ?? "quota"] ?? kind;
  const end = parseTime(until);
  const time = end === null ? until : dateTime(end);
  return state === "probing" ? `${reason}, one job at a time is tried since ${time}` : `${reason}, until ${time}`;
}

/** @param {Hold} hold @param {HTMLElement} error @param {() => void} onLifted */
function liftButton(hold, error, onLifted) {
  const button = h("button", { type: "button", class: "button", "aria-label": `Let the jobs of ${hold.agent} start now (${hold.kind})` }, "Start its jobs now");
  button.disabled = access.readOnly !== null;
  button.title = access.readOnly ?? "Lift this hold: where its cause is still there, the next job finds it out again";
  button.addEventListener("click", async () => {
    button.disabled = true;
    setText(error, "");
    try {
      await liftHold(hold);
      onLifted();
    } catch (problem) {
      setText(error, errorMessage(problem));
      button.disabled = access.readOnly !== null;
    }
  });
  return button;
}
