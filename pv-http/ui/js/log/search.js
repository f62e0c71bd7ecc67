/**
 * @file Searching a log: all of it, by windows, from the place of the last find on.
 */

import { errorMessage, isAborted } from "../api/client.js";
import { h, setText } from "../lib/dom.js";

/** How long typing must pause before the search begins, in milliseconds. */
const TYPING_MS = 250;

/**
 * @param {import("./source.js").LogSource} source
 * @param {import("./blocks.js").LogBlocks} blocks
 * @param {AbortSignal} signal
 * @param {(at: number) => Promise<void>} show  shows the line at an offset
 */
export function searchBar(source, blocks, signal, show) {
  const input = h("input", { type: "search", class: "input", placeholder: "Search the log", "aria-label": "Search the log", autocomplete: "off", spellcheck: "false" });
  const back = h("button", { type: "button", class: "button", "aria-label": "Previous match", title: "Shift-Enter", on: { click: () => void find(-1) } }, "↑");
  const on = h("button", { type: "button", class: "button", "aria-label": "Next match", title: "Enter", on: { click: () => void find(1) } }, "↓");
  const said = h("span", { class: "search-said", role: "status" });
  /** Where the last match is. @type {number | null} */
  let at = null;
  let running = new AbortController();

  const find = async (/** @type {1 | -1} */ direction) => {
    const query = input.value.toLowerCase();
    running.abort();
    running = new AbortController();
    blocks.mark(query);
    if (!query) return setText(said, "");
    const own = AbortSignal.any([signal, running.signal]);
    const progress = (/** @type {number} */ place) => setText(said, `searching… ${Math.floor((place / Math.max(1, source.size)) * 100)} %`);
    try {
      const size = await source.measure();
      // From the match on, or from what is shown; then once around.
      const from = at ?? (direction > 0 ? blocks.start : blocks.end);
      const begin = at !== null && direction > 0 ? await nextLine(from) : from;
      let found = await source.find(query, begin, direction, own, progress);
      const isAround = found === null;
      found ??= await source.find(query, direction > 0 ? 0 : size, direction, own, progress);
      if (found === null) {
        at = null;
        return setText(said, "no match");
      }
      at = found;
      setText(said, isAround ? "from the other end" : "found");
      await show(found);
    } catch (error) {
      if (!isAborted(error) && !own.aborted) setText(said, errorMessage(error));
    }
  };
  const nextLine = async (/** @type {number} */ line) => (await source.after(line, true))[0]?.next ?? line;

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let typing;
  input.addEventListener("input", () => {
    at = null;
    clearTimeout(typing);
    typing = setTimeout(() => void find(1), TYPING_MS);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    clearTimeout(typing);
    void find(event.shiftKey ? -1 : 1);
  });
  return { element: h("div", { class: "log-search", role: "search" }, input, back, on, said), focus: () => input.focus() };
}
