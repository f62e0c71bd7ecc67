/**
 * @file The lines of a log that are in the page: contiguous blocks of lines, dropped at the far end when there are too
 * many. A CSS counter numbers the lines, from the first number of each block on.
 */

import { h } from "../lib/dom.js";
import { parseAnsi, PLAIN } from "../text/ansi.js";
import { displayText, findMatches } from "./lines.js";

/** @typedef {import("./lines.js").Line} Line */
/** @typedef {{element: HTMLElement, rows: HTMLElement, lines: Line[], style: import("../text/ansi.js").Style}} Block */

/** Lines in a block, and blocks in the page. */
const BLOCK_LINES = 400;
const MAX_BLOCKS = 24;
/** The height of a line that is not wrapped, in pixels: the same as in log.css. */
const LINE_PX = 19;

const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

export class LogBlocks {
  /** @type {Block[]} */
  #blocks = [];
  /** How many lines precede the first one; null while that is unknown. @type {number | null} */
  #precedingLines = 0;
  /** @type {string} */
  query = "";

  constructor() {
    this.element = h("div", { class: "log-blocks" });
  }

  /** The offsets of the first byte and of the byte after the last. */
  get start() {
    return this.#blocks[0]?.lines[0]?.start ?? this.#offset;
  }
  get end() {
    return this.#blocks.at(-1)?.lines.at(-1)?.end ?? this.#offset;
  }
  /** The number of the last line, if it is known. */
  get lastNumber() {
    return this.#precedingLines === null ? null : this.#precedingLines + this.#blocks.reduce((sum, block) => sum + block.lines.length, 0);
  }
  get precedingLines() {
    return this.#precedingLines;
  }
  #offset = 0;

  /** Removes all lines, to start at an offset. @param {number} offset */
  clear(offset) {
    this.#offset = offset;
    this.#precedingLines = offset === 0 ? 0 : null;
    this.#blocks = [];
    this.element.replaceChildren();
    this.#renumber();
  }

  /** Sets how many lines precede the first one. @param {number} count */
  setPrecedingLines(count) {
    this.#precedingLines = count;
    this.#renumber();
  }

  /**
   * Adds lines at the end, and drops some from the start where there are too many. Lines that are there already, read
   * twice at the same time, are ignored.
   * @param {Line[]} added
   */
  append(added) {
    const lines = added.filter(({ start }) => start >= this.end);
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
        const created = lineElement(line, last.style, this.query);
        last.style = created.style;
        elements.push(created.element);
      }
      last.lines.push(...part);
      last.rows.append(...elements);
      setHeight(last);
    }
    while (this.#blocks.length > MAX_BLOCKS) {
      const block = this.#blocks.shift();
      block?.element.remove();
      if (this.#precedingLines !== null) this.#precedingLines += block?.lines.length ?? 0;
    }
  }

  /**
   * Adds lines at the start, and drops some from the end where there are too many.
   * @param {Line[]} lines
   */
  prepend(lines) {
    const created = [];
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
      created.push(block);
    }
    this.#blocks.unshift(...created);
    this.element.prepend(...created.map(({ element }) => element));
    if (this.#precedingLines !== null) this.#precedingLines = Math.max(0, this.#precedingLines - lines.length);
    if (this.start === 0) this.#precedingLines = 0;
    while (this.#blocks.length > MAX_BLOCKS) this.#blocks.pop()?.element.remove();
    this.#renumber();
  }

  /**
   * Returns the element of the line at an offset, if it is here.
   * @param {number} offset
   */
  lineAt(offset) {
    for (const { lines, rows } of this.#blocks) {
      const first = lines[0]?.start ?? 0;
      if (offset < first || offset >= (lines.at(-1)?.end ?? 0)) continue;
      const index = lines.findIndex((line) => line.start <= offset && offset < line.end);
      return /** @type {HTMLElement | undefined} */ (rows.children[index]);
    }
    return undefined;
  }

  /** Highlights all matches of a query. @param {string} query  in lower case */
  highlight(query) {
    const old = this.query;
    this.query = query;
    for (const block of this.#blocks) {
      let style = PLAIN;
      block.lines.forEach((line, i) => {
        const needs = findMatches(line.text, old).length > 0 || findMatches(line.text, query).length > 0;
        const before = style;
        style = parseAnsi(displayText(line.text), style).style;
        if (needs) block.rows.children[i]?.replaceWith(lineElement(line, before, query).element);
      });
    }
  }

  #renumber() {
    let first = this.#precedingLines;
    for (const block of this.#blocks) {
      setNumber(block, first);
      if (first !== null) first += block.lines.length;
    }
  }
}

/** @param {import("../text/ansi.js").Style} style @returns {Block} */
function newBlock(style) {
  // The rows have an element of their own, because `content-visibility` gives the block counters of its own.
  const rows = h("div", {});
  return { element: h("div", { class: "log-block" }, rows), rows, lines: [], style };
}

/** @param {Block} block @param {number | null} first */
function setNumber({ element, rows }, first) {
  element.classList.toggle("unnumbered", first === null);
  rows.style.counterReset = `line ${first ?? 0}`;
}

/** Estimates the height of a block that has not been laid out yet. @param {Block} block */
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
  const parsed = parseAnsi(displayText(line.text), style);
  const matches = findMatches(line.text, query);
  let at = 0;
  for (const run of parsed.runs) {
    let from = 0;
    for (const [start, end] of matches) {
      const [a, b] = [Math.max(start - at, from), Math.min(end - at, run.text.length)];
      if (b <= a) continue;
      element.append(...styled(run.text.slice(from, a), run.style), h("mark", {}, ...styled(run.text.slice(a, b), run.style)));
      from = b;
    }
    element.append(...styled(run.text.slice(from), run.style));
    at += run.text.length;
  }
  // Gives an empty line its height.
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
  if (typeof style.fg === "string") span.classList.add("fg-custom");
  if (typeof style.bg === "string") span.classList.add("bg-custom");
  return [span];
}
