/**
 * @file Following a log: an event stream of its lines, which resumes at the same byte whenever it breaks.
 */

import { ApiError, errorMessage, request } from "../api/client.js";
import { readEvents } from "../api/sse.js";
import { onHidden, untilVisible } from "../lib/page_visibility.js";

/** @typedef {import("./lines.js").Line} Line */

/** A stream is idle for at most this long: the API sends a comment every 15 s. */
const IDLE_TIMEOUT_MS = 40_000;
const RETRY_MS = 1000;

/**
 * @typedef {object} Handlers
 * @property {() => number} endOffset  where the lines that are already shown end
 * @property {(lines: Line[]) => void} onLines  called in an animation frame; at once while the page is hidden
 * @property {() => void} onOpen  the API has answered
 * @property {() => void} onEnd  the job has ended, and all lines have arrived
 * @property {() => void} onMissing  the job has no log, or none yet
 * @property {(message: string) => void} onError  the connection broke; it is retried
 */

export class LogStream {
  #path;
  #handlers;
  /** Lines that have arrived and wait for an animation frame. @type {Line[]} */
  #pending = [];
  #hasEnded = false;

  /**
   * @param {string} jobId
   * @param {Handlers} handlers
   */
  constructor(jobId, handlers) {
    this.#path = `/jobs/${encodeURIComponent(jobId)}/log/stream?end=1`;
    this.#handlers = handlers;
  }

  /** Streams until the log ends, there is none, or the signal aborts it. @param {AbortSignal} signal */
  async run(signal) {
    while (!signal.aborted) {
      await untilVisible();
      const hidden = new AbortController();
      const unwatch = onHidden(() => hidden.abort());
      try {
        const headers = { "Last-Event-ID": String(this.#endOffset) };
        const response = await request(this.#path, { headers, signal: AbortSignal.any([signal, hidden.signal]) });
        this.#handlers.onOpen();
        await readEvents(response, (events) => this.#receive(events, signal), IDLE_TIMEOUT_MS);
      } catch (error) {
        if (signal.aborted) return;
        if (hidden.signal.aborted) continue;
        if (error instanceof ApiError && error.status === 404) return this.#handlers.onMissing();
        this.#handlers.onError(errorMessage(error));
      } finally {
        unwatch();
      }
      if (this.#hasEnded || signal.aborted) return;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** Returns the lines that have arrived and were not passed to `onLines`, and forgets them. */
  takePending() {
    const lines = this.#pending;
    this.#pending = [];
    return lines;
  }

  get #endOffset() {
    return this.#pending.at(-1)?.end ?? this.#handlers.endOffset();
  }

  /**
   * @param {import("../api/sse.js").ServerEvent[]} events
   * @param {AbortSignal} signal
   */
  #receive(events, signal) {
    if (signal.aborted) return;
    const wasIdle = this.#pending.length === 0;
    let start = this.#endOffset;
    for (const { event, data, id } of events) {
      if (event === "end") this.#hasEnded = true;
      else if (id !== null) {
        this.#pending.push({ start, end: Number(id), text: data });
        start = Number(id);
      }
    }
    if (this.#hasEnded) {
      this.#flush();
      this.#handlers.onEnd();
    } else if (wasIdle && this.#pending.length > 0) {
      if (document.hidden) this.#flush();
      else requestAnimationFrame(() => signal.aborted || this.#flush());
    }
  }

  #flush() {
    const lines = this.takePending();
    if (lines.length > 0) this.#handlers.onLines(lines);
  }
}
