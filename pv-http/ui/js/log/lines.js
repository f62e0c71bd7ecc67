/**
 * @file Splitting the bytes of a log into lines, each with its offsets in the file. Pure.
 */

import { afterReturns, plainText } from "../text/ansi.js";

/** The longest line that is shown, in characters. */
const MAX_LINE_CHARS = 8192;

/** A line: the offsets of its first byte and of the byte after its newline. @typedef {{start: number, end: number, text: string}} Line */

export const NEWLINE = 10;
const decoder = new TextDecoder();

/**
 * Splits bytes into lines.
 * @param {Uint8Array} bytes
 * @param {number} offset  of the first byte in the file
 * @param {{fromLineStart: boolean, toEnd: boolean}} edges  whether a line starts at the first byte; whether bytes without
 *     a newline at the end are a line too
 * @returns {Line[]}
 */
export function splitLines(bytes, offset, { fromLineStart, toEnd }) {
  /** @type {Line[]} */
  const lines = [];
  let start = 0;
  if (!fromLineStart) {
    const first = bytes.indexOf(NEWLINE);
    if (first < 0) return [];
    start = first + 1;
  }
  while (start < bytes.length) {
    const newline = bytes.indexOf(NEWLINE, start);
    if (newline < 0 && !toEnd) break;
    const end = newline < 0 ? bytes.length : newline + 1;
    const text = decoder.decode(bytes.subarray(start, newline < 0 ? bytes.length : newline));
    lines.push({ start: offset + start, end: offset + end, text });
    start = end;
  }
  return lines;
}

/**
 * Returns what is shown of a line: what a terminal would show of it, and at most `MAX_LINE_CHARS` of that.
 * @param {string} text
 */
export function displayText(text) {
  const line = afterReturns(text);
  if (line.length <= MAX_LINE_CHARS) return line;
  return `${line.slice(0, MAX_LINE_CHARS)}\x1b[0;7m … ${line.length - MAX_LINE_CHARS} more characters \x1b[0m`;
}

/**
 * Returns the ranges at which a query, in lower case, matches a line as it is shown.
 * @param {string} text
 * @param {string} query
 * @returns {[number, number][]}
 */
export function findMatches(text, query) {
  if (!query) return [];
  const plain = plainText(displayText(text)).toLowerCase();
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
