/**
 * @file The services: what the API sees of itself, the watcher, the folders and the disk; what `pv doctor` says; every
 * setting with where it came from.
 */

import { isCancelled, json, words } from "./api.js";
import { bytesText } from "./bytes.js";
import { readInstallation } from "./config.js";
import { h, setChildren, setText } from "./dom.js";
import { health } from "./health.js";
import { duration, timeAgo } from "./time.js";
import { unusablePanel } from "./unusable.js";

/** @typedef {import("./types.js").Status} Status */

/** How often the status is asked for, in milliseconds. */
const ASK_MS = 4000;

/**
 * @param {HTMLElement} root
 * @param {import("./router.js").Route} _route
 * @param {AbortSignal} signal
 * @returns {import("./main.js").View}
 */
export function servicesPage(root, _route, signal) {
  const cards = h("div", { class: "cards" });
  const unusable = h("section", { class: "panel", "aria-label": "Cannot be used", hidden: true });
  const checks = h("section", { class: "panel checks", "aria-label": "Checkup" });
  const targets = h("section", { class: "panel", "aria-label": "Targets" });
  const settings = h("section", { class: "panel", "aria-label": "Settings" });
  const said = h("p", { class: "field-error", role: "status" });
  root.append(h("h1", { tabindex: "-1" }, "Services"), said, cards, unusable, checks, targets, settings);
  let shown = "";
  const ask = async () => {
    try {
      /** @type {Status} */
      const status = await json("/status", { signal });
      setText(said, "");
      const key = JSON.stringify(status) + health.now.version;
      if (key !== shown) {
        setChildren(cards, ...statusCards(status));
        setChildren(unusable, ...unusablePanel(status.unusable));
        unusable.hidden = unusable.childElementCount === 0;
      }
      shown = key;
    } catch (error) {
      if (!isCancelled(error) && !signal.aborted) setText(said, `${words(error)}. What is below is what was seen last.`);
    }
  };
  const keepAsking = async () => {
    while (!signal.aborted) {
      if (!document.hidden) await ask();
      await new Promise((resolve) => setTimeout(resolve, ASK_MS));
    }
  };
  setChildren(cards, Array.from({ length: 6 }, () => h("div", { class: "panel card skeleton" }, h("span", {}), h("span", {}))));
  void keepAsking();
  const again = h("button", { type: "button", class: "button", on: { click: () => void readRest() } }, "Look again");
  const readRest = async () => {
    again.disabled = true;
    try {
      const found = await readInstallation(signal);
      setChildren(checks, ...checkPanel(found, again));
      setChildren(settings, ...settingsPanel(found));
    } catch (error) {
      if (signal.aborted) return;
      setChildren(checks, h("div", { class: "panel-head" }, h("h2", {}, "Checkup"), again), h("p", { class: "muted" }, `This API does not tell its settings (${words(error)}). On its host, pv doctor and pv config say more.`));
      setChildren(settings);
    }
    settings.hidden = settings.childElementCount === 0;
    again.disabled = false;
    try {
      setChildren(targets, ...targetsPanel(await json("/targets", { signal })));
    } catch (error) {
      if (!signal.aborted) setChildren(targets, h("div", { class: "panel-head" }, h("h2", {}, "Targets")), h("p", {}, words(error)));
    }
  };
  void readRest();
  health.addEventListener("change", () => {
    if (health.now.state !== "up") return;
    void ask();
    void readRest();
  }, { signal });
  return { title: "Services" };
}

/** @param {Status} status */
function statusCards(status) {
  const { config, jobs, roots, watcher, disk, targets } = status;
  const isAlive = watcher.alive === true;
  const share = disk.available_bytes !== null && disk.total_bytes ? disk.available_bytes / disk.total_bytes : null;
  const isLow = disk.available_bytes !== null && disk.floor_bytes !== null && disk.available_bytes < disk.floor_bytes;
  return [
    card("API", "ok", "answers", [["Version", health.now.version || "–"], ["Address", `${config.bind_host}:${config.bind_port}`], ["Stalled after", duration(config.stall_threshold_seconds)]]),
    card("Watcher", isAlive ? "ok" : "problem", isAlive ? "alive" : watcher.pid === undefined ? "has never run here" : "gives no sign of life", [
      ["Runs", watcher.max_concurrent === undefined ? null : `${watcher.running ?? 0} of ${watcher.max_concurrent}`],
      ["Waiting", watcher.waiting === undefined ? null : String(watcher.waiting)],
      ["Process", watcher.pid === undefined ? null : `${watcher.pid} on ${watcher.host ?? "?"}`],
      ["Version", watcher.version], ["Started", watcher.started_at ? timeAgo(watcher.started_at) : null],
      ["Last sign", watcher.beat_at ? timeAgo(watcher.beat_at) : null], ...holdFacts(watcher.holds),
    ]),
    card("Jobs", jobs.stalled_running > 0 ? "warning" : "ok", jobs.stalled_running > 0 ? `${jobs.stalled_running} stalled` : "none stalled", [
      ["All", jobs.total.toLocaleString()], ["Waiting", String(jobs.counts.created ?? 0)], ["Running", String(jobs.counts.running ?? 0)],
      ["Damaged", jobs.counts.unknown ? String(jobs.counts.unknown) : null],
    ]),
    card("Targets", targets.count > 0 ? "ok" : "warning", targets.count > 0 ? `${targets.count} of them` : "none", [
      ["To add one", targets.count > 0 ? null : h("code", {}, "pv targets add REPO BRANCH")],
    ]),
    card("Folders", roots.tree_builder_root_exists && roots.runs_root_exists ? "ok" : "problem", roots.tree_builder_root_exists && roots.runs_root_exists ? "are there" : "are missing", [
      ["Inbox", h("code", { class: "path" }, config.tree_builder_root, roots.tree_builder_root_exists ? "" : " (missing)")],
      ["Runs", h("code", { class: "path" }, config.runs_root, roots.runs_root_exists ? "" : " (missing)")],
    ]),
    card("Disk", share === null ? "warning" : isLow ? "problem" : "ok", share === null ? "cannot be measured" : isLow ? "too full: prompts are refused" : `${Math.round(share * 100)} % free`, [
      ["Free", disk.available_bytes === null ? null : bytesText(disk.available_bytes)],
      ["Size", disk.total_bytes === null ? null : bytesText(disk.total_bytes)],
      ["Must stay free", disk.floor_bytes === null ? null : bytesText(disk.floor_bytes)],
    ]),
  ];
}

