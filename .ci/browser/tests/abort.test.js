// An abort is asked for by typing, and its answer is shown.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { House, shot } from "../house.js";

/** @type {House} */
let house;
before(async () => (house = await House.build()));
after(() => house.close());

test("only the word itself aborts, and the answer is shown", async () => {
  const id = await house.submit("# To be stopped");
  await house.state(id, "running");
  const page = await house.page();
  await page.goto(`${house.ui}/#/jobs/${id}`);
  await page.getByRole("button", { name: "Abort…" }).click();
  const dialog = page.getByRole("dialog", { name: "Abort this job?" });
  const go = dialog.getByRole("button", { name: "Abort job" });
  const input = dialog.getByLabel("Type ABORT to confirm");
  assert.ok(await go.isDisabled());
  await input.fill("abort");
  await input.press("Enter");
  assert.ok(await go.isDisabled(), "a word that is only like it does not count");
  assert.equal((await house.ask(`jobs/${id}`)).abort_requested, false);
  await shot(page, "abort-dialog");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });

  await page.getByRole("button", { name: "Abort…" }).click();
  await input.pressSequentially("ABORT");
  await input.press("Enter");
  const said = page.locator(".notice", { hasText: "Abort requested" });
  await said.getByText("while the job was running").waitFor();
  await said.getByText("Final state: aborted").waitFor();
  assert.equal((await house.ask(`jobs/${id}`)).state, "aborted");
  assert.deepEqual(page.wrong, []);
});
