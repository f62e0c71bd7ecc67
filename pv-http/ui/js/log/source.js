/**
 * @file Reading a log by ranges of bytes: the lines after and before an offset, searching, counting lines. A log only
 * grows, so what was read of it stays valid.
 */

import { ApiError, LONG_TIMEOUT_MS, request } from "../api/client.js";
import { countNewlines, findMatches, NEWLINE, splitLines } from "./lines.js";

/** @typedef {import("./lines.js").Line} Line */

/** How much is read at once to be shown, in bytes. */
const WINDOW_BYTES = 64 * 1024;
/** A longer line is split, in bytes. */
const MAX_WINDOW_BYTES = 1024 * 1024;
/** How much is read at once to search or to count, in bytes. */
const SCAN_BYTES = 4 * 1024 * 1024;

/**
 * Returns, cheaply, whether a text may occur in a line of these bytes. False is certain; true, as for all bytes with escape
 * sequences other than colours, needs a full search.
 * @param {Uint8Array} bytes
 * @param {string} query  in lower case
 */
function mayContain(bytes, query) {
  const text = new TextDecoder().decode(bytes);
  // eslint-disable-next-line no-control-regex
  if (/\x1b[^[]|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]|[\u2400-\u2421\ufffd]/.test(text + query)) return true;
  // eslint-disable-next-line no-control-regex
  return text.replace(/\x1b\[[0-?]*[ -/]*[@-~]?/g, "").toLowerCase().includes(query);
}

export class LogSource {
  /** The size of the log as far as it is known, in bytes. */
  size = 0;
  /** Known line counts: how many lines precede an offset. @type {Map<number, number>} */
  #lineCounts = new Map([[0, 0]]);

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
   * Reads bytes; fewer, or none, where the log ends earlier.
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
      // The log is shorter.
      if (error instanceof ApiError && error.status === 416) return new Uint8Array();
      throw error;
    }
  }

  /**
   * Reads lines from an offset on at which a line starts.
   * @param {number} from
   * @param {boolean} isFinished  whether bytes without a newline at the end are a line too
   * @param {AbortSignal} [signal]
   * @returns {Promise<Line[]>}
   */
  async linesAfter(from, isFinished, signal) {
    for (let length = WINDOW_BYTES; ; length *= 4) {
      const bytes = await this.read(from, from + length, signal);
      const isAll = from + bytes.length >= this.size;
      const isCut = length >= MAX_WINDOW_BYTES;
      const lines = splitLines(bytes, from, { fromLineStart: true, toEnd: isCut || (isAll && isFinished) });
      if (lines.length > 0 || isAll) return lines;
    }
  }

  /**
   * Reads the lines up to an offset at which a line starts.
   * @param {number} to
   * @param {AbortSignal} [signal]
   * @returns {Promise<Line[]>}
   */
  async linesBefore(to, signal) {
    for (let length = WINDOW_BYTES; to > 0; length *= 4) {
      const from = Math.max(0, to - length);
      const bytes = await this.read(from, to, signal);
      const isCut = length >= MAX_WINDOW_BYTES;
      const lines = splitLines(bytes, from, { fromLineStart: from === 0 || isCut, toEnd: true });
      if (lines.length > 0 || from === 0) return lines;
    }
    return [];
  }

  /** Reads the size of the log. @param {AbortSignal} [signal] */
  async fetchSize(signal) {
    await this.read(0, 1, signal);
    return this.size;
  }

  /**
   * Returns where the last complete line ends; where the job has finished, where the log ends.
   * @param {boolean} isFinished
   * @param {AbortSignal} [signal]
   */
  async completeLinesEnd(isFinished, signal) {
    await this.fetchSize(signal);
    const tail = await this.linesBefore(this.size, signal);
    const last = tail.at(-1);
    if (!last) return 0;
    if (isFinished) return last.end;
    const bytes = await this.read(this.size - 1, this.size, signal);
    return bytes[0] === NEWLINE ? last.end : last.start;
  }

  /**
   * Counts the lines before an offset.
   * @param {number} offset
   * @param {AbortSignal} signal
   * @param {(done: number) => void} [progress]
   */
  async countLinesBefore(offset, signal, progress) {
    let at = 0;
    for (const known of this.#lineCounts.keys()) if (known <= offset && known > at) at = known;
    let count = this.#lineCounts.get(at) ?? 0;
    while (at < offset) {
      const bytes = await this.read(at, Math.min(offset, at + SCAN_BYTES), signal);
      if (bytes.length === 0) break;
      count += countNewlines(bytes);
      at += bytes.length;
      this.#lineCounts.set(at, count);
      progress?.(at);
    }
    return count;
  }

  /**
   * Finds the next line that contains a text, from an offset on to the end, or back to the start.
   * @param {string} query  in lower case
   * @param {number} from  where a line starts
   * @param {1 | -1} direction
   * @param {AbortSignal} signal
   * @param {(at: number) => void} progress
   * @returns {Promise<number | null>} where the line starts
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
      // Complete lines only: a line that is cut at an edge is read again with the next range, unless it is longer than one.
      const begin = direction > 0 || start === 0 ? 0 : bytes.indexOf(NEWLINE) + 1;
      const first = begin === bytes.length ? 0 : begin;
      const last = direction < 0 || isLast ? bytes.length : bytes.lastIndexOf(NEWLINE) + 1;
      const complete = bytes.subarray(first, last === 0 ? bytes.length : last);
      if (mayContain(complete, query)) {
        const lines = splitLines(complete, start + first, { fromLineStart: true, toEnd: true });
        const hits = direction > 0 ? lines : lines.reverse();
        const hit = hits.find((line) => findMatches(line.text, query).length > 0);
        if (hit) return hit.start;
      }
      if (direction > 0 ? isLast : start === 0) return null;
      at = direction > 0 ? start + first + complete.length : start + first;
    }
  }
}
