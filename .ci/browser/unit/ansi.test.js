// Parsing ANSI escape sequences in logs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { afterReturns, parseAnsi, plainText } from "../../../pv-http/ui/js/text/ansi.js";

/** @param {string} line @param {[string, object][]} expected */
function check(line, expected) {
  const runs = parseAnsi(line).runs.map(({ text, style }) => {
    const set = Object.entries(style).filter(([, value]) => value !== false && value !== null);
    return [text, Object.fromEntries(set)];
  });
  assert.deepEqual(runs, expected, JSON.stringify(line));
}

test("colours become styles", () => {
  check("plain", [["plain", {}]]);
  check("\x1b[31mred\x1b[0m on", [["red", { fg: 1 }], [" on", {}]]);
  check("\x1b[1;92mok\x1b[22m go", [["ok", { bold: true, fg: 10 }], [" go", { fg: 10 }]]);
  check("\x1b[38;5;196mcube\x1b[48;2;1;2;3mown", [["cube", { fg: "#ff0000" }], ["own", { fg: "#ff0000", bg: "#010203" }]]);
  check("\x1b[38;5;9mlow\x1b[39;4mline", [["low", { fg: 9 }], ["line", { underline: true }]]);
  check("\x1b[mreset", [["reset", {}]]);
});

test("a style continues in the next line", () => {
  const { style } = parseAnsi("\x1b[33mbegin");
  assert.equal(parseAnsi("rest", style).runs[0]?.style.fg, 3);
});

test("other sequences are dropped, and remaining control characters are visible", () => {
  check("\x1b[2J\x1b[10;10Hx\x1b]0;title\x07y\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", [["x", {}], ["y", {}], ["link", {}]]);
  check("bel\x07 nul\x00 del\x7f", [["bel\u2407 nul\u2400 del\u2421", {}]]);
  check("a\u202eb\u2066c", [["a\ufffdb\ufffdc", {}]]);
  check("a\u061cb\u200bc\u200dd\u2028e\u2060f\ufeffg", [["a\ufffdb\ufffdc\ufffdd\ufffde\ufffdf\ufffdg", {}]]);
  check("cut \x1b[3", [["cut ", {}]]);
  check("\x1b]0;never ended", []);
  check("<script>alert(1)</script>", [["<script>alert(1)</script>", {}]]);
});

test("invalid parameters are ignored", () => {
  check(`\x1b[${"9".repeat(5000)}mx`, [["x", {}]]);
  check("\x1b[38;5;999mx\x1b[38;2mx", [["x", {}], ["x", { fg: "#000000" }]]);
});

test("the plain text of a line is what is shown of it", () => {
  assert.equal(plainText("\x1b[31ma\x1b[0mb\x07"), "ab\u2407");
  assert.equal(afterReturns("10%\r50%\r100%"), "100%");
  assert.equal(afterReturns("done\r"), "done");
  assert.equal(afterReturns("as it is"), "as it is");
});
