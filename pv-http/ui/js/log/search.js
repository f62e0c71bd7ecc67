/**
 * @file The search bar of a log: searches all of it, from the last match on.
 */

import { errorMessage, isAborted } from "../api/client.js";
import { h, setText } from "../lib/dom.js";

/** How long typing must pause before the search begins, in milliseconds. */
const TYPING_MS = 250;

/**
 * @param {import("./source.js").LogSource} source
 * @param {import("./blocks.js").LogBlocks} blocks
 * @param {AbortSignal} signal
 * @param {(offset: number) => Promise<void>} showLine  shows the line at an offset
 */
export function searchBar(source, blocks, signal, showLine) {
  const input = h("input", { type: "search", class: "input", placeholder: "Search the log", "aria-label": "Search the log", autocomplete: "off", spellcheck: "false" });
  const previous = h("button", { type: "button", class: "button", "aria-label": "Previous match", title: "Shift-Enter", on: { click: () => void find(-1) } }, "↑");
  const next = h("button", { type: "button", class: "button", "aria-label": "Next match", title: "Enter", on: { click: () => void find(1) } }, "↓");
  const status = h("span", { class: "search-status", role: "status" });
  /** The offset of the line of the last match. @type {number | null} */
  let current = null;
  let running = new AbortController();

  const find = async (/** @type {1 | -1} */ direction) => {
    const query = input.value.toLowerCase();
    running.abort();
    running = new AbortController();
    blocks.highlight(query);
    if (!query) return setText(status, "");
    const own = AbortSignal.any([signal, running.signal]);
    const progress = (/** @type {number} */ offset) => setText(status, `searching… ${Math.floor((offset / Math.max(1, source.size)) * 100)} %`);
    try {
      const size = await source.fetchSize();
      // From the last match on, or from what is shown; then from the other end of the log.
      const from = current ?? (direction > 0 ? blocks.start : blocks.end);
      const start = current !== null && direction > 0 ? await nextLine(from) : from;
      let found = await source.find(query, start, direction, own, progress);
      const isWrapped = found === null;
      found ??= await source.find(query, direction > 0 ? 0 : size, direction, own, progress);
      if (found === null) {
        current = null;
        return setText(status, "no match");
      }
      current = found;
      setText(status, isWrapped ? "wrapped around" : "found");
      await showLine(found);
    } catch (error) {
      if (!isAborted(error) && !own.aborted) setText(status, errorMessage(error));
    }
  };
  const nextLine = async (/** @type {number} */ line) => (await source.linesAfter(line, true))[0]?.end ?? line;

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let typing;
  input.addEventListener("input", () => {
    current = null;
    clearTimeout(typing);
    typing = setTimeout(() => void find(1), TYPING_MS);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    clearTimeout(typing);
    void find(event.shiftKey ? -1 : 1);
  });
  return { element: h("div", { class: "log-search", role: "search" }, input, previous, next, status), focus: () => input.focus() };
}
