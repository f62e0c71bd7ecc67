/**
 * @file The health check: whether the API responds, checked every few seconds, each time within PV_UI_API_TIMEOUT_SECONDS.
 */

import { allowWrites, ApiError, errorMessage, requestJson } from "./client.js";

/** Between the end of one check and the next, in milliseconds. */
const PAUSE_MS = 5000;
/** The same while the API is down, so that its return shows soon. */
const DOWN_PAUSE_MS = 1500;

/** @typedef {{state: "checking" | "up" | "down", since: number, version: string, why: string}} Health */

/** Dispatches `change` when the state, the version or the reason is another. */
class HealthMonitor extends EventTarget {
  /** @type {Health} */
  now = { state: "checking", since: Date.now(), version: "", why: "" };
  /** @type {(() => void) | null} */
  #wake = null;

  /** Checks for as long as the page is open. */
  async run() {
    addEventListener("online", () => this.checkSoon());
    addEventListener("offline", () => this.checkSoon());
    document.addEventListener("visibilitychange", () => document.hidden || this.checkSoon());
    for (;;) {
      await this.#check();
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, this.now.state === "down" ? DOWN_PAUSE_MS : PAUSE_MS);
        this.#wake = () => {
          clearTimeout(timer);
          resolve(undefined);
        };
      });
    }
  }

  /** Checks now instead of at the end of the pause. */
  checkSoon() {
    this.#wake?.();
  }

  async #check() {
    try {
      const result = await requestJson("/healthz");
      const commit = result.commit ? ` (${result.commit})` : "";
      this.#set("up", `${result.version ?? ""}${commit}`, "");
    } catch (error) {
      // An API that refuses is reachable.
      if (error instanceof ApiError && error.status < 500) this.#set("up", this.now.version, "");
      else this.#set("down", this.now.version, errorMessage(error));
    }
  }

  /**
   * @param {"up" | "down"} state
   * @param {string} version
   * @param {string} why
   */
  #set(state, version, why) {
    const before = this.now;
    // It may have been restarted with other settings.
    if (state === "up" && before.state === "down") allowWrites();
    this.now = { state, version, why, since: before.state === state ? before.since : Date.now() };
    if (before.state !== state || before.version !== version || before.why !== why) this.dispatchEvent(new Event("change"));
  }
}

export const health = new HealthMonitor();
