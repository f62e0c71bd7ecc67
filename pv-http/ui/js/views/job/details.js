/**
 * @file The details of a job, in groups; those that the record does not have are left out.
 */

import { copyButton, externalLink, h, setChildren } from "../../lib/dom.js";
import { jobHref } from "../../lib/router.js";
import { timeAgo } from "../../lib/time_element.js";
import { bytesText } from "../../text/bytes.js";
import { discardCommand } from "../kept_checkouts.js";

/** @typedef {import("../../api/types.js").Job} Job */
/** @typedef {[term: string, value: Node | string | null | undefined]} Detail */

/** Keys that the groups below show; all others are shown by their name in the record. */
const KNOWN = new Set([
  "job_id", "state", "git_owner", "repo_name", "branch_name", "title", "created_at", "started_at", "heartbeat_at",
  "last_output_at", "finished_at", "updated_at", "agent", "model", "phase", "reason", "message", "exit_code", "pid",
  "containment", "launcher", "changed", "waiting_for", "pending_outcome", "last_message", "delivery", "usage", "retry_of", "same_file_as",
  "prompt_changed", "attempts", "checks", "verified", "checks_rerun", "checks_only", "checks_changed", "stalled", "quiet",
  "age_seconds", "abort_requested", "schema_version",
]);
/** The longest value of an unknown key that is shown, in characters. */
const MAX_VALUE_CHARS = 400;

export function detailsPanel() {
  const element = h("div", { class: "details" });
  let shownKey = "";
  return {
    element,
    /** @param {Job} job */
    show(job) {
      // Only where something differs, so that a selection or the focus survives.
      const key = JSON.stringify(job, (name, value) => (name === "age_seconds" ? undefined : value));
      if (key === shownKey) return;
      shownKey = key;
      setChildren(element, group("Job", jobDetails(job)), group("Times", timeDetails(job)), group("Delivery", deliveryDetails(job)), group("Checkout", checkoutDetails(job)), group("Ignored files", ignoredDetails(job)), group("Usage", usageDetails(job)), group("Other", otherDetails(job)));
    },
  };
}

/**
 * @param {string} name
 * @param {Detail[]} details
 */
function group(name, details) {
  const rows = details.filter(([, value]) => value !== null && value !== undefined && value !== "");
  if (rows.length === 0) return null;
  return h("section", { class: "detail-group" }, h("h2", {}, name),
    h("dl", {}, rows.flatMap(([term, value]) => [h("dt", {}, term), h("dd", {}, value ?? "")])));
}

/** @param {Job} job @returns {Detail[]} */
function jobDetails(job) {
  return [
    ["ID", h("span", { class: "with-copy" }, h("code", { class: "id" }, job.job_id), copyButton(job.job_id, "the job's ID"))],
    ["Repository", [job.git_owner, job.repo_name].filter(Boolean).join("/")],
    ["Branch", job.branch_name],
    ["Agent", job.agent],
    ["Model", job.model],
    ["Launcher", job.launcher],
    ["Waits for", job.waiting_for],
    ["Ends as", job.pending_outcome && [job.pending_outcome.state, job.pending_outcome.reason && `(${job.pending_outcome.reason})`].filter(Boolean).join(" ")],
    ["Reason", job.reason],
    ["Exit code", job.exit_code === undefined ? null : exitText(job.exit_code)],
    ["Process ID", job.pid === undefined ? null : String(job.pid)],
    ["Contained by", job.containment === "sweep" ? "process sweep (best effort)" : job.containment],
    ["Session", job.attempts?.at(-1)?.session && h("code", { class: "id" }, job.attempts.at(-1)?.session ?? "")],
    ["Retry of", job.retry_of && h("a", { href: jobHref(job.retry_of), class: "id" }, job.retry_of)],
    // By name, contents and time: a synchronizer may have brought it back.
    ["Same file as", job.same_file_as && h("code", { class: "path" }, job.same_file_as)],
    ["Prompt", job.prompt_changed ? "its file was changed after it had been read: what was added was not run" : null],
  ];
}

