/**
 * @file The log of a job: follows it live until it is paused or scrolled, loads what is before and after by ranges, and
 * searches all of it. At no time more than a few thousand lines are in the page.
 */

import { ApiError, errorMessage, isAborted } from "../api/client.js";
import { isFinished } from "../api/job.js";
import { h, setAttr, setText } from "../lib/dom.js";
import { bytesText } from "../text/bytes.js";
import { LogBlocks } from "./blocks.js";
import { searchBar } from "./search.js";
import { LogSource } from "./source.js";
import { LogStream } from "./stream.js";

/** @typedef {import("./lines.js").Line} Line */
/** @typedef {"loading" | "following" | "paused" | "complete" | "missing" | "disconnected"} Mode */

/** More lines are loaded when less than this is left to scroll, in pixels. */
const LOAD_MARGIN_PX = 600;
/** How far from the end counts as being at the end, in pixels. */
const END_TOLERANCE_PX = 24;
/** How many more ranges are read to fill the box. */
const MAX_FILL_READS = 8;
/** Lines are counted without being asked for if at most this many bytes precede them. */
const AUTO_COUNT_BYTES = 64 * 1024 * 1024;

export class LogView {
  #blocks = new LogBlocks();
  /** @type {LogSource} */
  #source;
  #signal;
  #jobId;
  /** @type {LogStream | null} */
  #stream = null;
  /** Aborts the reads and the stream of the lines that are shown, when others are to be shown. */
  #shown = new AbortController();
  /** @type {Mode} */
  #mode = "loading";
  #error = "";
  #isFinished;
  /** How many reads are in progress. */
  #activeReads = 0;
  /** Whether it was paused by the button, so that scrolling to the end does not resume it. */
  #isPausedByButton = false;
  #lastTop = 0;
  /** Whether to keep the end in view while lines are laid out and added. */
  #isAtEnd = true;

