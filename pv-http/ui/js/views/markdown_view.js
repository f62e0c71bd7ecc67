/**
 * @file Rendering a prompt: its front matter as source, its Markdown as elements. Links are http and https only; images are
 * shown as links; headings start below those of the page.
 */

import { externalLink, h } from "../lib/dom.js";
import { splitFrontMatter } from "../text/front_matter.js";
import { MAX_CHARS, parseMarkdown } from "../text/markdown.js";

/** @typedef {import("../text/markdown.js").Block} Block */
/** @typedef {import("../text/markdown.js").Inline} Inline */

/**
 * Renders a prompt.
 * @param {string} source
 */
export function markdownView(source) {
  if (source.length > MAX_CHARS) {
    return h("div", { class: "markdown" }, h("p", { class: "muted" }, "Too long to render; this is the source."), h("pre", { class: "source", tabindex: "0" }, source.slice(0, MAX_CHARS)));
  }
  const { front, body } = splitFrontMatter(source);
  return h("div", { class: "markdown" },
    front === null ? null : h("pre", { class: "front-matter", tabindex: "0", "aria-label": "Front matter" }, front),
    parseMarkdown(body).map(block));
}

/** @param {Block} node @returns {Node} */
function block(node) {
  switch (node.kind) {
    case "heading":
      return h(/** @type {"h2"} */ (`h${Math.min(6, node.level + 1)}`), { class: `md-h${node.level}` }, node.children.map(inline));
    case "para":
      return h("p", {}, node.children.map(inline));
    case "code":
      return h("pre", { class: "source", tabindex: "0" }, h("code", {}, node.text));
    case "quote":
      return h("blockquote", {}, node.blocks.map(block));
    case "rule":
      return h("hr", {});
    case "list":
      return h(node.ordered ? "ol" : "ul", node.ordered && node.start !== 1 ? { start: node.start } : {}, node.items.map(item));
    case "table":
      return h("div", { class: "md-table", tabindex: "0", role: "group", "aria-label": "Table" }, h("table", {},
        h("thead", {}, h("tr", {}, node.head.map((cell) => h("th", { scope: "col" }, cell.map(inline))))),
        h("tbody", {}, node.rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell.map(inline))))))));
  }
}

/** @param {{done: boolean | null, blocks: Block[]}} listItem */
function item({ done, blocks }) {
  const first = blocks[0];
  // A leading paragraph of an item is shown without an element of its own.
  const children = first?.kind === "para" ? [...first.children.map(inline), ...blocks.slice(1).map(block)] : blocks.map(block);
  if (done === null) return h("li", {}, children);
  return h("li", { class: "task" }, h("span", { class: "task-box", role: "img", "aria-label": done ? "done" : "open" }, done ? "☑" : "☐"), " ", children);
}

/** @param {Inline} node @returns {Node | string} */
function inline(node) {
  switch (node.kind) {
    case "text":
      return node.text;
    case "code":
      return h("code", {}, node.text);
    case "break":
      return h("br", {});
    case "link":
      return externalLink(node.href, ...node.children.map(inline));
    default:
      return h(node.kind, {}, node.children.map(inline));
  }
}
