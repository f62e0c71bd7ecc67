/**
 * @file The lines of a log that are in the page: a run of blocks without a gap, of which the far end is dropped when
 * there are too many. Line numbers are counted by the style sheet, from each block's first number.
 */

import { h } from "../lib/dom.js";
import { parseAnsi, PLAIN } from "../text/ansi.js";
import { findIn, shownText } from "./lines.js";

/** @typedef {import("./lines.js").Line} Line */
/** @typedef {{element: HTMLElement, rows: HTMLElement, lines: Line[], style: import("../text/ansi.js").Style}} Block */

/** Lines in a block, and blocks that are kept. */
const BLOCK_LINES = 400;
const MAX_BLOCKS = 24;
/** How high a line is, in pixels, as long as it is not wrapped: as in log.css. */
const LINE_PX = 19;

const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

export class LogBlocks {
  /** @type {Block[]} */
  #blocks = [];
  /** How many lines stand before the first one; null while nobody knows. @type {number | null} */
  #base = 0;
  /** @type {string} */
  query = "";

  constructor() {
    this.element = h("div", { class: "log-blocks" });
  }

  /** The offsets of the first byte and of the byte after the last. */
  get start() {
    return this.#blocks[0]?.lines[0]?.at ?? this.#at;
  }
  get end() {
    return this.#blocks.at(-1)?.lines.at(-1)?.next ?? this.#at;
  }
  /** The number of the last line, if it is known. */
  get lastNumber() {
    return this.#base === null ? null : this.#base + this.#blocks.reduce((sum, block) => sum + block.lines.length, 0);
  }
  get base() {
    return this.#base;
  }
  #at = 0;

  /** Forgets all lines, to begin anew at an offset. @param {number} at */
  clear(at) {
    this.#at = at;
    this.#base = at === 0 ? 0 : null;
    this.#blocks = [];
    this.element.replaceChildren();
    this.#number();
  }

  /** Says how many lines stand before the first one. @param {number} base */
  setBase(base) {
    this.#base = base;
    this.#number();
  }

