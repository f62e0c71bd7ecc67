/**
 * @file The log of a job: follows it live, holds still when asked or when the reader scrolls, reads what is before and
 * after by windows, searches all of it. At no time more than a few thousand lines are in the page.
 */

import { ApiError, errorMessage, isAborted, request } from "../api/client.js";
import { isFinished } from "../api/job.js";
import { readEvents } from "../api/sse.js";
import { h, setAttr, setText } from "../lib/dom.js";
import { onHidden, untilVisible } from "../lib/page_visibility.js";
import { bytesText } from "../text/bytes.js";
import { LogBlocks } from "./blocks.js";
import { searchBar } from "./search.js";
import { LogSource } from "./source.js";

/** @typedef {import("./lines.js").Line} Line */
/** @typedef {"loading" | "following" | "held" | "over" | "none" | "broken"} Mode */

/** How near the edge is near, in pixels. */
const EDGE_PX = 600;
const BOTTOM_PX = 24;
/** How many further windows are read to fill the box. */
const MAX_FILL_READS = 8;
/** After how much silence a stream is given up; the API sends a comment every 15 s. */
const SILENCE_MS = 40_000;
const RETRY_MS = 1000;
/** A log whose beginning is not longer than this has its lines counted unasked, in bytes. */
const COUNT_UNASKED_BYTES = 64 * 1024 * 1024;

export class LogView {
  #blocks = new LogBlocks();
  /** @type {LogSource} */
  #source;
  #signal;
  #path;
  /** Ends what belongs to the window that is shown: the stream, a count. */
  #window = new AbortController();
  /** @type {Mode} */
  #mode = "loading";
  #why = "";
  #isFinished;
  /** How many readings are under way. */
  #readings = 0;
  /** Whether it was paused by the button, so that scrolling does not end the pause. */
  #isPaused = false;
  /** @type {Line[]} */
  #arrived = [];
  #lastTop = 0;
  /** Whether the end is to stay in sight while lines are laid out and added. */
  #isAtEnd = true;

