// Ten thousand jobs: all listed, few of them in the page, filters in the address.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Fixture, jobId, screenshot, waitUntil } from "../fixture.js";

const JOBS = 10_000;
/** Rows that may be in the page at once. */
const MAX_ROWS = 60;

/** @type {Fixture} */
let fixture;
before(async () => {
  fixture = await Fixture.start({ services: ["api", "ui"] });
  const now = Date.now();
  const states = ["succeeded", "succeeded", "succeeded", "failed", "aborted"];
  for (let n = 0; n < JOBS; n += 1) {
    const created = now - n * 47_000;
    const at = (/** @type {number} */ s) => new Date(Math.min(now, created + s * 1000)).toISOString().replace(/\.\d+Z/, "Z");
    const state = states[n % 5] ?? "succeeded";
    fixture.addRun({
      job_id: jobId(0x1000000 + JOBS - n), state, repo_name: ["example", "tools", "site", "parser"][n % 4], branch_name: n % 7 === 0 ? "next" : "main", title: `Job number ${n}: ${["tidy the parser", "write the docs", "fix the flaky test"][n % 3]}`,
      agent: ["codex", "claude", "opencode"][n % 3], created_at: at(0), started_at: at(3), finished_at: at(60 + (n % 900)), updated_at: at(60 + (n % 900)),
      message: state === "failed" ? "the agent exited with code 1" : "pushed", reason: state === "failed" ? "exit" : undefined, exit_code: state === "failed" ? 1 : 0,
    });
  }
});
after(() => fixture.close());

test("ten thousand jobs are listed, searched and filtered", async () => {
  // The time of the API's first scan is not the page's.
  await waitUntil("the API knows all jobs", async () => (await fixture.request("status").catch(() => null))?.jobs.total === JOBS);
  const page = await fixture.page();
  const begun = Date.now();
  await page.goto(fixture.ui);
  await page.getByRole("row", { name: /Job number 0:/ }).waitFor();
  const first = Date.now() - begun;
  await page.getByText("10,000 jobs", { exact: true }).waitFor();
  const whole = Date.now() - begun;
  const paints = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
  // Of five jobs three succeeded and one failed. The figures are those of all jobs, not of the first pages.
  await page.getByRole("row", { name: /^codex 75 % .* 3,334$/ }).waitFor();
  await screenshot(page, "dashboard-10000");
  const rows = () => page.locator(".list .row").count();
  assert.ok((await rows()) <= MAX_ROWS, "only rows in view are created");

  // Scrolls through the whole list. The slowest frame is reported, not asserted.
  const slowest = await page.evaluate(async () => {
    let [slow, last] = [0, performance.now()];
    for (let i = 0; i <= 200; i += 1) {
      scrollTo(0, (document.body.scrollHeight - innerHeight) * (i / 200));
      await new Promise((resolve) => requestAnimationFrame(resolve));
      const now = performance.now();
      slow = Math.max(slow, now - last);
      last = now;
    }
    return slow;
  });
  await page.getByRole("row", { name: /Job number 9999:/ }).waitFor();
  assert.ok((await rows()) <= MAX_ROWS);
  const heap = await page.evaluate(() => performance.memory.usedJSHeapSize);
  console.log(`# 10,000 jobs: first paint ${paints?.toFixed(0)} ms, first jobs ${first} ms, all of them ${whole} ms, heap ${(heap / 2 ** 20).toFixed(1)} MiB, slowest frame while scrolling ${slowest.toFixed(0)} ms`);

  await page.evaluate(() => scrollTo(0, 0));
  await page.getByRole("searchbox", { name: "Search jobs" }).fill("parser 4242");
  await page.getByText(/^\d+ of 10,000 jobs$/).waitFor();
  await page.getByRole("searchbox", { name: "Search jobs" }).fill("");
  await page.getByRole("group", { name: "States" }).getByRole("button", { name: "failed" }).click();
  await page.getByText("2,000 of 10,000 jobs", { exact: true }).waitFor();
  await page.getByRole("combobox", { name: "Repository" }).selectOption("nova-rey/tools");
  await page.getByText("500 of 10,000 jobs", { exact: true }).waitFor();
  assert.match(page.url(), /state=failed&repo=nova-rey%2Ftools/);
  await page.reload();
  await page.getByText("500 of 10,000 jobs", { exact: true }).waitFor();
  await page.locator(".row-link").first().click();
  await page.getByRole("link", { name: "← Jobs" }).click();
  await page.getByText("500 of 10,000 jobs", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Clear" }).click();
  await page.getByText("10,000 jobs", { exact: true }).waitFor();
  assert.deepEqual(page.errors, []);
});

test("a new job is shown, and the focus stays", async () => {
  const page = await fixture.page();
  await page.goto(fixture.ui);
  await page.getByText("10,000 jobs", { exact: true }).waitFor();
  await page.getByRole("row", { name: /Job number 3:/ }).getByRole("link").focus();
  const id = await fixture.submit("# Comes last");
  await page.getByRole("row", { name: /Comes last|created/ }).first().waitFor();
  await page.getByText("10,001 jobs", { exact: true }).waitFor();
  assert.match((await page.evaluate(() => document.activeElement?.textContent)) ?? "", /Job number 3:/);
  await waitUntil("the new job is first", async () => (await page.locator(".list .row a").first().getAttribute("href"))?.includes(id));
});
