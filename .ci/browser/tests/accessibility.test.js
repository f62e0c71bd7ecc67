// Every view, light and dark, wide and narrow: axe finds no violation of WCAG 2.2 AA, and nothing is wider than the window.
import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before, test } from "node:test";
import { Fixture, jobId, screenshot, waitUntil } from "../fixture.js";
import { agentLog, FAILED, addSampleJobs, PROMPT, SUCCEEDED } from "../sample_jobs.js";

const AXE = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** @type {Fixture} */
let fixture;
let running = "";
/** The checkout of a job that is over. */
let kept = "";
before(async () => {
  fixture = await Fixture.start();
  addSampleJobs(fixture);
  kept = path.join(fixture.root, "work", SUCCEEDED);
  fs.mkdirSync(kept);
  running = await fixture.submit(PROMPT);
  await fixture.waitForState(running, "running");
  fixture.print(running, agentLog(412));
});
after(() => {
  fs.rmdirSync(kept);
  return fixture.close();
});

/** @param {import("playwright-core").Page} page @param {string} where */
async function checkAccessibility(page, where) {
  // Evaluated by CDP, since the page's content security policy allows no other script.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate((tags) => window.axe.run(document, { runOnly: tags, resultTypes: ["violations"] }), TAGS);
  const found = violations.map((v) => `${v.id} (${v.impact}): ${v.nodes.slice(0, 3).map((node) => `${node.target.join(" ")}: ${node.failureSummary}`).join(" | ")}`);
  assert.deepEqual(found, [], `${where}: axe finds nothing`);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(overflow <= 0, `${where}: ${overflow} px wider than the window`);
}

const VIEWS = /** @type {[string, () => string, (page: import("playwright-core").Page) => Promise<unknown>][]} */ ([
  ["dashboard", () => "#/", async (page) => {
    await page.getByRole("row", { name: /Tidy the parser.*running|running.*Tidy the parser/ }).waitFor();
    assert.ok(await page.getByRole("row", { name: /^opencode/ }).isVisible(), "the statistics are shown with the list");
  }],
  ["no-match", () => "#/?q=nothing+at+all", (page) => page.getByText("No matching jobs").waitFor()],
  ["job-log", () => `#/jobs/${running}`, (page) => page.locator(".log-line", { hasText: "lines 2877" }).waitFor()],
  ["job-prompt", () => `#/jobs/${running}/prompt`, (page) => page.locator(".md-table").waitFor()],
  ["job-failed", () => `#/jobs/${FAILED}`, (page) => page.getByText("complete").waitFor()],
  ["job-changes", () => `#/jobs/${SUCCEEDED}/changes`, (page) => page.locator(".diff-add", { hasText: "parse_head" }).first().waitFor()],
  ["submit", () => "#/submit?repo=nova-rey/example&branch=main", (page) => waitUntil("the target is chosen", async () => (await page.getByRole("combobox", { name: "Target" }).inputValue()) !== "")],
  ["services", () => "#/services", async (page) => {
    await page.getByRole("group", { name: "Watcher" }).getByText("running", { exact: true }).waitFor();
    assert.ok(await page.getByRole("region", { name: "Kept checkouts" }).getByText(kept).isVisible());
  }],
  ["not-found", () => "#/nonsense", (page) => page.getByText("Page not found").waitFor()],
  ["no-job", () => `#/jobs/${jobId(0xdead)}`, (page) => page.getByText("Job not found").waitFor()],
]);

for (const [size, width, height] of /** @type {[string, number, number][]} */ ([["wide", 1360, 860], ["phone", 390, 844], ["very-wide", 2200, 1200]])) {
  for (const scheme of /** @type {const} */ (["light", "dark"])) {
    if (size === "very-wide" && scheme === "dark") continue;
    test(`every view, ${size}, ${scheme}`, async () => {
      const page = await fixture.page({ viewport: { width, height }, colorScheme: scheme, deviceScaleFactor: size === "phone" ? 2 : 1, reducedMotion: "reduce" });
      for (const [name, hash, ready] of VIEWS) {
        await page.goto(`${fixture.ui}/${hash()}`);
        await ready(page);
        await screenshot(page, `${name}-${size}-${scheme}`);
        await checkAccessibility(page, `${name}, ${size}, ${scheme}`);
      }
      assert.deepEqual(page.errors, []);
      await page.context().close();
    });
  }
}

test("dialogs and open lists are accessible too", async () => {
  for (const scheme of /** @type {const} */ (["light", "dark"])) {
    const page = await fixture.page({ colorScheme: scheme, reducedMotion: "reduce" });
    await page.goto(`${fixture.ui}/#/jobs/${running}`);
    await page.getByRole("button", { name: "Abort…" }).click();
    await checkAccessibility(page, `abort, ${scheme}`);
    await page.keyboard.press("Escape");
    await page.goto(`${fixture.ui}/#/submit`);
    await page.getByRole("combobox", { name: "Target" }).click();
    await page.getByRole("option").first().waitFor();
    await screenshot(page, `targets-${scheme}`);
    await checkAccessibility(page, `targets, ${scheme}`);
    await page.context().close();
  }
});