  /**
   * Adds lines at the end. Returns whether lines were dropped from the beginning.
   * @param {Line[]} lines
   */
  append(lines) {
    let last = this.#blocks.at(-1);
    for (let from = 0; from < lines.length; ) {
      if (!last || last.lines.length >= BLOCK_LINES) {
        const first = this.lastNumber;
        last = newBlock(last?.style ?? PLAIN);
        this.#blocks.push(last);
        this.element.append(last.element);
        setNumber(last, first);
      }
      const part = lines.slice(from, from + BLOCK_LINES - last.lines.length);
      from += part.length;
      const elements = [];
      for (const line of part) {
        const made = lineElement(line, last.style, this.query);
        last.style = made.style;
        elements.push(made.element);
      }
      last.lines.push(...part);
      last.rows.append(...elements);
      setHeight(last);
    }
    let isDropped = false;
    while (this.#blocks.length > MAX_BLOCKS) {
      const block = this.#blocks.shift();
      block?.element.remove();
      if (this.#base !== null) this.#base += block?.lines.length ?? 0;
      isDropped = true;
    }
    return isDropped;
  }

  /**
   * Adds lines at the beginning, and drops some from the end where there are too many.
   * @param {Line[]} lines
   */
  prepend(lines) {
    const made = [];
    for (let from = 0; from < lines.length; from += BLOCK_LINES) {
      const part = lines.slice(from, from + BLOCK_LINES);
      const block = newBlock(PLAIN);
      for (const line of part) {
        const row = lineElement(line, block.style, this.query);
        block.style = row.style;
        block.rows.append(row.element);
      }
      block.lines = part;
      setHeight(block);
      made.push(block);
    }
    this.#blocks.unshift(...made);
    this.element.prepend(...made.map(({ element }) => element));
    if (this.#base !== null) this.#base = Math.max(0, this.#base - lines.length);
    if (this.start === 0) this.#base = 0;
    while (this.#blocks.length > MAX_BLOCKS) this.#blocks.pop()?.element.remove();
    this.#number();
  }

  /**
   * Returns the element of the line that begins at an offset, if it is here.
   * @param {number} at
   */
  lineAt(at) {
    for (const { lines, rows } of this.#blocks) {
      const first = lines[0]?.at ?? 0;
      if (at < first || at >= (lines.at(-1)?.next ?? 0)) continue;
      const index = lines.findIndex((line) => line.at <= at && at < line.next);
      return /** @type {HTMLElement | undefined} */ (rows.children[index]);
    }
    return undefined;
  }

  /** Marks another text wherever it stands. @param {string} query  in lower case */
  mark(query) {
    const old = this.query;
    this.query = query;
    for (const block of this.#blocks) {
      let style = PLAIN;
      block.lines.forEach((line, i) => {
        const needs = findIn(line.text, old).length > 0 || findIn(line.text, query).length > 0;
        const before = style;
        style = parseAnsi(shownText(line.text), style).style;
        if (needs) block.rows.children[i]?.replaceWith(lineElement(line, before, query).element);
      });
    }
  }

  #number() {
    let first = this.#base;
    for (const block of this.#blocks) {
      setNumber(block, first);
      if (first !== null) first += block.lines.length;
    }
  }
}

/** @param {import("../text/ansi.js").Style} style @returns {Block} */
function newBlock(style) {
  // The rows stand in an element of their own: what is laid out only when seen has counters of its own.
  const rows = h("div", {});
  return { element: h("div", { class: "log-block" }, rows), rows, lines: [], style };
}

/** @param {Block} block @param {number | null} first */
function setNumber({ element, rows }, first) {
  element.classList.toggle("unnumbered", first === null);
  rows.style.counterReset = `line ${first ?? 0}`;
}

/** Says how high a block will be that has not been laid out yet. @param {Block} block */
function setHeight({ element, lines }) {
  element.style.containIntrinsicHeight = `auto ${lines.length * LINE_PX}px`;
}

/**
 * @param {Line} line
 * @param {import("../text/ansi.js").Style} style
 * @param {string} query
 */
function lineElement(line, style, query) {
  const element = h("div", { class: "log-line" });
  const parsed = parseAnsi(shownText(line.text), style);
  const marks = findIn(line.text, query);
  let at = 0;
  for (const run of parsed.runs) {
    let from = 0;
    for (const [start, end] of marks) {
      const [a, b] = [Math.max(start - at, from), Math.min(end - at, run.text.length)];
      if (b <= a) continue;
      element.append(...styled(run.text.slice(from, a), run.style), h("mark", {}, ...styled(run.text.slice(a, b), run.style)));
      from = b;
    }
    element.append(...styled(run.text.slice(from), run.style));
    at += run.text.length;
  }
  // An empty line has a height too.
  if (!element.firstChild) element.append("\u200b");
  return { element, style: parsed.style };
}

/**
 * @param {string} text
 * @param {import("../text/ansi.js").Style} style
 * @returns {(Node | string)[]}
 */
function styled(text, style) {
  if (!text) return [];
  if (style === PLAIN) return [text];
  const classes = /** @type {const} */ (["bold", "dim", "italic", "underline", "inverse", "strike"]).filter((name) => style[name]).map((name) => `a-${name}`);
  if (typeof style.fg === "number") classes.push(`fg-${style.fg >= 8 ? "bright-" : ""}${COLOURS[style.fg % 8]}`);
  if (typeof style.bg === "number") classes.push(`bg-${COLOURS[style.bg % 8]}`);
  const span = h("span", { class: classes.join(" ") }, text);
  if (typeof style.fg === "string") span.style.setProperty("--fg", style.fg);
  if (typeof style.bg === "string") span.style.setProperty("--bg", style.bg);
  if (typeof style.fg === "string") span.classList.add("fg-own");
  if (typeof style.bg === "string") span.classList.add("bg-own");
  return [span];
}
