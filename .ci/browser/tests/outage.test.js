// The API goes away and comes back, and the page says so, loses nothing, and is true again by itself.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { House, shot, until } from "../house.js";

/** @type {House} */
let house;
before(async () => (house = await House.build()));
after(() => house.close());

test("the health light and the list follow an API that goes and comes", async () => {
  const page = await house.page();
  await page.goto(house.ui);
  const first = await house.submit("# Before the outage");
  await page.getByRole("row", { name: /Before the outage/ }).getByText("running").waitFor();
  await house.stop("api", "SIGKILL");
  await page.getByText("API unreachable", { exact: true }).waitFor();
  await page.getByRole("alert").getByText(/API unreachable since \d\d:\d\d:\d\d/).waitFor();
  await shot(page, "outage");
  assert.ok(await page.getByRole("row", { name: /Before the outage/ }).isVisible(), "what was known is still shown");
  house.finish(first);
  await until("the job ends without the API", () => JSON.parse(fs.readFileSync(path.join(house.runs, first, "job.json"), "utf8")).state === "succeeded");
  await house.start("api");
  await page.getByText("API reachable", { exact: true }).waitFor();
  await page.getByRole("row", { name: /Before the outage/ }).getByText("succeeded").waitFor();
  await house.submit("# After the outage");
  await page.getByRole("row", { name: /After the outage/ }).waitFor();
  assert.deepEqual(page.wrong, []);
  await page.context().close();
});

test("a log that is followed goes on without a gap", async () => {
  const id = await house.submit("# A long log");
  await house.state(id, "running");
  const page = await house.page();
  await page.goto(`${house.ui}/#/jobs/${id}`);
  const lines = (/** @type {number} */ from, /** @type {number} */ to) => Array.from({ length: to - from }, (_, i) => `count ${from + i}\n`).join("");
  house.say(id, lines(0, 500));
  await page.locator(".log-line", { hasText: /^count 499$/ }).waitFor();
  await house.stop("api", "SIGKILL");
  await page.locator(".log-status[data-mode=disconnected]").waitFor();
  house.say(id, lines(500, 1000));
  await until("the log grows without the API", () => fs.readFileSync(path.join(house.runs, id, "job.log"), "utf8").includes("count 999"));
  await house.start("api");
  await page.locator(".log-line", { hasText: /^count 999$/ }).waitFor();
  house.say(id, lines(1000, 1200));
  house.finish(id);
  await page.getByText("complete").waitFor();
  const shown = (await page.locator(".log-line").allTextContents()).filter((line) => line.startsWith("count "));
  assert.deepEqual(shown, lines(0, 1200).trimEnd().split("\n"), "each line once, in order");
  await page.context().close();
});

test("without events the jobs are asked for", async () => {
  const page = await house.page();
  await page.route("**/api/v1/events", (route) => route.fulfill({ status: 404, contentType: "application/json", body: '{"detail":"Not Found"}' }));
  await page.goto(house.ui);
  await page.getByText("This API has no live events").waitFor();
  const id = await house.submit("# Asked for");
  await page.getByRole("row", { name: /Asked for/ }).getByText("running").waitFor();
  house.finish(id);
  await page.getByRole("row", { name: /Asked for/ }).getByText("succeeded").waitFor();
  await page.context().close();
});

test("a page out of sight gives its streams back, and goes on when it is looked at", async () => {
  const page = await house.page();
  await page.clock.install();
  const id = await house.submit("# Out of sight");
  await house.state(id, "running");
  /** @type {string[]} */
  const ended = [];
  page.on("requestfailed", (request) => ended.push(new URL(request.url()).pathname.split("/").at(-1) ?? ""));
  const show = (/** @type {boolean} */ isHidden) => page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, isHidden);
  await page.goto(`${house.ui}/#/jobs/${id}`);
  await page.locator(".log-line", { hasText: "agent at work" }).waitFor();
  // A line arrives, and no frame is drawn any more in which it would be shown.
  await page.evaluate(() => {
    window.held = [];
    window.drawFrames = window.requestAnimationFrame;
    window.requestAnimationFrame = (run) => window.held.push(run);
  });
  house.say(id, "waits for a frame\n");
  await until("the line waits for a frame", () => page.evaluate(() => window.held.some((run) => String(run).includes("#flush"))));
  await show(true);
  await until("both streams are given back", async () => {
    await page.clock.fastForward(5000);
    return ended.includes("events") && ended.includes("stream");
  });
  house.say(id, "said unseen\n");
  await until("it is on the disk", () => fs.readFileSync(path.join(house.runs, id, "job.log"), "utf8").includes("said unseen"));
  assert.equal(await page.getByText("said unseen", { exact: true }).count(), 0);
  await show(false);
  await page.evaluate(() => {
    window.requestAnimationFrame = window.drawFrames;
    for (const run of window.held) run(0);
  });
  await page.getByText("said unseen", { exact: true }).waitFor();
  assert.equal(await page.getByText("waits for a frame", { exact: true }).count(), 1, "each line once");
  house.finish(id);
  await page.locator(".job-title .badge", { hasText: "succeeded" }).waitFor();
  await page.context().close();
});
