// Checkouts that are kept, and files that git ignores: named by the services view and by their jobs, until they are removed.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { Fixture, jobId, screenshot } from "../fixture.js";

const KEPT = jobId(0xc0ffee);
const PATH_ONLY = jobId(0xc0ffef);
const DISCARDED = jobId(0xc0fff0);
const REASON = "it lacks <b>nested</b>: files that git does not take (vendor/\u202eempty)";

/** @type {Fixture} */
let fixture;
before(async () => {
  fixture = await Fixture.start({ services: ["api", "ui"] });
  const over = { state: "succeeded", phase: "delivering", title: "Leaves things behind", created_at: "2026-01-31T12:00:00Z", finished_at: "2026-01-31T12:05:00Z" };
  const ignored = { files: 1234, bytes: 5 << 20, archive_path: "/srv/prompt-valet/runs/ignored.tar.zst", cached_files: 80_000 };
  fixture.addRun({ ...over, job_id: KEPT, delivery: { branch: "codex/x", checkout_path: checkout(KEPT), checkout_reason: REASON, checkout_bytes: 3 << 29, ignored } });
  fixture.addRun({ ...over, job_id: DISCARDED, delivery: { branch: "codex/y", checkout_discarded_at: "2026-01-31T13:00:00Z" } });
  for (const id of [KEPT, PATH_ONLY]) fs.mkdirSync(checkout(id));
});
after(() => {
  for (const id of [KEPT, PATH_ONLY]) fs.rmSync(checkout(id), { recursive: true, force: true });
  return fixture.close();
});

/** @param {string} id */
function checkout(id) {
  return path.join(fixture.root, "work", id);
}

for (const scheme of /** @type {const} */ (["light", "dark"])) {
  test(`the services view lists them with path, size, reason and the command that removes one, ${scheme}`, async () => {
    const page = await fixture.page({ colorScheme: scheme, reducedMotion: "reduce" });
    await page.goto(`${fixture.ui}/#/services`);
    const panel = page.getByRole("region", { name: "Kept checkouts" });
    const [first, second] = [panel.getByRole("listitem").nth(0), panel.getByRole("listitem").nth(1)];
    for (const text of [checkout(KEPT), "1.5 GiB", "it lacks <b>nested</b>: files that git does not take (vendor/\ufffdempty)", `pv discard ${KEPT}`]) {
      assert.ok((await first.textContent())?.includes(text), `${text} in ${await first.textContent()}`);
    }
    for (const text of [checkout(PATH_ONLY), "not measured", "its job is gone from the runs folder", `pv discard ${PATH_ONLY}`]) {
      assert.ok((await second.textContent())?.includes(text), `${text} in ${await second.textContent()}`);
    }
    assert.equal(await page.getByRole("region", { name: "Checks" }).getByText("kept checkouts").count(), 0, "they have a panel of their own");
    await panel.scrollIntoViewIfNeeded();
    await screenshot(page, `kept-checkouts-${scheme}`);
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  test(`a job names its checkout and its ignored files, ${scheme}`, async () => {
    const page = await fixture.page({ colorScheme: scheme, reducedMotion: "reduce", viewport: { width: 1280, height: 1400 } });
    await page.goto(`${fixture.ui}/#/jobs/${KEPT}`);
    const details = page.locator(".details");
    for (const text of [checkout(KEPT), "it lacks <b>nested</b>", "1.5 GiB", `pv discard ${KEPT}`, "1,234 (5.0 MiB)", "/srv/prompt-valet/runs/ignored.tar.zst", "80,000 in known caches"]) {
      await details.getByText(text).first().waitFor();
    }
    await screenshot(page, `kept-checkout-job-${scheme}`);
    await page.goto(`${fixture.ui}/#/jobs/${DISCARDED}`);
    await details.getByText("Discarded").waitFor();
    assert.equal(await details.getByText("pv discard").count(), 0);
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });
}

test("the command is copied, and a checkout that is removed is listed no more", async () => {
  const page = await fixture.page({ permissions: ["clipboard-read", "clipboard-write"] });
  await page.goto(`${fixture.ui}/#/services`);
  const panel = page.getByRole("region", { name: "Kept checkouts" });
  await panel.getByRole("button", { name: `Copy the command that removes the checkout of job ${KEPT}` }).click();
  await panel.getByText("copied").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `pv discard ${KEPT}`);
  await panel.getByRole("link", { name: `Job ${KEPT}` }).click();
  await page.getByRole("heading", { level: 1, name: "Leaves things behind" }).waitFor();
  await page.goto(`${fixture.ui}/#/services`);
  await panel.getByText(checkout(KEPT)).waitFor();
  fs.rmdirSync(checkout(KEPT));
  await panel.getByText(checkout(KEPT)).waitFor({ state: "detached" });
  fs.rmdirSync(checkout(PATH_ONLY));
  await panel.waitFor({ state: "hidden" });
  await page.context().close();
});
