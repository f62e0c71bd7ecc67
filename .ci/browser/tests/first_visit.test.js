// A first visit: without a watcher, a target and a job, the page says what to do, with commands to copy.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { Fixture, screenshot, waitUntil } from "../fixture.js";

/** @type {Fixture} */
let fixture;
before(async () => {
  fixture = await Fixture.start({ services: ["api", "ui"] });
  fs.rmSync(path.join(fixture.root, "inbox"), { recursive: true });
  fs.mkdirSync(path.join(fixture.root, "inbox"));
});
after(() => fixture.close());

test("each step is shown with its command, and ticked off as it is done", async () => {
  const page = await fixture.page();
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"], { origin: fixture.ui });
  await page.goto(fixture.ui);
  const steps = page.getByRole("region", { name: "First steps" }).getByRole("listitem").filter({ has: page.getByRole("heading", { level: 3 }) });
  await steps.nth(3).waitFor();
  const step = (/** @type {string} */ name) => steps.filter({ has: page.getByRole("heading", { level: 3, name }) });
  await step("Start a watcher").locator("code", { hasText: `pv --config ${fixture.root}/config/prompt-valet.yaml --root ${fixture.root} watcher` }).waitFor();
  await step("Make a repository known").getByText("pv", { exact: false }).first().waitFor();
  await step("Install an agent").getByText("done").waitFor();
  await step("Start a watcher").getByRole("button", { name: "Copy the command" }).click();
  await step("Start a watcher").getByText("copied").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `pv --config ${fixture.root}/config/prompt-valet.yaml --root ${fixture.root} watcher`);
  await screenshot(page, "first-visit-light");

  await fixture.startService("watcher");
  await step("Start a watcher").getByText("done").waitFor();
  fs.mkdirSync(path.join(fixture.root, "inbox/nova-rey/example/main"), { recursive: true });
  await step("Make a repository known").getByText("done").waitFor();
  const id = await fixture.submit("# The first, at once");
  await page.getByRole("row", { name: /The first/ }).waitFor();
  await waitUntil("the steps are gone", async () => (await page.getByRole("region", { name: "First steps" }).count()) === 0 || !(await page.getByRole("region", { name: "First steps" }).isVisible()));
  await fixture.waitForState(id, "succeeded");
  assert.deepEqual(page.errors, []);
  await page.context().close();
});

test("jobs that wait for a watcher say so", async () => {
  await fixture.stopService("watcher");
  await fixture.submit("# Waits, at once");
  const page = await fixture.page();
  await page.goto(fixture.ui);
  const notice = page.getByRole("status").filter({ hasText: "Jobs wait, and no watcher runs" });
  await notice.locator("code", { hasText: `--root ${fixture.root} watcher` }).waitFor();
  await screenshot(page, "first-visit-waiting");
  await fixture.startService("watcher");
  await notice.waitFor({ state: "hidden" });
  assert.deepEqual(page.errors, []);
  await page.context().close();
});

for (const [name, width, colorScheme] of /** @type {[string, number, "light" | "dark"][]} */ ([["wide-dark", 1280, "dark"], ["narrow-light", 390, "light"], ["narrow-dark", 390, "dark"]])) {
  test(`the steps fit a window: ${name}`, async () => {
    const other = await Fixture.start({ services: ["api", "ui"] });
    const page = await other.page({ viewport: { width, height: 860 }, colorScheme });
    await page.goto(other.ui);
    await page.getByRole("heading", { level: 3, name: "Start a watcher" }).waitFor();
    await page.getByRole("heading", { level: 3, name: /Install an agent/ }).waitFor();
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing is beside the window");
    await screenshot(page, `first-visit-${name}`);
    await page.context().close();
    await other.close();
  });
}
