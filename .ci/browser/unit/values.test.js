// Pure functions: times, filters, statistics, the timeline, addresses, front matter, and the lines of logs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { byAgent, countByState, median } from "../../../pv-http/ui/js/views/dashboard/statistics.js";
import { layoutTimeline } from "../../../pv-http/ui/js/views/dashboard/timeline_layout.js";
import { isFiltered, matcher, readFilters, writeFilters } from "../../../pv-http/ui/js/views/dashboard/filters.js";
import { splitFrontMatter, titleOf, withSettings } from "../../../pv-http/ui/js/text/front_matter.js";
import { countNewlines, displayText, findMatches, splitLines } from "../../../pv-http/ui/js/log/lines.js";
import { safeHref } from "../../../pv-http/ui/js/lib/dom.js";
import { supersedes } from "../../../pv-http/ui/js/api/job.js";
import { parseRoute } from "../../../pv-http/ui/js/lib/router.js";
import { visible } from "../../../pv-http/ui/js/text/visible.js";
import { ago, duration, parseTime } from "../../../pv-http/ui/js/lib/time.js";

/** @param {object} given @returns {import("../../../pv-http/ui/js/api/types.js").Job} */
const job = (given) => ({ job_id: "a", state: "succeeded", ...given });

test("durations and ages", () => {
  for (const [seconds, expected] of /** @type {[number, string][]} */ ([[0, "0s"], [-5, "0s"], [59, "59s"], [60, "1m 00s"], [3599, "59m 59s"], [3600, "1h 00m"], [90_061, "1d 1h"]])) {
    assert.equal(duration(seconds), expected);
  }
  const now = Date.parse("2026-01-31T12:00:00Z");
  for (const [seconds, expected] of /** @type {[number, string][]} */ ([[-30, "now"], [0, "now"], [12, "12s ago"], [300, "5m ago"], [7200, "2h ago"], [200_000, "2d ago"]])) {
    assert.equal(ago(now - seconds * 1000, now), expected);
  }
  assert.equal(parseTime("garbage"), null);
  assert.equal(parseTime(undefined), null);
});

test("filters survive being written to an address and read from it", () => {
  const filters = { states: ["running", "failed"], repo: "a/b", branch: "feature/x", stalled: true, verified: true, text: "two words" };
  assert.deepEqual(readFilters(writeFilters(filters)), filters);
  assert.equal(isFiltered(readFilters(new URLSearchParams("state=nonsense"))), false);
});

test("a job must match all filters", () => {
  const one = job({ state: "running", stalled: true, git_owner: "a", repo_name: "b", branch_name: "main", title: "Tidy the Parser" });
  const matches = (/** @type {string} */ query) => matcher(readFilters(new URLSearchParams(query)))(one);
  for (const query of ["", "state=running", "state=failed,running", "repo=a/b", "repo=b", "branch=main", "stalled=true", "q=parser+tidy"]) assert.ok(matches(query), query);
  for (const query of ["state=failed", "repo=a", "branch=x", "q=parser+nothing"]) assert.ok(!matches(query), query);
});

test("statistics", () => {
  const ran = (/** @type {number} */ s) => ({ started_at: "2026-01-31T12:00:00Z", finished_at: new Date(Date.parse("2026-01-31T12:00:00Z") + s * 1000).toISOString() });
  const jobs = [job({ agent: "x", ...ran(10) }), job({ agent: "x", ...ran(30) }), job({ agent: "x", state: "failed", ...ran(20) }), job({ agent: "x", state: "aborted", ...ran(9999) }), job({ agent: "y", state: "running" })];
  assert.deepEqual(byAgent(jobs), [{ agent: "x", completed: 3, succeeded: 2, failed: 1, aborted: 1, medianMs: 20_000 }]);
  assert.equal(countByState(jobs).get("succeeded"), 2);
  assert.equal(median([]), null);
  assert.equal(median([1, 2, 3, 10]), 2.5);
});

test("the timeline has a lane for each repository, and no bars overlap", () => {
  const now = Date.parse("2026-01-31T12:00:00Z");
  const at = (/** @type {number} */ minutes) => new Date(now - minutes * 60_000).toISOString();
  const jobs = [
    job({ job_id: "1", repo_name: "b", created_at: at(50), started_at: at(40), finished_at: at(20) }),
    job({ job_id: "2", repo_name: "b", created_at: at(30), started_at: at(30), finished_at: at(10) }),
    job({ job_id: "3", repo_name: "a", state: "running", created_at: at(5), started_at: at(5) }),
    job({ job_id: "4", repo_name: "a", created_at: at(500), started_at: at(500), finished_at: at(400) }),
    job({ job_id: "5", created_at: "garbage" }),
  ];
  const { lanes, total } = layoutTimeline(jobs, now - 3_600_000, now);
  assert.equal(total, 3);
  assert.deepEqual(lanes.map(({ name, rows, bars }) => [name, rows, bars.map((bar) => [bar.job.job_id, bar.row])]), [["a", 1, [["3", 0]]], ["b", 2, [["1", 0], ["2", 1]]]]);
  const many = Array.from({ length: 5000 }, (_, i) => job({ job_id: String(i), repo_name: `r${i % 50}`, created_at: at(i % 60), started_at: at(i % 60), finished_at: at(0) }));
  const crowded = layoutTimeline(many, now - 3_600_000, now);
  assert.ok(crowded.lanes.length <= 6 && crowded.lanes.every(({ rows }) => rows <= 4), "lanes and rows are limited");
});

