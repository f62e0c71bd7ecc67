/**
 * @file Server-sent events over fetch, since an EventSource cannot send a token.
 *
 * The parser takes bytes as they arrive, cut anywhere. Callers resume with the id of the last complete event, so that
 * nothing is lost or repeated where a connection breaks.
 */

/** The longest event that is kept, in characters; the rest is dropped, and marked. */
const MAX_EVENT_CHARS = 4 << 20;
const TRUNCATION_MARK = " … (the rest of this line is too long to show)";

/** @typedef {{event: string, data: string, id: string | null}} ServerEvent */

/** Parses a stream of bytes into events. */
export class EventParser {
  #decoder = new TextDecoder();
  #rest = "";
  /** @type {string[]} */
  #data = [];
  #chars = 0;
  #event = "";
  /** @type {string | null} */
  #id = null;

  /**
   * Parses bytes, and returns the events that they complete.
   * @param {Uint8Array} bytes
   * @returns {ServerEvent[]}
   */
  push(bytes) {
    const text = this.#rest + this.#decoder.decode(bytes, { stream: true });
    const events = /** @type {ServerEvent[]} */ ([]);
    let from = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
      this.#line(text.slice(from, text[end - 1] === "\r" && end > from ? end - 1 : end), events);
      from = end + 1;
    }
    this.#rest = text.slice(from);
    if (this.#rest.length > MAX_EVENT_CHARS) this.#rest = this.#rest.slice(0, MAX_EVENT_CHARS) + TRUNCATION_MARK;
    return events;
  }

  /**
   * @param {string} line
   * @param {ServerEvent[]} events
   */
  #line(line, events) {
    if (line === "") {
      if (this.#data.length > 0) events.push({ event: this.#event || "message", data: this.#data.join("\n"), id: this.#id });
      this.#data = [];
      this.#chars = 0;
      this.#event = "";
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") {
      this.#chars += value.length;
      if (this.#chars <= MAX_EVENT_CHARS) this.#data.push(value);
    } else if (field === "event") this.#event = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
  }
}

/**
 * Reads events from a response. Resolves at the end of the stream; rejects when it breaks, or when nothing at all, not
 * even a comment, arrives for `idleTimeoutMs`.
 * @param {Response} response
 * @param {(events: ServerEvent[]) => void} onEvents
 * @param {number} idleTimeoutMs
 */
export async function readEvents(response, onEvents, idleTimeoutMs) {
  if (!response.body) return;
  const reader = response.body.getReader();
  const parser = new EventParser();
  let lastReceived = Date.now();
  const watchdog = setInterval(() => {
    if (Date.now() - lastReceived > idleTimeoutMs) void reader.cancel(new Error("the event stream timed out"));
  }, 1000);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        if (Date.now() - lastReceived > idleTimeoutMs) throw new Error("the event stream timed out");
        return;
      }
      lastReceived = Date.now();
      const events = parser.push(value);
      if (events.length > 0) onEvents(events);
    }
  } finally {
    clearInterval(watchdog);
    reader.cancel().catch(() => {});
  }
}
