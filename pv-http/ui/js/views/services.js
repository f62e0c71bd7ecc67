/**
 * @file The services: the status of the API, the watcher, the folders and the disk; held agents; what cannot be used; kept
 * checkouts; the checks of `pv doctor`; the targets; every setting with its origin.
 */

import { errorMessage, isAborted, requestJson } from "../api/client.js";
import { health } from "../api/health.js";
import { readInstallation } from "../api/installation.js";
import { copyButton, h, setChildren, setText } from "../lib/dom.js";
import { duration } from "../lib/time.js";
import { timeAgo } from "../lib/time_element.js";
import { bytesText } from "../text/bytes.js";
import { holdsPanel } from "./holds.js";
import { keptCheckoutsPanel } from "./kept_checkouts.js";
import { unusablePanel } from "./unusable.js";

/** @typedef {import("../api/types.js").Status} Status */

/** How often the status is polled, in milliseconds. */
const POLL_MS = 4000;

/**
 * @param {HTMLElement} root
 * @param {import("../lib/router.js").Route} _route
 * @param {AbortSignal} signal
 * @returns {import("../lib/router.js").View}
 */
export function servicesPage(root, _route, signal) {
  const cards = h("div", { class: "cards" });
  const unusable = h("section", { class: "panel", "aria-label": "Cannot be used", hidden: true });
  const holds = h("section", { class: "panel", "aria-label": "Held agents", hidden: true });
  const kept = h("section", { class: "panel", "aria-label": "Kept checkouts", hidden: true });
  const checks = h("section", { class: "panel checks", "aria-label": "Checks" });
  const targets = h("section", { class: "panel", "aria-label": "Targets" });
  const settings = h("section", { class: "panel", "aria-label": "Settings" });
  const statusError = h("p", { class: "field-error", role: "status" });
  root.append(h("h1", { tabindex: "-1" }, "Services"), statusError, cards, holds, unusable, kept, checks, targets, settings);
  let shownKey = "";
  const loadStatus = async () => {
    try {
      /** @type {Status} */
      const status = await requestJson("/status", { signal });
      setText(statusError, "");
      const key = JSON.stringify(status) + health.now.version;
      if (key !== shownKey) {
        setChildren(cards, ...statusCards(status));
        setChildren(holds, ...holdsPanel(status.watcher.holds, () => void loadStatus()));
        setChildren(unusable, ...unusablePanel(status.unusable));
        setChildren(kept, ...keptCheckoutsPanel(status.kept_checkouts));
        for (const panel of [holds, unusable, kept]) panel.hidden = panel.childElementCount === 0;
      }
      shownKey = key;
    } catch (error) {
      if (!isAborted(error) && !signal.aborted) setText(statusError, `${errorMessage(error)}. The last known status is shown below.`);
    }
  };
  const poll = async () => {
    while (!signal.aborted) {
      if (!document.hidden) await loadStatus();
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  };
  setChildren(cards, Array.from({ length: 6 }, () => h("div", { class: "panel card skeleton" }, h("span", {}), h("span", {}))));
  void poll();
  const refreshButton = h("button", { type: "button", class: "button", on: { click: () => void loadRest() } }, "Check again");
  const loadRest = async () => {
    refreshButton.disabled = true;
    try {
      const installation = await readInstallation(signal);
      setChildren(checks, ...checkPanel(installation, refreshButton));
      setChildren(settings, ...settingsPanel(installation));
    } catch (error) {
      if (signal.aborted) return;
      setChildren(checks, h("div", { class: "panel-head" }, h("h2", {}, "Checks"), refreshButton), h("p", { class: "muted" }, `This API does not report its settings (${errorMessage(error)}). Run pv doctor and pv config on its host instead.`));
      setChildren(settings);
    }
    settings.hidden = settings.childElementCount === 0;
    refreshButton.disabled = false;
    try {
      setChildren(targets, ...targetsPanel(await requestJson("/targets", { signal })));
    } catch (error) {
      if (!signal.aborted) setChildren(targets, h("div", { class: "panel-head" }, h("h2", {}, "Targets")), h("p", {}, errorMessage(error)));
    }
  };
  void loadRest();
  health.addEventListener("change", () => {
    if (health.now.state !== "up") return;
    void loadStatus();
    void loadRest();
  }, { signal });
  return { title: "Services" };
}

/** @param {Status} status */
function statusCards(status) {
  const { config, jobs, roots, watcher, disk, targets, mirrors } = status;
  const isAlive = watcher.alive === true;
  const share = disk.available_bytes !== null && disk.total_bytes ? disk.available_bytes / disk.total_bytes : null;
  const full = disk.full ?? [];
  const isLow = full.length > 0 || (disk.available_bytes !== null && disk.floor_bytes !== null && disk.available_bytes < disk.floor_bytes);
  return [
    card("API", "ok", "reachable", [["Version", health.now.version || "–"], ["Address", `${config.bind_host}:${config.bind_port}`], ["Stalled after", duration(config.stall_threshold_seconds)]]),
    card("Watcher", isAlive ? "ok" : "problem", isAlive ? "running" : watcher.pid === undefined ? "not running" : "no recent heartbeat", [
      ["Active jobs", watcher.max_concurrent === undefined ? null : `${watcher.running ?? 0} of ${watcher.max_concurrent}`],
      ["Waiting jobs", watcher.waiting === undefined ? null : String(watcher.waiting)],
      ["Wait for room on a disk", watcher.waiting_for_room ? String(watcher.waiting_for_room) : null],
      ["Running, but waiting for a launcher", watcher.blocked_by_launcher ? String(watcher.blocked_by_launcher) : null],
      ["Running, but without room", watcher.blocked_for_room ? String(watcher.blocked_for_room) : null],
      ["Process", watcher.pid === undefined ? null : `${watcher.pid} on ${watcher.host ?? "?"}`],
      ["Version", watcher.commit ? `${watcher.version} (${watcher.commit})` : watcher.version], ["Page", watcher.page], ["Started", watcher.started_at ? timeAgo(watcher.started_at) : null],
      ["Last heartbeat", watcher.beat_at ? timeAgo(watcher.beat_at) : null],
      ["Start one", isAlive ? null : command("pv watcher")],
    ]),
    card("Jobs", jobs.stalled_running > 0 ? "warning" : "ok", jobs.stalled_running > 0 ? `${jobs.stalled_running} stalled` : "none stalled", [
      ["Total", jobs.total.toLocaleString()], ["Waiting", String(jobs.counts.created ?? 0)], ["Running", String(jobs.counts.running ?? 0)],
      ["Unknown", jobs.counts.unknown ? String(jobs.counts.unknown) : null],
    ]),
    card("Targets", targets.count > 0 ? "ok" : "warning", targets.count > 0 ? `${targets.count} available` : "none", [
      ["Create one", targets.count > 0 ? null : command("pv targets add OWNER/REPO")], ["In a clone", targets.count > 0 ? null : command("pv init --yes")],
    ]),
    card("Folders", roots.tree_builder_root_exists && roots.runs_root_exists ? "ok" : "problem", roots.tree_builder_root_exists && roots.runs_root_exists ? "available" : "missing", [
      ["Inbox", h("code", { class: "path" }, config.tree_builder_root, roots.tree_builder_root_exists ? "" : " (missing)")],
      ["Runs", h("code", { class: "path" }, config.runs_root, roots.runs_root_exists ? "" : " (missing)")],
    ]),
    card("Disk", share === null ? "warning" : isLow ? "problem" : "ok", share === null ? "unknown" : isLow ? "too full, prompts are rejected or wait" : `${Math.round(share * 100)} % free`, [
      ["Free", disk.available_bytes === null ? null : bytesText(disk.available_bytes)],
      ["Total", disk.total_bytes === null ? null : bytesText(disk.total_bytes)],
      ["Minimum free", disk.floor_bytes === null ? null : bytesText(disk.floor_bytes)],
      ...full.map(({ path, shortage }) => /** @type {[string, Node]} */ (["Too full", h("span", {}, h("code", { class: "path" }, path), ` has ${shortage}`)])),
      ["Reserve", disk.reserve ?? null],
    ]),
    ...mirrorsCard(mirrors),
  ];
}

/** A command to copy. @param {string} text */
function command(text) {
  return h("span", { class: "with-copy" }, h("code", { class: "command" }, text), copyButton(text, "the command"));
}

/**
 * The card of the mirrors; none where an older API does not tell.
 * @param {import("../api/types.js").Mirrors | undefined} mirrors
 */
function mirrorsCard(mirrors) {
  if (!mirrors) return [];
  const { measured_at, count, bytes, largest } = mirrors;
  const problems = largest.filter(({ problem }) => problem !== null);
  const status = measured_at === null ? "not measured yet" : problems.length > 0 ? `${problems.length} cannot be kept small` : `${count}, ${bytesText(bytes)}`;
  return [
    card("Mirrors", problems.length > 0 ? "warning" : "ok", status, [
      ["Total", measured_at === null ? null : bytesText(bytes)],
      .../** @type {[string, string][]} */ (largest.slice(0, 3).map((one) => [one.repo, `${bytesText(one.bytes)}, ${one.packs} packs`])),
      .../** @type {[string, string][]} */ (problems.slice(0, 3).map((one) => [one.repo, one.problem ?? ""])),
      ["Measured", measured_at === null ? null : timeAgo(measured_at)],
    ]),
  ];
}

/**
 * @param {string} name
 * @param {"ok" | "warning" | "problem"} level
 * @param {string} status
 * @param {[string, Node | string | null | undefined][]} details
 */
function card(name, level, status, details) {
  const rows = details.filter(([, value]) => value !== null && value !== undefined);
  return h("div", { class: "panel card", role: "group", "aria-label": name },
    h("h2", {}, name), h("p", { class: "card-status", "data-level": level }, status),
    h("dl", {}, rows.flatMap(([term, value]) => [h("dt", {}, term), h("dd", {}, value ?? "")])));
}

/**
 * @param {import("../api/installation.js").Installation} installation
 * @param {HTMLElement} refreshButton
 */
function checkPanel({ checks: all, warnings }, refreshButton) {
  // These have panels of their own.
  const checks = all.filter(({ check }) => !["holds", "unusable", "kept checkouts"].includes(check));
  const order = ["problem", "warning", "ok"];
  const sorted = [...checks].sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level));
  const bad = checks.filter(({ level }) => level !== "ok").length;
  const rows = sorted.map(({ check, level, message, remedy }) => h("li", { class: "check", "data-level": level },
    h("span", { class: "check-level" }, level), h("span", { class: "check-name" }, check),
    h("span", { class: "check-message" }, message, remedy ? h("span", { class: "remedy" }, remedy) : null)));
  return [
    h("div", { class: "panel-head" }, h("h2", {}, "Checks"), h("span", { class: "muted" }, checks.length === 0 ? "run pv doctor for details" : bad === 0 ? "all passed" : `${bad} of ${checks.length} need attention`), refreshButton),
    h("ul", { class: "check-list" }, rows, warnings.filter((text) => !checks.some(({ message }) => message === text)).map((text) => h("li", { class: "check", "data-level": "warning" }, h("span", { class: "check-level" }, "warning"), h("span", { class: "check-name" }, "settings"), h("span", { class: "check-message" }, text)))),
  ];
}