test("addresses", () => {
  assert.deepEqual(parseRoute("").view, "dashboard");
  assert.deepEqual(parseRoute("#/jobs/abc/prompt").parts, ["abc", "prompt"]);
  assert.equal(parseRoute("#/submit?repo=a%2Fb").query.get("repo"), "a/b");
  assert.deepEqual(parseRoute("#/jobs/%E0%A4%A").parts, ["%E0%A4%A"]);
});

test("links are fragments, paths, or http and https", () => {
  for (const href of ["javascript:alert(1)", " javascript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "//evil.example", "/\\evil.example", "x"]) assert.equal(safeHref(href), null, href);
  for (const href of ["#/x", "/docs", "https://a.b/", "http://a.b/"]) assert.equal(safeHref(href), href);
});

test("settings are written into the front matter, and nothing else changes", () => {
  const becomes = (/** @type {string} */ before, /** @type {object} */ settings, /** @type {string} */ after) => assert.equal(withSettings(before, settings), after);
  becomes("# A\n", {}, "# A\n");
  becomes("# A\n", { agent: "codex", timeout: "90m" }, "---\npv:\n  agent: codex\n  timeout: 90m\n---\n# A\n");
  becomes("---\ntags: [x]\n---\n# A\n", { model: "gpt-5" }, "---\ntags: [x]\npv:\n  model: gpt-5\n---\n# A\n");
  becomes("---\npv:\n    agent: a # mine\n    title: T\nother: 1\n---\n# A", { agent: "b", deliver: "none" }, "---\npv:\n    agent: b\n    title: T\n    deliver: none\nother: 1\n---\n# A");
  becomes("# A", { model: "yes" }, '---\npv:\n  model: "yes"\n---\n# A');
  becomes("# A", { model: "a: b\n" }, '---\npv:\n  model: "a: b"\n---\n# A');
  assert.throws(() => withSettings("---\npv: {agent: a}\n---\n", { agent: "b" }), /by hand/);
});

test("front matter is found at the top only", () => {
  assert.deepEqual(splitFrontMatter("---\r\na: 1\r\n---\r\nbody"), { front: "a: 1", body: "body" });
  assert.equal(splitFrontMatter("text\n---\na: 1\n---\n").front, null);
  assert.equal(splitFrontMatter("---\nnever ended").front, null);
  assert.equal(titleOf("---\npv:\n  title: \"Own\"\n---\n# Heading"), "Own");
  assert.equal(titleOf("text\n\n## Heading ##\n"), "Heading");
});

test("a log is split into lines with their offsets", () => {
  const bytes = new TextEncoder().encode("ä\n\nlast");
  const cut = (/** @type {boolean} */ fromLineStart, /** @type {boolean} */ toEnd) => splitLines(bytes, 100, { fromLineStart, toEnd }).map(({ start, end, text }) => [start, end, text]);
  assert.deepEqual(cut(true, false), [[100, 103, "ä"], [103, 104, ""]]);
  assert.deepEqual(cut(true, true), [[100, 103, "ä"], [103, 104, ""], [104, 108, "last"]]);
  assert.deepEqual(cut(false, true), [[103, 104, ""], [104, 108, "last"]]);
  assert.deepEqual(splitLines(new TextEncoder().encode("no newline"), 0, { fromLineStart: false, toEnd: true }), []);
  assert.equal(countNewlines(bytes), 2);
});

test("matches are where they are shown", () => {
  assert.deepEqual(findMatches("\x1b[31mError\x1b[0m: an error", "error"), [[0, 5], [10, 15]]);
  assert.deepEqual(findMatches("anything", ""), []);
  assert.ok(displayText("x".repeat(100_000)).length < 9000);
});

test("a job is never set back to an earlier state", () => {
  const version = (/** @type {any} */ state, /** @type {number | null} */ second) => ({ state, ...(second === null ? {} : { updated_at: `2026-01-31T12:00:0${second}Z` }) });
  /** @type {[[any, number | null], [any, number | null], boolean][]} */
  const cases = [
    [["running", 1], ["created", 0], true], [["succeeded", 2], ["running", 2], true], [["running", 3], ["running", 3], true],
    [["running", 2], ["running", 3], false], [["running", 3], ["failed", 2], false], [["created", 9], ["aborted", null], false],
    [["succeeded", 1], ["succeeded", 2], false], [["running", null], ["running", 2], true], [["unknown", 5], ["succeeded", 4], true], [["succeeded", 4], ["unknown", null], true],
    // A clock that was set back does not hide the end of a job.
    [["succeeded", 1], ["running", 5], true],
  ];
  for (const [next, known, expected] of cases) assert.equal(supersedes(version(...next), version(...known)), expected, JSON.stringify([next, known]));
});

test("invisible characters are made visible, and lines stay lines", () => {
  for (const plain of ["", "plain ä 😀", "two\n\tlines\r\n"]) assert.equal(visible(plain), plain);
  assert.equal(visible("\u202egnp.exe"), "\ufffdgnp.exe");
  assert.equal(visible("a\rb\x1b\x00\x7f\x9b"), "a\u240db\u241b\u2400\u2421\ufffd");
  for (const mark of "\u061c\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\u206f\ufeff") assert.equal(visible(mark), "\ufffd", mark.charCodeAt(0).toString(16));
});