  /**
   * @param {import("../api/types.js").Job} job
   * @param {AbortSignal} signal
   */
  constructor(job, signal) {
    this.#signal = signal;
    this.#isFinished = isFinished(job);
    this.#path = `/jobs/${encodeURIComponent(job.job_id)}/log/stream?end=1`;
    this.#source = new LogSource(job.job_id, signal);
    signal.addEventListener("abort", () => this.#window.abort(), { once: true });
    this.#box = h("div", { class: "log-box", tabindex: "0", role: "region", "aria-label": "Log" }, this.#blocks.element);
    this.#box.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    // At an edge nothing scrolls, so there is no event of that: the wish to go on counts.
    this.#box.addEventListener("wheel", (event) => this.#wished(event.deltaY), { passive: true });
    this.#box.addEventListener("touchmove", () => this.#wished(0), { passive: true });
    this.#box.addEventListener("keydown", (event) => this.#key(event));
    this.#search = searchBar(this.#source, this.#blocks, signal, (at) => this.#goTo(at));
    this.#wrap.addEventListener("click", () => this.#setWrap(this.#wrap.getAttribute("aria-pressed") !== "true"));
    this.#follow.addEventListener("click", () => this.#toggle());
    const start = h("button", { type: "button", class: "button", title: "Home", on: { click: () => void this.#goTo(0) } }, "Start");
    const end = h("button", { type: "button", class: "button", title: "End", on: { click: () => void this.#toEnd() } }, "End");
    this.element = h("section", { class: "log", "aria-label": "Log of the job" },
      h("div", { class: "log-bar" }, this.#follow, start, end, this.#search.element, this.#wrap),
      this.#box, h("div", { class: "log-foot" }, this.#state, this.#place, this.#count));
    this.#count.addEventListener("click", () => void this.#countLines(true));
    // How high lines are is known only once they are laid out.
    const size = new ResizeObserver(() => this.#isAtEnd && this.#stick());
    size.observe(this.#blocks.element);
    signal.addEventListener("abort", () => size.disconnect(), { once: true });
    // Narrow windows show little of a long line.
    this.#setWrap((localStorage.getItem("pv.wrap") ?? String(innerWidth < 760)) === "true");
    void this.#toEnd();
  }

  element;
  #box;
  #search;
  #follow = h("button", { type: "button", class: "button follow" }, "Pause");
  #wrap = h("button", { type: "button", class: "button", "aria-pressed": "false" }, "Wrap");
  #state = h("span", { class: "log-state", role: "status" });
  #place = h("span", { class: "log-place" });
  #count = h("button", { type: "button", class: "quiet-button", hidden: true }, "Count lines");

  /** Tells it what became of the job. @param {import("../api/types.js").Job} job */
  setJob(job) {
    if (this.#isFinished || !isFinished(job)) return;
    this.#isFinished = true;
    // The stream says itself when everything is sent. Where it is held, there may be a last line to read.
    if (this.#mode === "held" || this.#mode === "none") void this.#readOn();
    this.#show();
  }

  /** @param {boolean} on */
  #setWrap(on) {
    this.#wrap.setAttribute("aria-pressed", String(on));
    this.#box.classList.toggle("wrap", on);
    localStorage.setItem("pv.wrap", String(on));
  }

  /** @param {Mode} mode @param {string} [why] */
  #set(mode, why = "") {
    this.#mode = mode;
    this.#why = why;
    this.#show();
  }

  #show() {
    /** @type {Record<Mode, string>} */
    const texts = {
      loading: "reading…", following: "following live", held: this.#isPaused ? "paused" : "holding still", over: "complete",
      none: this.#isFinished ? "this job left no log" : "no log yet: it begins when the agent does",
      broken: `${this.#why}; trying again`,
    };
    setText(this.#state, texts[this.#mode]);
    setAttr(this.#state, "data-mode", this.#mode);
    setAttr(this.element, "data-over", this.#isFinished ? "" : null);
    setText(this.#follow, this.#mode === "following" || this.#mode === "broken" ? "Pause" : "Follow");
    this.#follow.hidden = this.#isFinished && this.#mode !== "following";
    setText(this.#place, this.#mode === "none" || this.#mode === "loading" ? "" : this.#placeText());
    this.#count.hidden = this.#blocks.base !== null || this.#mode === "loading";
  }

  #placeText() {
    const { lastNumber, end } = this.#blocks;
    const size = Math.max(this.#source.size, end);
    const number = lastNumber?.toLocaleString();
    if (end < size) return `${number ? `up to line ${number}, ` : ""}${bytesText(end)} of ${bytesText(size)}`;
    return `${number ? `${number} ${lastNumber === 1 ? "line" : "lines"}, ` : ""}${bytesText(size)}`;
  }

  /** Begins anew with another window, and returns what ends that one. @param {number} at */
  #renew(at) {
    this.#window.abort();
    this.#window = new AbortController();
    this.#arrived = [];
    this.#blocks.clear(at);
    return this.#window.signal;
  }

  /** Shows the end, and follows it while there is more to come; unless it is overtaken by a wish to see another place. */
  async #toEnd() {
    this.#isPaused = false;
    this.#set("loading");
    const own = this.#renew(0);
    await this.#reading(own, async () => {
      const end = await this.#source.lastLineStart(this.#isFinished, own);
      const lines = await this.#source.before(end, own);
      own.throwIfAborted();
      this.#blocks.clear(lines[0]?.at ?? 0);
      this.#blocks.append(lines);
      await this.#fill(own);
      this.#stick();
    });
    if (own.aborted) return;
    if (this.#mode === "none" && this.#isFinished) return;
    if (this.#isFinished && this.#mode === "loading") this.#set("over");
    else if (!this.#isFinished) void this.#stream();
    void this.#countLines(false);
  }

  /** Reads further back where a window holds few lines, long ones: the box is to be full. @param {AbortSignal} own */
  async #fill(own) {
    for (let reads = 0; reads < MAX_FILL_READS && this.#blocks.start > 0; reads += 1) {
      if (this.#box.scrollHeight > this.#box.clientHeight + EDGE_PX) return;
      const lines = await this.#source.before(this.#blocks.start, own);
      own.throwIfAborted();
      this.#blocks.prepend(lines);
    }
  }

  /** Shows the line at an offset, and holds still. @param {number} at */
  async #goTo(at) {
    if (!this.#blocks.lineAt(at)) {
      this.#set("loading");
      const own = this.#renew(at);
      await this.#reading(own, async () => {
        const after = await this.#source.after(at, this.#isFinished, own);
        const before = await this.#source.before(at, own);
        own.throwIfAborted();
        this.#blocks.append(after);
        this.#blocks.prepend(before);
      });
      if (own.aborted) return;
      void this.#countLines(false);
    }
    this.#hold();
    for (const old of this.#blocks.element.querySelectorAll(".hit")) old.classList.remove("hit");
    const line = this.#blocks.lineAt(at);
    if (!line) return;
    if (at > 0) line.classList.add("hit");
    line.scrollIntoView({ block: at === 0 ? "start" : "center" });
    this.#lastTop = this.#box.scrollTop;
  }

  /** Reads for a window; what comes too late for it is dropped. @param {AbortSignal} own @param {() => Promise<void>} read */
  async #reading(own, read) {
    this.#readings += 1;
    try {
      await read();
    } catch (error) {
      if (isAborted(error) || own.aborted) return;
      if (error instanceof ApiError && error.status === 404) this.#set("none");
      else this.#set("broken", errorMessage(error));
    } finally {
      this.#readings -= 1;
    }
  }

  /** Follows from the last line on. What breaks is taken up again at the same byte. */
  async #stream() {
    this.#window.abort();
    this.#window = new AbortController();
    const { signal } = this.#window;
    if (this.#mode !== "none") this.#set("following");
    while (!signal.aborted) {
      await untilVisible();
      const stop = new AbortController();
      const unwatch = onHidden(() => stop.abort());
      try {
        const headers = { "Last-Event-ID": String(this.#arrivedEnd) };
        const response = await request(this.#path, { headers, signal: AbortSignal.any([signal, stop.signal]) });
        await readEvents(response, (events) => this.#arrive(events, signal), SILENCE_MS);
      } catch (error) {
        if (signal.aborted) return;
        if (stop.signal.aborted) continue;
        if (error instanceof ApiError && error.status === 404) return this.#set("none");
        this.#set("broken", errorMessage(error));
      } finally {
        unwatch();
      }
      if (this.#mode === "over" || signal.aborted) return;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** Where what has arrived ends: what waits to be drawn is not in the page yet. */
  get #arrivedEnd() {
    return this.#arrived.at(-1)?.next ?? this.#blocks.end;
  }

  /**
   * @param {import("../api/sse.js").ServerEvent[]} events
   * @param {AbortSignal} signal
   */
  #arrive(events, signal) {
    if (signal.aborted) return;
    const isIdle = this.#arrived.length === 0;
    let at = this.#arrivedEnd;
    let isEnd = false;
    for (const { event, data, id } of events) {
      if (event === "end") isEnd = true;
      else if (id !== null) {
        this.#arrived.push({ at, next: Number(id), text: data });
        at = Number(id);
      }
    }
    if (isEnd) {
      this.#isFinished = true;
      this.#draw();
      this.#set("over");
    } else if (isIdle && this.#arrived.length > 0) {
      if (document.hidden) this.#draw();
      else requestAnimationFrame(() => signal.aborted || this.#draw());
    }
  }

  #draw() {
    const lines = this.#arrived;
    this.#arrived = [];
    this.#blocks.append(lines);
    if (lines.length > 0) this.#source.size = Math.max(this.#source.size, this.#blocks.end);
    this.#stick();
    if (this.#mode !== "over") this.#set("following");
  }

  #stick() {
    this.#isAtEnd = true;
    this.#box.scrollTop = this.#box.scrollHeight;
    this.#lastTop = this.#box.scrollTop;
  }

  /** Holds still: ends the stream. What comes meanwhile is read when the reader gets there. */
  #hold() {
    this.#isAtEnd = false;
    if (this.#mode !== "following" && this.#mode !== "broken" && this.#mode !== "loading") return;
    if (this.#arrived.length > 0) this.#blocks.append(this.#arrived);
    this.#arrived = [];
    this.#window.abort();
    this.#window = new AbortController();
    this.#set(this.#isFinished && this.#blocks.end >= this.#source.size ? "over" : "held");
  }

  #toggle() {
    if (this.#mode === "following" || this.#mode === "broken") {
      this.#isPaused = true;
      this.#hold();
    } else void this.#toEnd();
  }

  /** @param {number} way  up, if below 0 */
  #wished(way) {
    const { scrollTop, scrollHeight, clientHeight } = this.#box;
    if (way < 0 && scrollTop > 0) this.#hold();
    if (way < 0 && scrollTop <= 0 && this.#blocks.start > 0 && this.#readings === 0) void this.#readBack();
    if (way >= 0 && this.#mode === "held" && scrollHeight - scrollTop - clientHeight < EDGE_PX) void this.#readOn();
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#box;
    const isUp = scrollTop < this.#lastTop - 2;
    this.#lastTop = scrollTop;
    const isAtBottom = scrollHeight - scrollTop - clientHeight < BOTTOM_PX;
    if (isUp && !isAtBottom) this.#isAtEnd = false;
    if (this.#mode === "following" && isUp && !isAtBottom) this.#hold();
    if (this.#readings > 0) return;
    if (scrollTop < EDGE_PX && this.#blocks.start > 0 && isUp) void this.#readBack();
    else if (this.#mode !== "following" && scrollHeight - scrollTop - clientHeight < EDGE_PX) void this.#readOn();
  }

  async #readBack() {
    const own = this.#window.signal;
    await this.#reading(own, async () => {
      const lines = await this.#source.before(this.#blocks.start, own);
      own.throwIfAborted();
      const height = this.#box.scrollHeight;
      const top = this.#box.scrollTop;
      // What is added above must not move what is read.
      this.#blocks.prepend(lines);
      this.#box.scrollTop = top + (this.#box.scrollHeight - height);
      this.#lastTop = this.#box.scrollTop;
    });
    this.#show();
  }

  async #readOn() {
    if (this.#readings > 0) return;
    const own = this.#window.signal;
    let isMore = false;
    await this.#reading(own, async () => {
      const lines = await this.#source.after(this.#blocks.end, this.#isFinished, own);
      own.throwIfAborted();
      isMore = lines.length > 0;
      if (!isMore) return;
      const anchor = this.#blocks.element.lastElementChild;
      const before = anchor?.getBoundingClientRect().top ?? 0;
      this.#blocks.append(lines);
      // Blocks that were dropped above must not move what is read.
      if (anchor?.isConnected) this.#box.scrollTop += anchor.getBoundingClientRect().top - before;
      this.#lastTop = this.#box.scrollTop;
      if (this.#mode === "none") this.#set("held");
    });
    if (own.aborted) return;
    if (isMore) return this.#show();
    const isAtBottom = this.#box.scrollHeight - this.#box.scrollTop - this.#box.clientHeight < BOTTOM_PX;
    if (this.#isFinished && this.#mode === "held") this.#set("over");
    else if (!this.#isFinished && !this.#isPaused && isAtBottom && this.#mode === "held") void this.#stream();
  }

  /** @param {boolean} isAsked */
  async #countLines(isAsked) {
    const { start } = this.#blocks;
    if (this.#blocks.base !== null || (!isAsked && start > COUNT_UNASKED_BYTES)) return;
    const progress = (/** @type {number} */ done) => setText(this.#count, `counting lines… ${Math.floor((done / start) * 100)} %`);
    try {
      const base = await this.#source.linesBefore(start, this.#signal, progress);
      // The window may have moved on meanwhile.
      const now = this.#blocks.start;
      if (this.#blocks.base === null) this.#blocks.setBase(now === start ? base : await this.#source.linesBefore(now, this.#signal));
    } catch (error) {
      if (!isAborted(error)) setText(this.#count, "Count lines");
    }
    this.#show();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key === "End") void this.#toEnd();
    else if (event.key === "Home") void this.#goTo(0);
    else if (event.key === "/" || (event.key === "f" && event.ctrlKey)) this.#search.focus();
    else {
      if (event.key === "ArrowUp" || event.key === "PageUp") this.#wished(-1);
      if (event.key === "ArrowDown" || event.key === "PageDown") this.#wished(1);
      return;
    }
    event.preventDefault();
  }
}