/** @param {number} code */
function exitText(code) {
  return code < 0 ? `${code} (signal ${-code})` : String(code);
}

/** @param {Job} job @returns {Detail[]} */
function timeDetails(job) {
  const detail = (/** @type {string} */ name, /** @type {string | undefined} */ time) => /** @type {Detail} */ ([name, time ? timeAgo(time) : null]);
  return [
    detail("Created", job.created_at), detail("Started", job.started_at), detail("Heartbeat", job.heartbeat_at),
    detail("Last output", job.last_output_at), detail("Finished", job.finished_at), detail("Updated", job.updated_at),
  ];
}

/** @param {Job} job @returns {Detail[]} */
function deliveryDetails({ delivery, ...job }) {
  if (!delivery) return job.changed === false ? [["Changes", "none"]] : [];
  const url = delivery.pr_url;
  const web = url && /^(https?:\/\/.+?)\/pull\/\d+/.exec(url)?.[1];
  const branch = delivery.branch;
  return [
    ["Pull request", url && externalLink(url, url.replace(/^https?:\/\//, ""))],
    ["Branch", branch && (web ? externalLink(`${web}/tree/${branch.split("/").map(encodeURIComponent).join("/")}`, branch) : h("code", {}, branch))],
    ["Commit", delivery.commit && h("span", { class: "with-copy" }, h("code", { class: "id" }, delivery.commit.slice(0, 12)), copyButton(delivery.commit, "the commit"))],
    ["Changes", delivery.patch_path && h("a", { href: jobHref(job.job_id, "changes") }, "view")],
    ["Patch", delivery.patch_path && h("code", { class: "path" }, delivery.patch_path)],
    ["Error", delivery.error],
    ["Failed push", delivery.push_log_path && h("a", { href: jobHref(job.job_id, "push") }, "what was said")],
  ];
}

/** The checkout that is kept, or was. @param {Job} job @returns {Detail[]} */
function checkoutDetails({ job_id, delivery }) {
  const { checkout_path: path, checkout_reason: reason, checkout_bytes: bytes, checkout_discarded_at: discarded } = delivery ?? {};
  return [
    ["Kept at", path && h("span", { class: "with-copy" }, h("code", { class: "path" }, path), copyButton(path, "the checkout's path"))],
    ["Because", path && reason],
    ["Size", path && bytes !== undefined ? bytesText(bytes) : null],
    ["Remove with", path && discardCommand(job_id)],
    ["Discarded", discarded && timeAgo(discarded)],
  ];
}

/** What the agent made that git ignores. @param {Job} job @returns {Detail[]} */
function ignoredDetails({ delivery }) {
  const { files = 0, bytes = 0, archive_path: archive, cached_files: cached = 0 } = delivery?.ignored ?? {};
  return [
    ["Kept", files > 0 ? `${files.toLocaleString()} (${bytesText(bytes)})` : null],
    ["Archive", archive ? h("code", { class: "path" }, archive) : files === 0 ? null : delivery?.checkout_path ? "none, they are in the kept checkout" : "none"],
    ["Not kept", cached > 0 ? `${cached.toLocaleString()} in known caches` : null],
  ];
}

/** @param {Job} job @returns {Detail[]} */
function usageDetails({ usage }) {
  if (!usage || typeof usage !== "object") return [];
  return Object.entries(usage).map(([name, value]) => [name.replaceAll("_", " "), typeof value === "number" ? value.toLocaleString() : valueText(value)]);
}

/** @param {Job} job @returns {Detail[]} */
function otherDetails(job) {
  return Object.entries(job).filter(([key, value]) => !KNOWN.has(key) && value !== null)
    .map(([key, value]) => [key.replaceAll("_", " "), h("code", { class: "path" }, valueText(value))]);
}

/** @param {unknown} value */
function valueText(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > MAX_VALUE_CHARS ? `${text.slice(0, MAX_VALUE_CHARS)}…` : text;
}
