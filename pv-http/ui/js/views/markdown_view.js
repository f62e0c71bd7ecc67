/**
 * @file Markdown as elements, from the tree that markdown.js reads. Links lead out by http and https only; pictures are
 * links; headings begin below those of the page.
 */

import { externalLink, h } from "../lib/dom.js";
import { splitFrontMatter } from "../text/front_matter.js";
import { MAX_CHARS, parseMarkdown } from "../text/markdown.js";

/** @typedef {import("../text/markdown.js").Block} Block */
/** @typedef {import("../text/markdown.js").Inline} Inline */

/**
 * Shows a prompt: its front matter as it is written, its text as Markdown.
 * @param {string} source
 */
export function markdownView(source) {
  if (source.length > MAX_CHARS) {
    return h("div", { class: "markdown" }, h("p", { class: "muted" }, "Too long to be laid out; this is its source."), h("pre", { class: "source", tabindex: "0" }, source.slice(0, MAX_CHARS)));
  }
  const { front, body } = splitFrontMatter(source);
  return h("div", { class: "markdown" },
    front === null ? null : h("pre", { class: "front-matter", tabindex: "0", "aria-label": "Front matter" }, front),
    parseMarkdown(body).map(block));
}

/** @param {Block} of @returns {Node} */
function block(of) {
  switch (of.kind) {
    case "heading":
      return h(/** @type {"h2"} */ (`h${Math.min(6, of.level + 1)}`), { class: `md-h${of.level}` }, of.children.map(inline));
    case "para":
      return h("p", {}, of.children.map(inline));
    case "code":
      return h("pre", { class: "source", tabindex: "0" }, h("code", {}, of.text));
    case "quote":
      return h("blockquote", {}, of.blocks.map(block));
    case "rule":
      return h("hr", {});
    case "list":
      return h(of.ordered ? "ol" : "ul", of.ordered && of.start !== 1 ? { start: of.start } : {}, of.items.map(item));
    case "table":
      return h("div", { class: "md-table", tabindex: "0", role: "group", "aria-label": "Table" }, h("table", {},
        h("thead", {}, h("tr", {}, of.head.map((cell) => h("th", { scope: "col" }, cell.map(inline))))),
        h("tbody", {}, of.rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell.map(inline))))))));
  }
}

/** @param {{done: boolean | null, blocks: Block[]}} of */
function item({ done, blocks }) {
  const first = blocks[0];
  // One paragraph in an item is just its text.
  const children = first?.kind === "para" ? [...first.children.map(inline), ...blocks.slice(1).map(block)] : blocks.map(block);
  if (done === null) return h("li", {}, children);
  return h("li", { class: "task" }, h("span", { class: "task-box", role: "img", "aria-label": done ? "done" : "open" }, done ? "☑" : "☐"), " ", children);
}

/** @param {Inline} of @returns {Node | string} */
function inline(of) {
  switch (of.kind) {
    case "text":
      return of.text;
    case "code":
      return h("code", {}, of.text);
    case "break":
      return h("br", {});
    case "link":
      return externalLink(of.href, ...of.children.map(inline));
    default:
      return h(of.kind, {}, of.children.map(inline));
  }
}
