/**
 * @file Does the API answer? Asked every few seconds, each time within PV_UI_API_TIMEOUT_SECONDS.
 */

import { allowWrites, json, Refused, words } from "./client.js";

/** Between the end of one question and the next, in milliseconds. */
const PAUSE_MS = 5000;
/** The same while there is no answer, so that its return shows soon. */
const DOWN_PAUSE_MS = 1500;

/** @typedef {{state: "asking" | "up" | "down", since: number, version: string, why: string}} Health */

/** The API's health. Each `change` is one between up and down. */
class HealthWatch extends EventTarget {
  /** @type {Health} */
  now = { state: "asking", since: Date.now(), version: "", why: "" };
  /** @type {(() => void) | null} */
  #wake = null;

  /** Asks for as long as the page is open. */
  async run() {
    addEventListener("online", () => this.askSoon());
    addEventListener("offline", () => this.askSoon());
    document.addEventListener("visibilitychange", () => document.hidden || this.askSoon());
    for (;;) {
      await this.#ask();
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, this.now.state === "down" ? DOWN_PAUSE_MS : PAUSE_MS);
        this.#wake = () => {
          clearTimeout(timer);
          resolve(undefined);
        };
      });
    }
  }

  /** Asks now instead of at the end of the pause: somebody saw a sign of a change. */
  askSoon() {
    this.#wake?.();
  }

  async #ask() {
    try {
      const answer = await json("/healthz");
      this.#set("up", String(answer.version ?? ""), "");
    } catch (error) {
      // A refusal is an answer.
      if (error instanceof Refused && error.status < 500) this.#set("up", this.now.version, "");
      else this.#set("down", this.now.version, words(error));
    }
  }

  /**
   * @param {"up" | "down"} state
   * @param {string} version
   * @param {string} why
   */
  #set(state, version, why) {
    const before = this.now;
    // It may have been started again with other settings.
    if (state === "up" && before.state === "down") allowWrites();
    this.now = { state, version, why, since: before.state === state ? before.since : Date.now() };
    if (before.state !== state || before.version !== version || before.why !== why) this.dispatchEvent(new Event("change"));
  }
}

export const health = new HealthWatch();