/** What holds jobs back, as the watcher tells it. @param {unknown} holds @returns {[string, Node | string | null][]} */
function holdFacts(holds) {
  if (!Array.isArray(holds) || holds.length === 0) return [];
  const text = (/** @type {any} */ hold) => (typeof hold === "string" ? hold : [hold.what ?? hold.agent ?? hold.about, hold.why ?? hold.reason ?? hold.message, hold.until].filter(Boolean).join(", ") || JSON.stringify(hold));
  return [["Holds", h("ul", { class: "holds" }, holds.map((hold) => h("li", {}, text(hold))))]];
}

/**
 * @param {string} name
 * @param {"ok" | "warning" | "problem"} level
 * @param {string} says
 * @param {[string, Node | string | null | undefined][]} facts
 */
function card(name, level, says, facts) {
  const rows = facts.filter(([, value]) => value !== null && value !== undefined);
  return h("div", { class: "panel card", role: "group", "aria-label": name },
    h("h2", {}, name), h("p", { class: "card-says", "data-level": level }, says),
    h("dl", {}, rows.flatMap(([term, value]) => [h("dt", {}, term), h("dd", {}, value ?? "")])));
}

/**
 * @param {import("./config.js").Installation} found
 * @param {HTMLElement} again
 */
function checkPanel({ checks: all, warnings }, again) {
  // What cannot be used has a panel of its own.
  const checks = all.filter(({ check }) => check !== "unusable");
  const order = ["problem", "warning", "ok"];
  const sorted = [...checks].sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level));
  const bad = checks.filter(({ level }) => level !== "ok").length;
  const rows = sorted.map(({ check, level, message, remedy }) => h("li", { class: "check", "data-level": level },
    h("span", { class: "check-level" }, level), h("span", { class: "check-name" }, check),
    h("span", { class: "check-says" }, message, remedy ? h("span", { class: "remedy" }, remedy) : null)));
  return [
    h("div", { class: "panel-head" }, h("h2", {}, "Checkup"), h("span", { class: "muted" }, checks.length === 0 ? "pv doctor says more" : bad === 0 ? "all is well" : `${bad} to look at`), again),
    h("ul", { class: "check-list" }, rows, warnings.filter((text) => !checks.some(({ message }) => message === text)).map((text) => h("li", { class: "check", "data-level": "warning" }, h("span", { class: "check-level" }, "warning"), h("span", { class: "check-name" }, "settings"), h("span", { class: "check-says" }, text)))),
  ];
}

/** @param {import("./types.js").Target[]} targets */
function targetsPanel(targets) {
  return [
    h("div", { class: "panel-head" }, h("h2", {}, "Targets"), h("span", { class: "muted" }, String(targets.length))),
    targets.length === 0 ? h("p", { class: "muted" }, "None yet: ", h("code", {}, "pv targets add REPO BRANCH"), " makes one.") :
      scrolling("Targets", h("table", { class: "grid" },
        h("thead", {}, h("tr", {}, ["Repository", "Branch", "Folder", ""].map((name) => h("th", { scope: "col" }, name || h("span", { class: "offscreen" }, "Action"))))),
        h("tbody", {}, targets.map((target) => h("tr", {}, h("td", {}, target.full_repo), h("td", {}, target.branch), h("td", {}, h("code", { class: "path" }, target.inbox_path)),
          h("td", {}, h("a", { href: `#/submit?${new URLSearchParams({ repo: target.full_repo, branch: target.branch })}`, "aria-label": `Submit to ${target.full_repo}, ${target.branch}` }, "Submit"))))))),
  ];
}

/** @param {import("./config.js").Installation} found */
function settingsPanel({ settings }) {
  if (settings.length === 0) return [];
  const value = (/** @type {unknown} */ of) => (of === null ? "not set" : typeof of === "string" ? of : JSON.stringify(of));
  const isOwn = (/** @type {string} */ origin) => origin !== "default";
  return [
    h("div", { class: "panel-head" }, h("h2", {}, "Settings"), h("span", { class: "muted" }, "a flag wins over the environment, which wins over the file")),
    scrolling("Settings", h("table", { class: "grid settings-table" },
      h("thead", {}, h("tr", {}, ["Setting", "Value", "From"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, settings.map((setting) => h("tr", { "data-own": isOwn(setting.origin) ? "" : undefined },
        h("td", {}, h("code", {}, setting.name)), h("td", { class: setting.value === null ? "muted" : "" }, value(setting.value)), h("td", {}, setting.origin)))))),
  ];
}

/** @param {string} name @param {HTMLElement} table */
function scrolling(name, table) {
  return h("div", { class: "scrolling", tabindex: "0", role: "group", "aria-label": `${name}, a table` }, table);
}
