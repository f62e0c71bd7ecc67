// Access: the token, which is kept for the session only and sent only to the page's service, and read-only access.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Fixture } from "../fixture.js";

const TOKEN = "a-token-of-0123456789-abcdefghijklmn";
/** @type {Fixture[]} */
const fixtures = [];
after(() => Promise.all(fixtures.map((fixture) => fixture.close())));

test("an API that requires a token", async () => {
  const fixture = await Fixture.start({ env: { PV_API_TOKEN: TOKEN } });
  fixtures.push(fixture);
  const id = await fixture.submit("# Behind a token");
  const page = await fixture.page();
  /** @type {string[]} */
  const sent = [];
  page.on("request", (request) => request.headers().authorization && sent.push(new URL(request.url()).origin));
  await page.goto(fixture.ui);
  const dialog = page.getByRole("dialog", { name: "This API requires a token" });
  await dialog.waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Enter token" }).click();
  await dialog.getByLabel("Token").fill("not-the-token-but-long-enough-to-be-one");
  await dialog.getByRole("button", { name: "Continue" }).click();
  await page.getByText("The API rejected this token.").waitFor();
  await dialog.getByLabel("Token").fill(TOKEN);
  await dialog.getByRole("button", { name: "Continue" }).click();
  await page.getByRole("row", { name: /Behind a token/ }).getByRole("link").click();
  await page.locator(".log-line", { hasText: "agent at work" }).waitFor();
  fixture.print(id, "streamed with a token\n");
  await page.getByText("streamed with a token", { exact: true }).waitFor();
  assert.deepEqual([...new Set(sent)], [fixture.ui]);
  assert.ok(!(await page.evaluate(() => JSON.stringify([{ ...localStorage }, document.cookie, location.href]))).includes(TOKEN), "the token is stored nowhere else");
  await page.reload();
  await page.locator(".log-line", { hasText: "agent at work" }).waitFor();
  await page.getByRole("button", { name: "Forget token" }).click();
  await dialog.waitFor();
  const other = await page.context().newPage();
  await other.goto(fixture.ui);
  await other.getByRole("dialog", { name: "This API requires a token" }).waitFor();
  assert.deepEqual(page.errors, []);
  fixture.finish(id);
});

test("read-only access is shown, with the setting that changes it", async () => {
  const fixture = await Fixture.start();
  fixtures.push(fixture);
  const id = await fixture.submit("# Read from afar");
  await fixture.waitForState(id, "running");
  // As through a reverse proxy: the page's service treats the request as remote.
  const page = await fixture.page({ extraHTTPHeaders: { "X-Forwarded-For": "203.0.113.7" } });
  await page.goto(`${fixture.ui}/#/jobs/${id}`);
  await page.locator(".log-line", { hasText: "agent at work" }).waitFor();
  await page.getByRole("button", { name: "Abort…" }).click();
  await page.getByLabel("Type ABORT to confirm").fill("ABORT");
  await page.getByRole("button", { name: "Abort job" }).click();
  await page.getByText(/Read-only access:.*PV_UI_ALLOW_REMOTE_WRITE/).waitFor();
  await page.keyboard.press("Escape");
  assert.ok(await page.getByRole("button", { name: "Abort…" }).isDisabled());
  await page.getByRole("link", { name: "Submit", exact: true }).click();
  assert.ok(await page.getByRole("button", { name: "Submit", exact: true }).isDisabled());
  assert.equal((await fixture.request(`jobs/${id}`)).abort_requested, false, "nothing was aborted");
  await page.getByRole("button", { name: "Try again" }).click();
  assert.ok(await page.getByRole("button", { name: "Submit", exact: true }).isEnabled());
  fixture.finish(id);
});