/** @param {import("../api/types.js").Target[]} targets */
function targetsPanel(targets) {
  return [
    h("div", { class: "panel-head" }, h("h2", {}, "Targets"), h("span", { class: "muted" }, String(targets.length))),
    targets.length === 0 ? h("p", { class: "muted" }, "No targets yet. Create one with ", h("code", {}, "pv targets add OWNER/REPO"), ".") :
      scrollable("Targets", h("table", { class: "data-table" },
        h("thead", {}, h("tr", {}, ["Repository", "Branch", "Folder", ""].map((name) => h("th", { scope: "col" }, name || h("span", { class: "visually-hidden" }, "Action"))))),
        h("tbody", {}, targets.map((target) => h("tr", {}, h("td", {}, target.full_repo), h("td", {}, target.branch), h("td", {}, h("code", { class: "path" }, target.inbox_path)),
          h("td", {}, h("a", { href: `#/submit?${new URLSearchParams({ repo: target.full_repo, branch: target.branch })}`, "aria-label": `Submit to ${target.full_repo}, ${target.branch}` }, "Submit"))))))),
  ];
}

/** @param {import("../api/installation.js").Installation} installation */
function settingsPanel({ settings }) {
  if (settings.length === 0) return [];
  const text = (/** @type {unknown} */ value) => (value === null ? "not set" : typeof value === "string" ? value : JSON.stringify(value));
  const isOwn = (/** @type {string} */ origin) => origin !== "default";
  return [
    h("div", { class: "panel-head" }, h("h2", {}, "Settings"), h("span", { class: "muted" }, "flags override the environment, which overrides the file")),
    scrollable("Settings", h("table", { class: "data-table settings-table" },
      h("thead", {}, h("tr", {}, ["Setting", "Value", "Source"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, settings.map((setting) => h("tr", { "data-own": isOwn(setting.origin) ? "" : undefined },
        h("td", {}, h("code", {}, setting.name)), h("td", { class: setting.value === null ? "muted" : "" }, text(setting.value)), h("td", {}, setting.origin)))))),
  ];
}

/** @param {string} name @param {HTMLElement} table */
function scrollable(name, table) {
  return h("div", { class: "scrollable", tabindex: "0", role: "group", "aria-label": `${name} table` }, table);
}