  /**
   * @param {import("../api/types.js").Job} job
   * @param {AbortSignal} signal
   */
  constructor(job, signal) {
    this.#signal = signal;
    this.#isFinished = isFinished(job);
    this.#jobId = job.job_id;
    this.#source = new LogSource(job.job_id, signal);
    signal.addEventListener("abort", () => this.#shown.abort(), { once: true });
    this.#box = h("div", { class: "log-box", tabindex: "0", role: "region", "aria-label": "Log" }, this.#blocks.element);
    this.#box.addEventListener("scroll", () => this.#onScroll(), { passive: true });
    // At an edge nothing scrolls and no scroll event comes, so the input itself counts.
    this.#box.addEventListener("wheel", (event) => this.#onScrollInput(event.deltaY), { passive: true });
    this.#box.addEventListener("touchmove", () => this.#onScrollInput(0), { passive: true });
    this.#box.addEventListener("keydown", (event) => this.#onKey(event));
    this.#search = searchBar(this.#source, this.#blocks, signal, (offset) => this.#showLine(offset));
    this.#wrapButton.addEventListener("click", () => this.#setWrap(this.#wrapButton.getAttribute("aria-pressed") !== "true"));
    this.#followButton.addEventListener("click", () => this.#toggleFollowing());
    const start = h("button", { type: "button", class: "button", title: "Home", on: { click: () => void this.#showLine(0) } }, "Start");
    const end = h("button", { type: "button", class: "button", title: "End", on: { click: () => void this.#showEnd() } }, "End");
    this.element = h("section", { class: "log", "aria-label": "Job log" },
      h("div", { class: "log-bar" }, this.#followButton, start, end, this.#search.element, this.#wrapButton),
      this.#box, h("div", { class: "log-footer" }, this.#status, this.#position, this.#countButton));
    this.#countButton.addEventListener("click", () => void this.#countLines(true));
    // The height of lines is known only once they are laid out.
    const size = new ResizeObserver(() => this.#isAtEnd && this.#scrollToEnd());
    size.observe(this.#blocks.element);
    signal.addEventListener("abort", () => size.disconnect(), { once: true });
    // Narrow windows show little of a long line, so they wrap.
    this.#setWrap((localStorage.getItem("pv.wrap") ?? String(innerWidth < 760)) === "true");
    void this.#showEnd();
  }

  element;
  #box;
  #search;
  #followButton = h("button", { type: "button", class: "button follow" }, "Pause");
  #wrapButton = h("button", { type: "button", class: "button", "aria-pressed": "false" }, "Wrap");
  #status = h("span", { class: "log-status", role: "status" });
  #position = h("span", { class: "log-position" });
  #countButton = h("button", { type: "button", class: "text-button", hidden: true }, "Count lines");

  /** Updates the job. @param {import("../api/types.js").Job} job */
  setJob(job) {
    if (this.#isFinished || !isFinished(job)) return;
    this.#isFinished = true;
    // A stream notices the end by itself. Where there is none, there may be last lines to read.
    if (this.#mode === "paused" || this.#mode === "missing") void this.#loadAfter();
    this.#updateBars();
  }

  /** @param {boolean} on */
  #setWrap(on) {
    this.#wrapButton.setAttribute("aria-pressed", String(on));
    this.#box.classList.toggle("wrap", on);
    localStorage.setItem("pv.wrap", String(on));
  }

  /** @param {Mode} mode @param {string} [error] */
  #setMode(mode, error = "") {
    this.#mode = mode;
    this.#error = error;
    this.#updateBars();
  }

  #updateBars() {
    /** @type {Record<Mode, string>} */
    const texts = {
      loading: "loading…", following: "following live", paused: this.#isPausedByButton ? "paused" : "paused by scrolling", complete: "complete",
      missing: this.#isFinished ? "this job has no log" : "no log yet: it starts with the agent",
      disconnected: `${this.#error}; retrying`,
    };
    setText(this.#status, texts[this.#mode]);
    setAttr(this.#status, "data-mode", this.#mode);
    setAttr(this.element, "data-finished", this.#isFinished ? "" : null);
    setText(this.#followButton, this.#mode === "following" || this.#mode === "disconnected" ? "Pause" : "Follow");
    this.#followButton.hidden = this.#isFinished && this.#mode !== "following";
    setText(this.#position, this.#mode === "missing" || this.#mode === "loading" ? "" : this.#positionText());
    this.#countButton.hidden = this.#blocks.precedingLines !== null || this.#mode === "loading";
  }

  #positionText() {
    const { lastNumber, end } = this.#blocks;
    const size = Math.max(this.#source.size, end);
    const number = lastNumber?.toLocaleString();
    if (end < size) return `${number ? `up to line ${number}, ` : ""}${bytesText(end)} of ${bytesText(size)}`;
    return `${number ? `${number} ${lastNumber === 1 ? "line" : "lines"}, ` : ""}${bytesText(size)}`;
  }

  /** Aborts the reads and the stream of the lines that are shown, and returns the signal of the next ones. */
  #resetSignal() {
    this.#shown.abort();
    this.#shown = new AbortController();
    this.#stream = null;
    return this.#shown.signal;
  }

  /** Shows the end, and follows it while the job runs; unless another place is to be shown meanwhile. */
  async #showEnd() {
    this.#isPausedByButton = false;
    this.#setMode("loading");
    const signal = this.#resetSignal();
    this.#blocks.clear(0);
    await this.#runRead(signal, async () => {
      const end = await this.#source.completeLinesEnd(this.#isFinished, signal);
      const lines = await this.#source.linesBefore(end, signal);
      signal.throwIfAborted();
      this.#blocks.clear(lines[0]?.start ?? 0);
      this.#blocks.append(lines);
      await this.#fill(signal);
      this.#scrollToEnd();
    });
    if (signal.aborted) return;
    if (this.#mode === "missing" && this.#isFinished) return;
    if (this.#isFinished && this.#mode === "loading") this.#setMode("complete");
    else if (!this.#isFinished) this.#follow();
    void this.#countLines(false);
  }

  /** Reads further back until the box is full: a range may contain only a few long lines. @param {AbortSignal} signal */
  async #fill(signal) {
    for (let reads = 0; reads < MAX_FILL_READS && this.#blocks.start > 0; reads += 1) {
      if (this.#box.scrollHeight > this.#box.clientHeight + LOAD_MARGIN_PX) return;
      const lines = await this.#source.linesBefore(this.#blocks.start, signal);
      signal.throwIfAborted();
      this.#blocks.prepend(lines);
    }
  }

  /** Shows the line at an offset, and pauses. @param {number} offset */
  async #showLine(offset) {
    if (!this.#blocks.lineAt(offset)) {
      this.#setMode("loading");
      const signal = this.#resetSignal();
      this.#blocks.clear(offset);
      await this.#runRead(signal, async () => {
        const after = await this.#source.linesAfter(offset, this.#isFinished, signal);
        const before = await this.#source.linesBefore(offset, signal);
        signal.throwIfAborted();
        this.#blocks.append(after);
        this.#blocks.prepend(before);
      });
      if (signal.aborted) return;
      void this.#countLines(false);
    }
    this.#pause();
    for (const old of this.#blocks.element.querySelectorAll(".hit")) old.classList.remove("hit");
    const line = this.#blocks.lineAt(offset);
    if (!line) return;
    if (offset > 0) line.classList.add("hit");
    line.scrollIntoView({ block: offset === 0 ? "start" : "center" });
    this.#lastTop = this.#box.scrollTop;
  }

  /** Runs a read and shows its errors, unless its signal has aborted it. @param {AbortSignal} signal @param {() => Promise<void>} read */
  async #runRead(signal, read) {
    this.#activeReads += 1;
    try {
      await read();
    } catch (error) {
      if (isAborted(error) || signal.aborted) return;
      if (error instanceof ApiError && error.status === 404) this.#setMode("missing");
      else this.#setMode("disconnected", errorMessage(error));
    } finally {
      this.#activeReads -= 1;
    }
  }

  /** Follows the log from the last line on. */
  #follow() {
    const signal = this.#resetSignal();
    if (this.#mode !== "missing") this.#setMode("following");
    this.#stream = new LogStream(this.#jobId, {
      endOffset: () => this.#blocks.end,
      onLines: (lines) => this.#addStreamed(lines),
      onEnd: () => {
        this.#isFinished = true;
        this.#setMode("complete");
      },
      onOpen: () => this.#mode === "disconnected" && this.#setMode("following"),
      onMissing: () => this.#setMode("missing"),
      onError: (message) => this.#setMode("disconnected", message),
    });
    void this.#stream.run(signal);
  }

  /** @param {Line[]} lines */
  #addStreamed(lines) {
    this.#blocks.append(lines);
    if (lines.length > 0) this.#source.size = Math.max(this.#source.size, this.#blocks.end);
    this.#scrollToEnd();
    this.#setMode("following");
  }

  #scrollToEnd() {
    this.#isAtEnd = true;
    this.#box.scrollTop = this.#box.scrollHeight;
    this.#lastTop = this.#box.scrollTop;
  }

  /** Ends the stream. What is logged meanwhile is loaded when the end is scrolled into view. */
  #pause() {
    this.#isAtEnd = false;
    if (this.#mode !== "following" && this.#mode !== "disconnected" && this.#mode !== "loading") return;
    this.#blocks.append(this.#stream?.takePending() ?? []);
    this.#resetSignal();
    this.#setMode(this.#isFinished && this.#blocks.end >= this.#source.size ? "complete" : "paused");
  }

  #toggleFollowing() {
    if (this.#mode === "following" || this.#mode === "disconnected") {
      this.#isPausedByButton = true;
      this.#pause();
    } else void this.#showEnd();
  }

  /** @param {number} direction  up, if below 0 */
  #onScrollInput(direction) {
    const { scrollTop, scrollHeight, clientHeight } = this.#box;
    if (direction < 0 && scrollTop > 0) this.#pause();
    if (direction < 0 && scrollTop <= 0 && this.#blocks.start > 0 && this.#activeReads === 0) void this.#loadBefore();
    if (direction >= 0 && this.#mode === "paused" && scrollHeight - scrollTop - clientHeight < LOAD_MARGIN_PX) void this.#loadAfter();
  }

  #onScroll() {
    const { scrollTop, scrollHeight, clientHeight } = this.#box;
    const isUp = scrollTop < this.#lastTop - 2;
    this.#lastTop = scrollTop;
    const isAtBottom = scrollHeight - scrollTop - clientHeight < END_TOLERANCE_PX;
    if (isUp && !isAtBottom) this.#isAtEnd = false;
    if (this.#mode === "following" && isUp && !isAtBottom) this.#pause();
    if (this.#activeReads > 0) return;
    if (scrollTop < LOAD_MARGIN_PX && this.#blocks.start > 0 && isUp) void this.#loadBefore();
    else if (this.#mode !== "following" && scrollHeight - scrollTop - clientHeight < LOAD_MARGIN_PX) void this.#loadAfter();
  }

  async #loadBefore() {
    const signal = this.#shown.signal;
    await this.#runRead(signal, async () => {
      const lines = await this.#source.linesBefore(this.#blocks.start, signal);
      signal.throwIfAborted();
      const height = this.#box.scrollHeight;
      const top = this.#box.scrollTop;
      // Lines that are added above must not move those in view.
      this.#blocks.prepend(lines);
      this.#box.scrollTop = top + (this.#box.scrollHeight - height);
      this.#lastTop = this.#box.scrollTop;
    });
    this.#updateBars();
  }

  async #loadAfter() {
    if (this.#activeReads > 0) return;
    const signal = this.#shown.signal;
    let hasMore = false;
    await this.#runRead(signal, async () => {
      const lines = await this.#source.linesAfter(this.#blocks.end, this.#isFinished, signal);
      signal.throwIfAborted();
      hasMore = lines.length > 0;
      if (!hasMore) return;
      const anchor = this.#blocks.element.lastElementChild;
      const before = anchor?.getBoundingClientRect().top ?? 0;
      this.#blocks.append(lines);
      // Blocks that are dropped above must not move those in view.
      if (anchor?.isConnected) this.#box.scrollTop += anchor.getBoundingClientRect().top - before;
      this.#lastTop = this.#box.scrollTop;
      if (this.#mode === "missing") this.#setMode("paused");
    });
    if (signal.aborted) return;
    if (hasMore) return this.#updateBars();
    const isAtBottom = this.#box.scrollHeight - this.#box.scrollTop - this.#box.clientHeight < END_TOLERANCE_PX;
    if (this.#isFinished && this.#mode === "paused") this.#setMode("complete");
    else if (!this.#isFinished && !this.#isPausedByButton && isAtBottom && this.#mode === "paused") this.#follow();
  }

  /** @param {boolean} isRequested */
  async #countLines(isRequested) {
    const { start } = this.#blocks;
    if (this.#blocks.precedingLines !== null || (!isRequested && start > AUTO_COUNT_BYTES)) return;
    const progress = (/** @type {number} */ done) => setText(this.#countButton, `counting lines… ${Math.floor((done / start) * 100)} %`);
    try {
      const count = await this.#source.countLinesBefore(start, this.#signal, progress);
      // Other lines may be shown by now.
      const now = this.#blocks.start;
      if (this.#blocks.precedingLines === null) this.#blocks.setPrecedingLines(now === start ? count : await this.#source.countLinesBefore(now, this.#signal));
    } catch (error) {
      if (!isAborted(error)) setText(this.#countButton, "Count lines");
    }
    this.#updateBars();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.key === "End") void this.#showEnd();
    else if (event.key === "Home") void this.#showLine(0);
    else if (event.key === "/" || (event.key === "f" && event.ctrlKey)) this.#search.focus();
    else {
      if (event.key === "ArrowUp" || event.key === "PageUp") this.#onScrollInput(-1);
      if (event.key === "ArrowDown" || event.key === "PageDown") this.#onScrollInput(1);
      return;
    }
    event.preventDefault();
  }
}
