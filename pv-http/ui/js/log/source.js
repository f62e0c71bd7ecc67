/**
 * @file Reading a log by windows of bytes: at a place, before it, to find a text, to count lines. A log only ever grows,
 * so what was read of it stays true.
 */

import { ApiError, LONG_TIMEOUT_MS, request } from "../api/client.js";
import { countNewlines, cutLines, findIn } from "./lines.js";

/** @typedef {import("./lines.js").Line} Line */

/** How much is read to be shown, in bytes. */
export const WINDOW_BYTES = 64 * 1024;
/** A line that is longer than this is cut in two. */
const MAX_WINDOW_BYTES = 1024 * 1024;
/** How much is read at once to search or to count. */
const SCAN_BYTES = 4 * 1024 * 1024;
const NEWLINE = 10;

/**
 * Tells whether a text can stand in a line of these bytes, cheaply: colours may stand within it, other sequences may hide
 * anything, and are left to a closer look.
 * @param {Uint8Array} bytes
 * @param {string} query  in lower case
 */
function mayHold(bytes, query) {
  const text = new TextDecoder().decode(bytes);
  // eslint-disable-next-line no-control-regex
  if (/\x1b[^[]|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]|[\u2400-\u2421\ufffd]/.test(text + query)) return true;
  // eslint-disable-next-line no-control-regex
  return text.replace(/\x1b\[[0-?]*[ -/]*[@-~]?/g, "").toLowerCase().includes(query);
}

export class LogSource {
  /** How long the log is, as far as is known. */
  size = 0;
  /** Line counts that are known: at an offset stand so many lines before it. @type {Map<number, number>} */
  #counts = new Map([[0, 0]]);

  /**
   * @param {string} jobId
   * @param {AbortSignal} signal
   */
  constructor(jobId, signal) {
    this.#path = `/jobs/${encodeURIComponent(jobId)}/log`;
    this.#signal = signal;
  }

  #path;
  #signal;

  /**
   * Reads bytes; fewer, or none, where the log ends before.
   * @param {number} from
   * @param {number} to
   * @param {AbortSignal} [signal]
   * @returns {Promise<Uint8Array>}
   */
  async read(from, to, signal = this.#signal) {
    try {
      const headers = { Range: `bytes=${from}-${to - 1}` };
      const response = await request(this.#path, { headers, timeoutMs: LONG_TIMEOUT_MS, signal });
      const size = /\/(\d+)$/.exec(response.headers.get("Content-Range") ?? "")?.[1];
      const bytes = new Uint8Array(await response.arrayBuffer());
      this.size = Math.max(this.size, size === undefined ? from + bytes.length : Number(size));
      return bytes;
    } catch (error) {
      // Nothing stands there yet.
      if (error instanceof ApiError && error.status === 416) return new Uint8Array();
      throw error;
    }
  }

  /**
   * Reads the lines that follow an offset at which a line begins.
   * @param {number} from
   * @param {boolean} isFinished  whether what has no newline at the end is a line too
   * @param {AbortSignal} [signal]
   * @returns {Promise<Line[]>}
   */
  async after(from, isFinished, signal) {
    for (let length = WINDOW_BYTES; ; length *= 4) {
      const bytes = await this.read(from, from + length, signal);
      const isAll = from + bytes.length >= this.size;
      const isCut = length >= MAX_WINDOW_BYTES;
      const lines = cutLines(bytes, from, { fromLineStart: true, toEnd: isCut || (isAll && isFinished) });
      if (lines.length > 0 || isAll) return lines;
    }
  }

  /**
   * Reads the lines that end at an offset at which a line begins.
   * @param {number} to
   * @param {AbortSignal} [signal]
   * @returns {Promise<Line[]>}
   */
  async before(to, signal) {
    for (let length = WINDOW_BYTES; to > 0; length *= 4) {
      const from = Math.max(0, to - length);
      const bytes = await this.read(from, to, signal);
      const isCut = length >= MAX_WINDOW_BYTES;
      const lines = cutLines(bytes, from, { fromLineStart: from === 0 || isCut, toEnd: true });
      if (lines.length > 0 || from === 0) return lines;
    }
    return [];
  }

  /** Asks how long the log is. @param {AbortSignal} [signal] */
  async measure(signal) {
    await this.read(0, 1, signal);
    return this.size;
  }

  /**
   * Returns the beginning of the last line that is whole.
   * @param {boolean} isFinished
   * @param {AbortSignal} [signal]
   */
  async lastLineStart(isFinished, signal) {
    await this.measure(signal);
    const tail = await this.before(this.size, signal);
    const last = tail.at(-1);
    if (!last) return 0;
    if (isFinished) return last.next;
    const bytes = await this.read(this.size - 1, this.size, signal);
    return bytes[0] === 10 ? last.next : last.at;
  }

  /**
   * Returns how many lines stand before an offset.
   * @param {number} offset
   * @param {AbortSignal} signal
   * @param {(done: number) => void} [progress]
   */
  async linesBefore(offset, signal, progress) {
    let at = 0;
    for (const known of this.#counts.keys()) if (known <= offset && known > at) at = known;
    let count = this.#counts.get(at) ?? 0;
    while (at < offset) {
      const bytes = await this.read(at, Math.min(offset, at + SCAN_BYTES), signal);
      if (bytes.length === 0) break;
      count += countNewlines(bytes);
      at += bytes.length;
      this.#counts.set(at, count);
      progress?.(at);
    }
    return count;
  }

  /**
   * Finds the next line that holds a text, from an offset on to the end, or back to the beginning.
   * @param {string} query  in lower case
   * @param {number} from  where a line begins
   * @param {1 | -1} direction
   * @param {AbortSignal} signal
   * @param {(at: number) => void} progress
   * @returns {Promise<number | null>} where the line begins
   */
  async find(query, from, direction, signal, progress) {
    let at = from;
    for (;;) {
      progress(at);
      const start = direction > 0 ? at : Math.max(0, at - SCAN_BYTES);
      const end = direction > 0 ? at + SCAN_BYTES : at;
      if (end <= start) return null;
      const bytes = await this.read(start, end, signal);
      if (bytes.length === 0) return null;
      const isLast = start + bytes.length >= this.size;
      // Whole lines only: what is cut at an edge is read again with the next window, unless it is longer than that.
      const begin = direction > 0 || start === 0 ? 0 : bytes.indexOf(NEWLINE) + 1;
      const first = begin === bytes.length ? 0 : begin;
      const last = direction < 0 || isLast ? bytes.length : bytes.lastIndexOf(NEWLINE) + 1;
      const whole = bytes.subarray(first, last === 0 ? bytes.length : last);
      if (mayHold(whole, query)) {
        const lines = cutLines(whole, start + first, { fromLineStart: true, toEnd: true });
        const hits = direction > 0 ? lines : lines.reverse();
        const hit = hits.find((line) => findIn(line.text, query).length > 0);
        if (hit) return hit.at;
      }
      if (direction > 0 ? isLast : start === 0) return null;
      at = direction > 0 ? start + first + whole.length : start + first;
    }
  }
}
