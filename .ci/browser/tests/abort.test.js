// Aborting a job: the confirmation, and the receipt.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Fixture, screenshot } from "../fixture.js";

/** @type {Fixture} */
let fixture;
before(async () => (fixture = await Fixture.start()));
after(() => fixture.close());

test("only the exact word aborts, and the receipt is shown", async () => {
  const id = await fixture.submit("# To be stopped");
  await fixture.waitForState(id, "running");
  const page = await fixture.page();
  await page.goto(`${fixture.ui}/#/jobs/${id}`);
  await page.getByRole("button", { name: "Abort…" }).click();
  const dialog = page.getByRole("dialog", { name: "Abort this job?" });
  const confirm = dialog.getByRole("button", { name: "Abort job" });
  const input = dialog.getByLabel("Type ABORT to confirm");
  assert.ok(await confirm.isDisabled());
  await input.fill("abort");
  await input.press("Enter");
  assert.ok(await confirm.isDisabled(), "a similar word does not count");
  assert.equal((await fixture.request(`jobs/${id}`)).abort_requested, false);
  await screenshot(page, "abort-dialog");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });

  await page.getByRole("button", { name: "Abort…" }).click();
  await input.pressSequentially("ABORT");
  await input.press("Enter");
  const notice = page.locator(".notice", { hasText: "Abort requested" });
  await notice.getByText("while the job was running").waitFor();
  await notice.getByText("Final state: aborted").waitFor();
  assert.equal((await fixture.request(`jobs/${id}`)).state, "aborted");
  assert.deepEqual(page.errors, []);
});
