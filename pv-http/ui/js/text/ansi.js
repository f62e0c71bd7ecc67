/**
 * @file ANSI escape sequences in logs: SGR sequences become styles, all others are dropped, and remaining control
 * characters become visible. Pure.
 */

import { visible } from "./visible.js";

/**
 * How a run of text looks. Colours are 0 to 15, or `#rrggbb` for the rest of the palette.
 * @typedef {{fg: string | number | null, bg: string | number | null, bold: boolean, dim: boolean, italic: boolean,
 *     underline: boolean, inverse: boolean, strike: boolean}} Style
 */

/** @typedef {{text: string, style: Style}} Run */

/** @type {Style} */
export const PLAIN = Object.freeze({ fg: null, bg: null, bold: false, dim: false, italic: false, underline: false, inverse: false, strike: false });

/* CSI, then OSC and other strings (ended by BEL or ST, or cut short by the line's end), then two-character escapes. */
// eslint-disable-next-line no-control-regex
const SEQUENCE = /\x1b\[([0-?]*)[ -/]*([@-~])?|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?|\x9b([0-?]*)[ -/]*([@-~])?/g;

/**
 * Splits a line into runs of one style each, and returns them with the style in which the next line begins.
 * @param {string} line
 * @param {Style} [style]
 * @returns {{runs: Run[], style: Style}}
 */
export function parseAnsi(line, style = PLAIN) {
  /** @type {Run[]} */
  const runs = [];
  const add = (/** @type {string} */ raw) => {
    if (raw) runs.push({ text: visible(raw), style });
  };
  let from = 0;
  for (const match of line.matchAll(SEQUENCE)) {
    add(line.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[2] === "m" || match[4] === "m") style = applySgr(style, match[1] ?? match[3] ?? "");
  }
  add(line.slice(from));
  return { runs, style };
}

/**
 * Returns a line's text without escape sequences, as it is shown and searched.
 * @param {string} line
 */
export function plainText(line) {
  return visible(line.replace(SEQUENCE, ""));
}

/**
 * Returns what a terminal would show of a line with carriage returns: the text after the last one.
 * @param {string} line
 */
export function afterReturns(line) {
  if (!/[\r\n]/.test(line)) return line;
  return line.split(/[\r\n]+/).filter(Boolean).at(-1) ?? "";
}

/**
 * @param {Style} style
 * @param {string} params
 * @returns {Style}
 */
function applySgr(style, params) {
  const codes = params.split(/[;:]/).map((part) => Number(part || 0));
  let next = { ...style };
  for (let i = 0; i < codes.length; i += 1) {
    const code = codes[i] ?? 0;
    if (code === 0) next = { ...PLAIN };
    else if (code === 1) next.bold = true;
    else if (code === 2) next.dim = true;
    else if (code === 3) next.italic = true;
    else if (code === 4) next.underline = true;
    else if (code === 7) next.inverse = true;
    else if (code === 9) next.strike = true;
    else if (code === 22) next.bold = next.dim = false;
    else if (code === 23) next.italic = false;
    else if (code === 24) next.underline = false;
    else if (code === 27) next.inverse = false;
    else if (code === 29) next.strike = false;
    else if (code >= 30 && code <= 37) next.fg = code - 30;
    else if (code === 39) next.fg = null;
    else if (code >= 40 && code <= 47) next.bg = code - 40;
    else if (code === 49) next.bg = null;
    else if (code >= 90 && code <= 97) next.fg = code - 90 + 8;
    else if (code >= 100 && code <= 107) next.bg = code - 100 + 8;
    else if (code === 38 || code === 48) {
      const [colour, used] = extendedColour(codes.slice(i + 1));
      if (code === 38) next.fg = colour;
      else next.bg = colour;
      i += used;
    }
  }
  return next;
}

/**
 * Reads the parameters after 38 or 48, and returns the colour and how many it used.
 * @param {number[]} rest
 * @returns {[string | number | null, number]}
 */
function extendedColour(rest) {
  if (rest[0] === 5) return [palette(rest[1] ?? 0), 2];
  if (rest[0] === 2) return [hex(rest[1] ?? 0, rest[2] ?? 0, rest[3] ?? 0), 4];
  return [null, 0];
}

/** @param {number} index */
function palette(index) {
  if (index < 16) return Math.max(0, index);
  if (index > 255) return null;
  if (index >= 232) return hex(8 + (index - 232) * 10, 8 + (index - 232) * 10, 8 + (index - 232) * 10);
  const level = (/** @type {number} */ n) => (n === 0 ? 0 : 55 + n * 40);
  const cube = index - 16;
  return hex(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6));
}

/**
 * @param {number} r
 * @param {number} g
 * @param {number} b
 */
function hex(r, g, b) {
  const pair = (/** @type {number} */ n) => Math.min(255, Math.max(0, n)).toString(16).padStart(2, "0");
  return `#${pair(r)}${pair(g)}${pair(b)}`;
}
