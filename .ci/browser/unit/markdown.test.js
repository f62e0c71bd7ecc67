// Markdown as a tree.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inline, parseMarkdown } from "../../../pv-http/ui/js/markdown.js";

/** @param {string} source @param {object[]} expected */
function check(source, expected) {
  assert.deepEqual(parseMarkdown(source), expected, JSON.stringify(source));
}
const text = (/** @type {string} */ plain) => ({ kind: "text", text: plain });
const para = (/** @type {string} */ plain) => ({ kind: "para", children: [text(plain)] });

test("blocks", () => {
  check("# One\n\n## Two ##\ntext\nmore", [
    { kind: "heading", level: 1, children: [text("One")] },
    { kind: "heading", level: 2, children: [text("Two")] },
    para("text\nmore"),
  ]);
  check("```js\nlet a = `x`;\n\n# no heading\n```\nafter", [{ kind: "code", lang: "js", text: "let a = `x`;\n\n# no heading" }, para("after")]);
  check("```\nnever closed", [{ kind: "code", lang: "", text: "never closed" }]);
  check("> quoted\n> more\n\n---", [{ kind: "quote", blocks: [para("quoted\nmore")] }, { kind: "rule" }]);
  check("    indented\n    code", [{ kind: "code", lang: "", text: "indented\ncode" }]);
  check("| a | b |\n|---|:-:|\n| 1 | 2 |", [{ kind: "table", head: [[text("a")], [text("b")]], rows: [[[text("1")], [text("2")]]] }]);
  check("#no heading", [para("#no heading")]);
  check("", []);
});

test("lists", () => {
  const item = (/** @type {string} */ plain, /** @type {boolean | null} */ done = null) => ({ done, blocks: [para(plain)] });
  check("- a\n- b\n\n- c", [{ kind: "list", ordered: false, start: 1, items: [item("a"), item("b"), item("c")] }]);
  check("3. a\n4. b", [{ kind: "list", ordered: true, start: 3, items: [item("a"), item("b")] }]);
  check("- [x] done\n- [ ] open", [{ kind: "list", ordered: false, start: 1, items: [item("done", true), item("open", false)] }]);
  check("- a\n  - b\n- c", [{ kind: "list", ordered: false, start: 1, items: [
    { done: null, blocks: [para("a"), { kind: "list", ordered: false, start: 1, items: [item("b")] }] }, item("c"),
  ] }]);
});

test("within a line", () => {
  const says = (/** @type {string} */ source, /** @type {object[]} */ expected) => assert.deepEqual(inline(source), expected, source);
  says("a **b** *c* `d*` ~~e~~", [text("a "), { kind: "strong", children: [text("b")] }, text(" "), { kind: "em", children: [text("c")] }, text(" "),
    { kind: "code", text: "d*" }, text(" "), { kind: "del", children: [text("e")] }]);
  says("[site](https://a.b/c \"t\") and https://d.e/f.", [{ kind: "link", href: "https://a.b/c", children: [text("site")] }, text(" and "),
    { kind: "link", href: "https://d.e/f", children: [text("https://d.e/f")] }, text(".")]);
  says("snake_case_name and 2 * 3 * 4", [text("snake_case_name and 2 * 3 * 4")]);
  says("\\*not\\* <b>markup</b> &amp;", [text("*not* <b>markup</b> &amp;")]);
  says("``a ` b``", [{ kind: "code", text: "a ` b" }]);
});

test("hostile text ends soon and stays text", () => {
  for (const hostile of ["*".repeat(50_000), "[".repeat(50_000), "`a".repeat(25_000), "> ".repeat(20_000), "- ".repeat(20_000), "_a".repeat(30_000), "![](".repeat(10_000), "|".repeat(50_000), `${"a ".repeat(50_000)}*`, "~~".repeat(30_000)]) {
    assert.ok(parseMarkdown(hostile).length >= 0);
  }
  check("<img src=x onerror=alert(1)>", [para("<img src=x onerror=alert(1)>")]);
});
