// Parsing Markdown.
import assert from "node:assert/strict";
import { test } from "node:test";
import { splitFrontMatter, titleOf } from "../../../pv-http/ui/js/text/front_matter.js";
import { inline, parseMarkdown } from "../../../pv-http/ui/js/text/markdown.js";

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
  const inlines = (/** @type {string} */ source, /** @type {object[]} */ expected) => assert.deepEqual(inline(source), expected, source);
  inlines("a **b** *c* `d*` ~~e~~", [text("a "), { kind: "strong", children: [text("b")] }, text(" "), { kind: "em", children: [text("c")] }, text(" "),
    { kind: "code", text: "d*" }, text(" "), { kind: "del", children: [text("e")] }]);
  inlines("[site](https://a.b/c \"t\") and https://d.e/f.", [{ kind: "link", href: "https://a.b/c", children: [text("site")] }, text(" and "),
    { kind: "link", href: "https://d.e/f", children: [text("https://d.e/f")] }, text(".")]);
  inlines("snake_case_name and 2 * 3 * 4", [text("snake_case_name and 2 * 3 * 4")]);
  inlines("\\*not\\* <b>markup</b> &amp;", [text("*not* <b>markup</b> &amp;")]);
  inlines("``a ` b``", [{ kind: "code", text: "a ` b" }]);
});

test("edge cases of headings, code spans and breaks", () => {
  check("# C#\n\n## #\n\n#\n\n# a # b ##  ", [
    { kind: "heading", level: 1, children: [text("C#")] }, { kind: "heading", level: 2, children: [] }, { kind: "heading", level: 1, children: [] },
    { kind: "heading", level: 1, children: [text("a # b")] },
  ]);
  check("~~~ sh \n`a`\n~~~", [{ kind: "code", lang: "sh", text: "`a`" }]);
  assert.deepEqual(inline("` a ` and `   ` ```` `` ````  \nnext"), [
    { kind: "code", text: "a" }, text(" and "), { kind: "code", text: "   " }, text(" "), { kind: "code", text: "``" }, { kind: "break" }, text("next")]);
});

test("parsing takes linear time", () => {
  const wide = (/** @type {string} */ unit) => unit.repeat(Math.ceil(100_000 / unit.length));
  const runs = Array.from({ length: 400 }, (_, i) => `${"`".repeat(i + 1)}a`).join("");
  const hostile = [
    `# a${wide(" ")}b`, `# ${wide("# ")}b`, `#${wide(" ")}a\u2028b`, `-${wide(" ")}a\u2028b`, `- [x]${wide(" ")}a\u2028b`, wide("`"), runs,
    `|a|\n|-${wide(" ")}x`, `|a|\n${wide("-|")}x`, `|a|\n${wide("-")}x`, `~~~${wide(" ")}\``, `${wide("~")}\``, `-${wide(" ")}x`, `${wide("- ")}x`, `a${wide(" ")}b`,
    `[a](${wide(" ")}`, wide("[]("), wide("[](a \"b"), wide("**a "), wide("_a_ "), wide("\`a "), `\` ${wide("a")}\``, `https://a/${wide(".")}a`, wide("https://a/....,,,,"), wide("![]( "), wide("<https://"),
    wide("\ufeff---\n"), `---\n${wide("---x\n")}`, `---\npv:\n  title:${wide(" ")}\n---\n`, `---\n${wide(" \n")}---\n`, `# ${wide(" #")}a`,
  ];
  for (const source of hostile) {
    // CPU time of this process, so that a busy machine changes nothing; quadratic time would be many times as long.
    const before = process.cpuUsage();
    parseMarkdown(splitFrontMatter(source).body);
    titleOf(source);
    const { user } = process.cpuUsage(before);
    assert.ok(user < 1_500_000, `${JSON.stringify(source.slice(0, 20))}… took ${user / 1e6} s`);
  }
});

test("hostile text is parsed soon and stays text", () => {
  for (const hostile of ["*".repeat(50_000), "[".repeat(50_000), "`a".repeat(25_000), "> ".repeat(20_000), "- ".repeat(20_000), "_a".repeat(30_000), "![](".repeat(10_000), "|".repeat(50_000), `${"a ".repeat(50_000)}*`, "~~".repeat(30_000)]) {
    assert.ok(parseMarkdown(hostile).length >= 0);
  }
  check("<img src=x onerror=alert(1)>", [para("<img src=x onerror=alert(1)>")]);
});
