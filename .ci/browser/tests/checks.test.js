// The checks of a job in a real browser: a table with a column for each attempt, the step of the checks, the filter of verified
// jobs, and the button that runs the checks again.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { Fixture, screenshot } from "../fixture.js";

/* Red the first time for each repository state that is asked for: a file in HOME says what is to come. */
const SETTINGS = `checks:
  build: test -s notes.txt
  lines: 'if [ -e "$HOME/green" ]; then echo "4 lines, as expected"; else touch "$HOME/green"; echo "expected 4 lines, found 3"; exit 1; fi'
  never: 'test -e "$HOME/fixed" || { echo "the service on port 5432 does not answer"; exit 7; }'
checks_paths: [notes.txt]
repos:
  nova-rey/example: {checks: [build, lines], attempts: 3}
`;

/** @type {Fixture} */
let fixture;
before(async () => {
  fixture = await Fixture.start({ settings: SETTINGS });
});
after(() => fixture.close());

test("a job that was mended shows both attempts, and what it is verified by", async () => {
  const id = await fixture.submit("# Count the lines\n\nat once\n");
  await fixture.waitForState(id, "succeeded");
  const page = await fixture.page();
  await page.goto(`${fixture.ui}/#/jobs/${id}`);
  const checks = page.getByRole("region", { name: "Checks" });
  await checks.getByText("Verified: every check is green.").waitFor();
  assert.deepEqual(await checks.getByRole("columnheader").allInnerTexts(), ["Check", "Command", "Attempt 1", "Attempt 2"]);
  const row = checks.getByRole("row").filter({ hasText: "lines" });
  assert.match(await row.innerText(), /exit 1, \d+(\.\d)?s[^]*exit 0, \d+(\.\d)?s/);
  assert.match(await checks.innerText(), /The work changes what the checks run from: notes\.txt/);
  const steps = await page.locator(".phase:visible").allInnerTexts();
  assert.deepEqual(steps, ["waiting", "preparing", "attempt 2", "saving", "checking", "delivering", "succeeded"]);
  assert.ok(await page.locator(".flag", { hasText: "verified" }).first().isVisible());
  assert.ok(await page.getByRole("button", { name: "Check again" }).isHidden());
  await screenshot(page, "checks-verified");
  await page.setViewportSize({ width: 420, height: 900 });
  await screenshot(page, "checks-verified-narrow");
  assert.deepEqual(page.errors, []);
});

test("a red job says which check failed, and its checks run again without its agent", async () => {
  const id = await fixture.submit("---\npv: {checks: [build, never], attempts: 1}\n---\n# Needs a service\n\nat once\n");
  await fixture.waitForState(id, "failed");
  const page = await fixture.page();
  await page.goto(`${fixture.ui}/#/jobs/${id}`);
  const checks = page.getByRole("region", { name: "Checks" });
  await checks.getByText("Not verified: a check failed.").waitFor();
  await screenshot(page, "checks-red");
  fs.writeFileSync(path.join(fixture.root, "home/fixed"), "");
  await page.getByRole("button", { name: "Check again" }).click();
  const link = page.getByRole("status").getByRole("link");
  await link.waitFor();
  const again = await link.innerText();
  await fixture.waitForState(again, "succeeded");
  const record = await fixture.request(`jobs/${again}`);
  assert.equal(record.verified, true);
  assert.equal(record.attempts, undefined);
  assert.equal(record.retry_of, id);
  await link.click();
  await page.getByText("Verified: every check is green.").waitFor();
  await page.goto(`${fixture.ui}/#/?verified=true`);
  await page.getByText("Count the lines").first().waitFor();
  const listed = await fixture.request("jobs?verified=false");
  assert.deepEqual(listed.jobs.map((job) => job.job_id), [id]);
  await screenshot(page, "checks-dashboard");
  const metrics = await (await fetch(`${fixture.api}/metrics`)).text();
  assert.match(metrics, /pv_jobs_verified\{verified="true"\} 2/);
  assert.match(metrics, /pv_jobs_verified\{verified="false"\} 1/);
  assert.deepEqual(page.errors, []);
});
