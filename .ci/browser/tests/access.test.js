// A token is asked for, kept for the session only and sent to nobody else; who may only read is told so.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { House } from "../house.js";

const TOKEN = "a-token-of-0123456789-abcdefghijklmn";
/** @type {House[]} */
const houses = [];
after(() => Promise.all(houses.map((house) => house.close())));

test("an API with a token asks for it", async () => {
  const house = await House.build({ env: { PV_API_TOKEN: TOKEN } });
  houses.push(house);
  const id = await house.submit("# Behind a token");
  const page = await house.page();
  /** @type {string[]} */
  const sent = [];
  page.on("request", (request) => request.headers().authorization && sent.push(new URL(request.url()).origin));
  await page.goto(house.ui);
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
  house.say(id, "streamed with a token\n");
  await page.getByText("streamed with a token", { exact: true }).waitFor();
  assert.deepEqual([...new Set(sent)], [house.ui]);
  assert.ok(!(await page.evaluate(() => JSON.stringify([{ ...localStorage }, document.cookie, location.href]))).includes(TOKEN), "it is kept nowhere else");
  await page.reload();
  await page.locator(".log-line", { hasText: "agent at work" }).waitFor();
  await page.getByRole("button", { name: "Forget token" }).click();
  await dialog.waitFor();
  const other = await page.context().newPage();
  await other.goto(house.ui);
  await other.getByRole("dialog", { name: "This API requires a token" }).waitFor();
  assert.deepEqual(page.wrong, []);
  house.finish(id);
});

test("who may only read is told so, with the setting that changes it", async () => {
  const house = await House.build();
  houses.push(house);
  const id = await house.submit("# Read from afar");
  await house.state(id, "running");
  // As a proxy in front would have it: the page's service takes it for a stranger.
  const page = await house.page({ extraHTTPHeaders: { "X-Forwarded-For": "203.0.113.7" } });
  await page.goto(`${house.ui}/#/jobs/${id}`);
  await page.locator(".log-line", { hasText: "agent at work" }).waitFor();
  await page.getByRole("button", { name: "Abort…" }).click();
  await page.getByLabel("Type ABORT to confirm").fill("ABORT");
  await page.getByRole("button", { name: "Abort job" }).click();
  await page.getByText(/Read-only access:.*PV_UI_ALLOW_REMOTE_WRITE/).waitFor();
  await page.keyboard.press("Escape");
  assert.ok(await page.getByRole("button", { name: "Abort…" }).isDisabled());
  await page.getByRole("link", { name: "Submit", exact: true }).click();
  assert.ok(await page.getByRole("button", { name: "Submit", exact: true }).isDisabled());
  assert.equal((await house.ask(`jobs/${id}`)).abort_requested, false, "nothing was aborted");
  await page.getByRole("button", { name: "Try again" }).click();
  assert.ok(await page.getByRole("button", { name: "Submit", exact: true }).isEnabled());
  house.finish(id);
});
