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
  await page.locator(".log-state[data-mode=broken]").waitFor();
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
