/**
 * @file What to do on a first visit: a watcher, an agent, a target, a prompt; each with the command to copy, and whether it is
 * done. `firstSteps` decides, by the status and the installation; the rest shows it.
 */

import { isAborted, requestJson } from "../api/client.js";
import { readInstallation } from "../api/installation.js";
import { copyButton, h, setChildren } from "../lib/dom.js";

/** @typedef {import("../api/types.js").Status} Status */
/** @typedef {import("../api/installation.js").Installation} Installation */
/** @typedef {{name: string, isDone: boolean, why: string, commands: string[]}} Step */

/** How often it is looked whether a step is done, in milliseconds. */
const POLL_MS = 4000;

/** Every how many of these looks the checks are asked, too, which cost more. */
const CHECK_EVERY = 5;

/**
 * Returns how `pv` is called so that it finds this installation: with `--root` and `--config` where they were chosen.
 * @param {Installation | null} installation  null where the API describes none
 */
export function pvCommand(installation) {
  const flags = [["--config", "PV_CONFIG_PATH"], ["--root", "pv_root"]].flatMap(([flag, name]) => {
    const setting = installation?.settings.find((one) => one.name === name);
    return setting && typeof setting.value === "string" && !setting.origin.startsWith("default") ? [flag, shellWord(setting.value)] : [];
  });
  return ["pv", ...flags].join(" ");
}

/** Returns a word as a shell takes it. @param {string} word */
export function shellWord(word) {
  return /^[\w/.+=:,@%~-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/**
 * Returns the steps, in the order in which they are done.
 * @param {Pick<Status, "watcher" | "targets">} status
 * @param {Installation | null} installation  null where the API describes none: agents are not judged then
 * @returns {Step[]}
 */
export function firstSteps(status, installation) {
  const pv = pvCommand(installation);
  const agents = installation?.checks.find(({ check }) => check === "agents");
  const isSilent = status.watcher.alive === false;
  return [
    {
      name: "Start a watcher", isDone: status.watcher.alive === true,
      why: isSilent ? "The watcher is silent; without one prompts wait." : "It claims prompts and runs agents; without one prompts wait.",
      commands: [`${pv} watcher`],
    },
    ...(agents ? [{
      name: "Install an agent, and log it in", isDone: agents.level === "ok",
      why: agents.level === "ok" ? `What ${agents.message}.` : "None can be started by the watcher's user: codex, claude, opencode, or a program of your own.",
      commands: ["npm install -g @openai/codex && codex login"],
    }] : []),
    {
      name: "Make a repository known", isDone: status.targets.count > 0,
      why: "A target is a repository and a branch. In a clone of yours pv init finds both by git.",
      commands: [`${pv} init --yes`, `${pv} targets add OWNER/REPO`],
    },
    {
      name: "Submit the first prompt", isDone: false,
      why: "From a terminal, in the clone; or here, by Submit.",
      commands: [`${pv} run "what is to be done"`],
    },
  ];
}

/**
 * Shows the steps, and keeps them current until the signal ends it.
 * @param {AbortSignal} signal
 * @returns {HTMLElement}
 */
export function firstStepsPanel(signal) {
  const list = h("ol", { class: "first-steps" });
  const element = h("section", { class: "first-visit", "aria-label": "First steps" }, h("h2", {}, "No jobs yet"), list);
  /** @type {Installation | null} */
  let installation = null;
  let shownKey = "";
  const load = async () => {
    try {
      const status = await requestJson("/status", { signal });
      const steps = firstSteps(status, installation);
      const key = JSON.stringify(steps);
      // Only where something differs, so that a selection survives.
      if (key !== shownKey) setChildren(list, steps.map((step, at) => row(step, steps.findIndex(({ isDone }) => !isDone) === at)));
      shownKey = key;
    } catch (error) {
      // The banner says that the API is away.
      if (isAborted(error)) return;
    }
  };
  void (async () => {
    await load();
    let wasShown = false;
    for (let turn = 0; !signal.aborted && !(wasShown && !element.isConnected); turn += 1) {
      wasShown ||= element.isConnected;
      if (!document.hidden && element.isConnected) {
        if (turn % CHECK_EVERY === 0) installation = await readInstallation(signal).catch(() => installation);
        await load();
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  })();
  return element;
}

/** @param {Step} step @param {boolean} isNext */
function row({ name, isDone, why, commands }, isNext) {
  return h("li", { class: "first-step", data: { done: isDone ? "" : undefined, next: isNext ? "" : undefined } },
    h("h3", {}, name, isDone ? h("span", { class: "first-step-state" }, " done") : null),
    h("p", { class: "muted" }, why),
    isDone ? null : h("ul", { class: "first-step-commands" }, commands.map((command) => h("li", {}, h("code", { class: "command" }, command), copyButton(command, "the command")))));
}

/**
 * Says that jobs wait and no watcher runs, with the command that starts one, for as long as it is so.
 * @param {() => boolean} hasWaiting  whether there are jobs that wait
 * @param {AbortSignal} signal
 * @returns {HTMLElement}
 */
export function noWatcherNotice(hasWaiting, signal) {
  const element = h("div", { class: "notice no-watcher", role: "status", hidden: true });
  const say = (/** @type {string} */ command) => setChildren(element, "Jobs wait, and no watcher runs. Start one on its host: ",
    h("code", { class: "command" }, command), " ", copyButton(command, "the command"));
  let isSaid = false;
  void (async () => {
    while (!signal.aborted) {
      if (!document.hidden) {
        /** @type {Status | null} */
        const status = hasWaiting() ? await requestJson("/status", { signal }).catch(() => null) : null;
        const isMissing = status !== null && status.watcher.alive !== true;
        if (isMissing && !isSaid) {
          say(`${pvCommand(await readInstallation(signal).catch(() => null))} watcher`);
          isSaid = true;
        }
        element.hidden = !isMissing;
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  })();
  return element;
}
