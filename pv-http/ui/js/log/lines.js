/**
 * @file Cutting the bytes of a log into lines, each with its place in the file. Pure.
 */

import { afterReturns, plainText } from "../text/ansi.js";

/** The longest line that is shown, in characters. */
export const MAX_LINE_CHARS = 8192;

/** A line: the offsets of its first byte and of the line after it. @typedef {{at: number, next: number, text: string}} Line */

const NEWLINE = 10;
const decoder = new TextDecoder();

/**
 * Cuts bytes into lines.
 * @param {Uint8Array} bytes
 * @param {number} offset  of the first byte in the file
 * @param {{fromLineStart: boolean, toEnd: boolean}} edges  whether a line begins at the first byte; whether what has no
 *     newline at the end is a line all the same
 * @returns {Line[]}
 */
export function cutLines(bytes, offset, { fromLineStart, toEnd }) {
  /** @type {Line[]} */
  const lines = [];
  let from = 0;
  if (!fromLineStart) {
    const first = bytes.indexOf(NEWLINE);
    if (first < 0) return [];
    from = first + 1;
  }
  while (from < bytes.length) {
    const end = bytes.indexOf(NEWLINE, from);
    if (end < 0 && !toEnd) break;
    const next = end < 0 ? bytes.length : end + 1;
    const text = decoder.decode(bytes.subarray(from, end < 0 ? bytes.length : end));
    lines.push({ at: offset + from, next: offset + next, text });
    from = next;
  }
  return lines;
}

/**
 * Returns what is shown of a line: what a terminal would leave of it, and no more than is bearable.
 * @param {string} text
 */
export function shownText(text) {
  const line = afterReturns(text);
  if (line.length <= MAX_LINE_CHARS) return line;
  return `${line.slice(0, MAX_LINE_CHARS)}\x1b[0;7m … ${line.length - MAX_LINE_CHARS} more characters \x1b[0m`;
}

/**
 * Returns where a query, in lower case, stands in a line as it is shown.
 * @param {string} text
 * @param {string} query
 * @returns {[number, number][]}
 */
export function findIn(text, query) {
  if (!query) return [];
  const plain = plainText(shownText(text)).toLowerCase();
  /** @type {[number, number][]} */
  const found = [];
  for (let at = plain.indexOf(query); at >= 0; at = plain.indexOf(query, at + query.length)) found.push([at, at + query.length]);
  return found;
}

/** @param {Uint8Array} bytes */
export function countNewlines(bytes) {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}
