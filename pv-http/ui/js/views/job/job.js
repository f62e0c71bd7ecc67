/**
 * @file The page of a job: its progress and details, its log, prompt and changes, and the actions on it.
 */

import { ApiError, errorMessage, isAborted, requestJson } from "../../api/client.js";
import { health } from "../../api/health.js";
import { isFinished, isLive, repoOf, supersedes } from "../../api/job.js";
import { store } from "../../api/job_store.js";
import { h, setChildren, setText } from "../../lib/dom.js";
import { jobHref, listHref } from "../../lib/router.js";
import { LogView } from "../../log/view.js";
import { visible } from "../../text/visible.js";
import { flagList, setFlags, setStateBadge, stateBadge } from "../badges.js";
import { abortButton } from "./abort_button.js";
import { checksPanel } from "./checks.js";
import { detailsPanel } from "./details.js";
import { lastMessagePanel } from "./last_message.js";
import { patchView } from "./patch_view.js";
import { phaseList } from "./phases.js";
import { lastMessageView, promptView } from "./prompt_view.js";
import { pushLogView } from "./push_log_view.js";
import { retryButton } from "./retry_button.js";

/** @typedef {import("../../api/types.js").Job} Job */

const TABS = /** @type {const} */ ([["log", "Log"], ["prompt", "Prompt"], ["message", "Message"], ["changes", "Changes"]]);
/** How often a live job is polled where there are no events, in milliseconds. */
const POLL_MS = 2000;
const HIDDEN_POLL_MS = 15_000;

/**
 * @param {HTMLElement} root
 * @param {import("../../lib/router.js").Route} route
 * @param {AbortSignal} signal
 * @returns {import("../../lib/router.js").View}
 */
export function jobPage(root, route, signal) {
  const id = route.parts[0] ?? "";
  const path = `/jobs/${encodeURIComponent(id)}`;
  /** @type {Job | null} */
  let job = null;
  let tab = route.parts[1] ?? "log";
  let tabAbort = new AbortController();
  /** @type {LogView | null} */
  let log = null;

  const container = h("div", { class: "job" }, h("h1", { class: "visually-hidden", tabindex: "-1" }, "Job"), h("p", { class: "muted loading", role: "status" }, "Loading the job…"));
  root.append(container);
  /** @type {ReturnType<typeof parts> | null} */
  let shown = null;

  const show = (/** @type {Job} */ next) => {
    const before = job;
    if (before && !supersedes(next, before)) return;
    job = next;
    if (!shown) {
      shown = parts(next, signal, refresh);
      setChildren(container, shown.element);
      openTab();
    }
    shown.show(next);
    log?.setJob(next);
    document.title = visible(`${next.title || next.job_id} – Prompt Valet`);
    // The patch exists from the end on, and the exact prompt from the start on.
    if (before && isFinished(before) !== isFinished(next) && tab !== "log") openTab();
  };
  const fail = (/** @type {unknown} */ error) => {
    if (isAborted(error) || signal.aborted || job) return;
    const isMissing = error instanceof ApiError && error.status === 404;
    setChildren(container, h("h1", { class: "visually-hidden", tabindex: "-1" }, "Job"), h("div", { class: "empty-state" },
      h("h2", {}, isMissing ? "Job not found" : "The job could not be loaded"),
      isMissing ? null : h("p", {}, errorMessage(error)), h("p", {}, h("code", {}, id)),
      h("p", {}, h("a", { href: "#/" }, "Go to the dashboard"))));
  };
  const refresh = async () => {
    try {
      show(await requestJson(path, { signal }));
    } catch (error) {
      fail(error);
    }
  };
  const openTab = () => {
    tabAbort.abort();
    tabAbort = new AbortController();
    log = null;
    if (!shown || !job) return;
    const tabSignal = AbortSignal.any([signal, tabAbort.signal]);
    shown.selectTab(tab);
    if (tab === "prompt") setChildren(shown.panel, promptView(job, tabSignal));
    else if (tab === "message") setChildren(shown.panel, lastMessageView(job, tabSignal));
    else if (tab === "push") setChildren(shown.panel, pushLogView(job, tabSignal));
    else if (tab === "changes") setChildren(shown.panel, patchView(job, tabSignal));
    else {
      log = new LogView(job, tabSignal);
      setChildren(shown.panel, log.element);
    }
  };
  store.addEventListener("job", (event) => {
    const changed = /** @type {CustomEvent<Job>} */ (event).detail;
    if (changed.job_id !== id) return;
    // Events are without what the agent said last.
    show({ ...changed, last_message: job?.last_message });
    if (isFinished(changed) && job?.last_message === undefined) void refresh();
  }, { signal });
  health.addEventListener("change", () => health.now.state === "up" && void refresh(), { signal });
  void refresh();
  void poll();

  async function poll() {
    while (!signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, document.hidden ? HIDDEN_POLL_MS : POLL_MS));
      if ((!job || isLive(job)) && store.mode !== "live" && health.now.state === "up" && !signal.aborted) await refresh();
    }
  }
  return {
    title: "Job",
    update(next) {
      const wanted = next.parts[1] ?? "log";
      if (wanted === tab) return;
      tab = wanted;
      openTab();
    },
  };
}

/**
 * Creates the parts of the page that stay while the job changes.
 * @param {Job} first
 * @param {AbortSignal} signal
 * @param {() => Promise<void>} refresh
 */
function parts(first, signal, refresh) {
  const badge = stateBadge(first.state);
  const flags = flagList(first);
  const title = h("h1", { tabindex: "-1" });
  const location = h("p", { class: "job-location" });
  const message = h("p", { class: "job-message" });
  const lastMessage = lastMessagePanel();
  const phases = phaseList(signal);
  const checks = checksPanel();
  const details = detailsPanel();
  const abort = abortButton(first, signal, refresh);
  const retry = retryButton(first, signal);
  const panel = h("div", { class: "tab-panel", id: "job-panel" });
  const links = TABS.map(([key, name]) => h("a", { href: jobHref(first.job_id, key), "data-tab": key }, name));
  const element = h("div", { class: "job-page" },
    h("div", { class: "job-head" },
      h("div", { class: "job-name" }, h("a", { class: "back", href: listHref(), title: "Back to the dashboard" }, "← Jobs"), h("div", { class: "job-title" }, badge, title, flags), location),
      h("div", { class: "job-actions" }, retry.checks, retry.element, abort.element)),
    phases.element, message, checks.element, lastMessage.element, retry.status, abort.status,
    h("div", { class: "job-body" },
      h("div", { class: "job-main" }, h("nav", { class: "subtabs", "aria-label": "Job" }, links), panel),
      h("aside", { class: "job-side", "aria-label": "Details" }, details.element)));
  return {
    element,
    panel,
    selectTab(/** @type {string} */ tab) {
      for (const link of links) {
        if (link.dataset.tab === tab || (tab === "" && link.dataset.tab === "log")) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
      }
    },
    show(/** @type {Job} */ job) {
      setStateBadge(badge, job.state);
      setFlags(flags, job);
      setText(title, job.title || "Untitled prompt");
      setText(location, [repoOf(job), job.branch_name].filter(Boolean).join(" on "));
      const text = job.message ?? (job.waiting_for ? `Waits for ${job.waiting_for}` : "");
      setText(message, text);
      message.dataset.state = job.state;
      message.hidden = text === "";
      lastMessage.show(job);
      phases.show(job);
      checks.show(job);
      details.show(job);
      abort.show(job);
      retry.show(job);
    },
  };
}
