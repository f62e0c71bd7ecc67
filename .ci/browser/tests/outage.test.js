// Outages of the API: the page shows them, loses nothing, and is up to date again by itself.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { Fixture, screenshot, waitUntil } from "../fixture.js";

/** @type {Fixture} */
let fixture;
before(async () => (fixture = await Fixture.start()));
after(() => fixture.close());

test("the health indicator and the list show an outage and its end", async () => {
  const page = await fixture.page();
  await page.goto(fixture.ui);
  const first = await fixture.submit("# Before the outage");
  await page.getByRole("row", { name: /Before the outage/ }).getByText("running").waitFor();
  await fixture.stopService("api", "SIGKILL");
  await page.getByText("API unreachable", { exact: true }).waitFor();
  await page.getByRole("alert").getByText(/API unreachable since \d\d:\d\d:\d\d/).waitFor();
  await screenshot(page, "outage");
  assert.ok(await page.getByRole("row", { name: /Before the outage/ }).isVisible(), "the last known state is still shown");
  fixture.finish(first);
  await waitUntil("the job ends without the API", () => JSON.parse(fs.readFileSync(path.join(fixture.runs, first, "job.json"), "utf8")).state === "succeeded");
  await fixture.startService("api");
  await page.getByText("API reachable", { exact: true }).waitFor();
  await page.getByRole("row", { name: /Before the outage/ }).getByText("succeeded").waitFor();
  await fixture.submit("# After the outage");
  await page.getByRole("row", { name: /After the outage/ }).waitFor();
  assert.deepEqual(page.errors, []);
  await page.context().close();
});

test("a followed log resumes without a gap", async () => {
  const id = await fixture.submit("# A long log");
  await fixture.waitForState(id, "running");
  const page = await fixture.page();
  await page.goto(`${fixture.ui}/#/jobs/${id}`);
  const lines = (/** @type {number} */ from, /** @type {number} */ to) => Array.from({ length: to - from }, (_, i) => `count ${from + i}\n`).join("");
  fixture.print(id, lines(0, 500));
  await page.locator(".log-line", { hasText: /^count 499$/ }).waitFor();
  await fixture.stopService("api", "SIGKILL");
  await page.locator(".log-status[data-mode=disconnected]").waitFor();
  fixture.print(id, lines(500, 1000));
  await waitUntil("the log grows without the API", () => fs.readFileSync(path.join(fixture.runs, id, "job.log"), "utf8").includes("count 999"));
  await fixture.startService("api");
  await page.locator(".log-line", { hasText: /^count 999$/ }).waitFor();
  fixture.print(id, lines(1000, 1200));
  fixture.finish(id);
  await page.getByText("complete").waitFor();
  const shown = (await page.locator(".log-line").allTextContents()).filter((line) => line.startsWith("count "));
  assert.deepEqual(shown, lines(0, 1200).trimEnd().split("\n"), "each line once, in order");
  await page.context().close();
});

test("without events the jobs are polled", async () => {
  const page = await fixture.page();
  await page.route("**/api/v1/events", (route) => route.fulfill({ status: 404, contentType: "application/json", body: '{"detail":"Not Found"}' }));
  await page.goto(fixture.ui);
  await page.getByText("This API has no live events").waitFor();
  const id = await fixture.submit("# Polled");
  await page.getByRole("row", { name: /Polled/ }).getByText("running").waitFor();
  fixture.finish(id);
  await page.getByRole("row", { name: /Polled/ }).getByText("succeeded").waitFor();
  await page.context().close();
});

test("a hidden page closes its streams, and resumes them when it is visible", async () => {
  const page = await fixture.page();
  await page.clock.install();
  const id = await fixture.submit("# Hidden");
  await fixture.waitForState(id, "running");
  /** @type {string[]} */
  const ended = [];
  page.on("requestfailed", (request) => ended.push(new URL(request.url()).pathname.split("/").at(-1) ?? ""));
  const show = (/** @type {boolean} */ isHidden) => page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, isHidden);
  await page.goto(`${fixture.ui}/#/jobs/${id}`);
  await page.locator(".log-line", { hasText: "agent at work" }).waitFor();
  // A line arrives, and there is no animation frame any more in which it would be shown.
  await page.evaluate(() => {
    window.heldFrames = [];
    window.drawFrames = window.requestAnimationFrame;
    window.requestAnimationFrame = (run) => window.heldFrames.push(run);
  });
  fixture.print(id, "waits for a frame\n");
  await waitUntil("the line waits for a frame", () => page.evaluate(() => window.heldFrames.some((run) => String(run).includes("#flush"))));
  await show(true);
  await waitUntil("both streams are closed", async () => {
    await page.clock.fastForward(5000);
    return ended.includes("events") && ended.includes("stream");
  });
  fixture.print(id, "printed while hidden\n");
  await waitUntil("it is written", () => fs.readFileSync(path.join(fixture.runs, id, "job.log"), "utf8").includes("printed while hidden"));
  assert.equal(await page.getByText("printed while hidden", { exact: true }).count(), 0);
  await show(false);
  await page.evaluate(() => {
    window.requestAnimationFrame = window.drawFrames;
    for (const run of window.heldFrames) run(0);
  });
  await page.getByText("printed while hidden", { exact: true }).waitFor();
  assert.equal(await page.getByText("waits for a frame", { exact: true }).count(), 1, "each line once");
  fixture.finish(id);
  await page.locator(".job-title .badge", { hasText: "succeeded" }).waitFor();
  await page.context().close();
});
