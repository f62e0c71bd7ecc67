/**
 * @file Server-sent events over fetch: a fetch can carry a token, an EventSource cannot.
 *
 * The parser takes bytes as they arrive, cut anywhere. The reader resumes with the id of the last event that arrived
 * whole, so that nothing is lost or doubled where a connection breaks.
 */

/** The longest event that is held, in characters; what is beyond is dropped, and marked. */
const MAX_EVENT_CHARS = 4 << 20;
const CUT_MARK = " … (the rest of this line is too long to show)";

/** @typedef {{event: string, data: string, id: string | null}} ServerEvent */

/** Cuts a stream of bytes into events. */
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
   * Takes in bytes and returns the events that they complete.
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
    if (this.#rest.length > MAX_EVENT_CHARS) this.#rest = this.#rest.slice(0, MAX_EVENT_CHARS) + CUT_MARK;
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
 * Reads events from an answer until it ends. Returns normally at the end of the stream; throws when it breaks, or when
 * nothing at all, not even a comment, arrives for `silenceMs`.
 * @param {Response} response
 * @param {(events: ServerEvent[]) => void} take
 * @param {number} silenceMs
 */
export async function readEvents(response, take, silenceMs) {
  if (!response.body) return;
  const reader = response.body.getReader();
  const parser = new EventParser();
  let heard = Date.now();
  const watch = setInterval(() => {
    if (Date.now() - heard > silenceMs) void reader.cancel(new Error("the stream fell silent"));
  }, 1000);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        if (Date.now() - heard > silenceMs) throw new Error("the stream fell silent");
        return;
      }
      heard = Date.now();
      const events = parser.push(value);
      if (events.length > 0) take(events);
    }
  } finally {
    clearInterval(watch);
    reader.cancel().catch(() => {});
  }
}
