// What the operator guide promises of the page, from submitting a prompt to the finished job.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { Fixture, screenshot, waitUntil } from "../fixture.js";

/** @type {Fixture} */
let fixture;
before(async () => (fixture = await Fixture.start()));
after(() => fixture.close());

for (const [service, base] of [["the page's service", () => fixture.ui], ["the API itself", () => fixture.api]]) {
  test(`a prompt is submitted, followed and finished, by ${service}`, async () => {
    const page = await fixture.page();
    await page.goto(base());
    await page.getByText("API reachable").waitFor();
    await page.getByRole("link", { name: "Submit" }).click();
    await page.getByRole("combobox", { name: "Target" }).fill("nova main");
    await page.getByRole("option", { name: /nova-rey\/example\s*main/ }).click();
    await page.getByLabel("Prompt", { exact: true }).fill(`# Demo run by ${service}\n\nAdd *notes*.`);
    await page.getByLabel("Timeout").fill("90m");
    await page.getByRole("region", { name: "Preview" }).getByText("timeout: 90m").waitFor();
    await page.getByRole("button", { name: "Submit", exact: true }).click();
    await page.getByText("Submitted:").getByRole("link").click();

    const heading = page.getByRole("heading", { level: 1, name: `Demo run by ${service}` });
    await heading.waitFor();
    const id = page.url().split("/").at(-1) ?? "";
    assert.match(id, /^[0-9a-f]{32}$/);
    await page.getByText("following live").waitFor();
    await page.locator(".log-line", { hasText: "agent at work" }).waitFor();
    fixture.print(id, "\x1b[32mgreen words\x1b[0m while it runs\n");
    await page.locator(".log-line .fg-green", { hasText: "green words" }).waitFor();
    assert.equal((await fixture.request(`jobs/${id}`)).state, "running", "the line was seen while the job ran");
    fixture.finish(id);
    await page.locator(".job-title .badge", { hasText: "succeeded" }).waitFor();
    await page.locator(".log-line", { hasText: "agent is done" }).waitFor();
    await page.getByText("complete").waitFor();

    await page.getByRole("navigation", { name: "Job" }).getByRole("link", { name: "Prompt" }).click();
    await page.getByRole("heading", { level: 2, name: "Demo run" }).waitFor();
    await page.getByText("timeout: 90m").waitFor();
    await page.getByRole("link", { name: "Dashboard", exact: true }).click();
    const row = page.getByRole("row", { name: new RegExp(`Demo run by ${service}`) });
    await row.getByText("succeeded").waitFor();
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });
}

test("text that is typed while a prompt is submitted stays, and nothing is submitted twice", async () => {
  const page = await fixture.page();
  /** @type {(() => void)[]} */
  const requests = [];
  await page.route("**/api/v1/jobs", async (route) => {
    if (route.request().method() === "POST") await new Promise((resolve) => requests.push(() => resolve(undefined)));
    await route.continue();
  });
  await page.goto(`${fixture.ui}/#/submit?repo=acme/tools&branch=main`);
  await waitUntil("the target is chosen", async () => (await page.getByRole("combobox", { name: "Target" }).inputValue()) === "acme/tools · main");
  const editor = page.getByLabel("Prompt", { exact: true });
  await editor.fill("# Sent, at once");
  await page.getByRole("button", { name: "Submit", exact: true }).click();
  await waitUntil("the request is sent", () => requests.length === 1);
  await editor.fill("# The next one");
  assert.ok(await page.getByRole("button", { name: "Submit", exact: true }).isDisabled());
  await editor.press("Control+Enter");
  requests[0]?.();
  await page.getByText("Submitted:").waitFor();
  assert.equal(await editor.inputValue(), "# The next one");
  assert.ok(await page.getByRole("button", { name: "Submit", exact: true }).isEnabled());
  assert.equal(requests.length, 1);
  await page.context().close();
});

test("several files are submitted, each with its result", async () => {
  const page = await fixture.page();
  await page.goto(`${fixture.ui}/#/submit?repo=acme/tools&branch=main`);
  await waitUntil("the target is chosen", async () => (await page.getByRole("combobox", { name: "Target" }).inputValue()) === "acme/tools · main");
  await page.locator("#files").setInputFiles([
    { name: "first.md", mimeType: "text/markdown", buffer: Buffer.from("# First, at once") },
    { name: "broken.md", mimeType: "text/markdown", buffer: Buffer.from("---\npv: [\n---\n# Broken") },
    { name: "third.md", mimeType: "text/markdown", buffer: Buffer.from("# Third, at once") },
  ]);
  await page.getByRole("button", { name: "Submit 3 files" }).click();
  const result = (/** @type {string} */ name) => page.getByRole("listitem").filter({ hasText: name });
  await result("first.md").getByRole("link", { name: "submitted" }).waitFor();
  await result("third.md").getByRole("link", { name: "submitted" }).waitFor();
  assert.match(await result("broken.md").innerText(), /front matter/i, "the API's own message");
  await page.context().close();
});

test("errors of the API are shown at the field, and the draft survives", async () => {
  const page = await fixture.page();
  await page.goto(`${fixture.ui}/#/submit?repo=nova-rey/example&branch=main`);
  await waitUntil("the target is chosen", async () => (await page.getByRole("combobox", { name: "Target" }).inputValue()) !== "");
  await page.getByLabel("Prompt", { exact: true }).fill("# A draft");
  await page.getByLabel("File name").fill("../escape.md");
  await page.getByRole("button", { name: "Submit", exact: true }).click();
  await page.locator(".field", { hasText: "File name" }).getByRole("alert").getByText("directory segments").waitFor();
  await page.getByText("draft saved").waitFor();
  await page.reload();
  assert.equal(await page.getByLabel("Prompt", { exact: true }).inputValue(), "# A draft");
  await page.getByRole("button", { name: "Discard draft" }).click();
  assert.equal(await page.getByLabel("Prompt", { exact: true }).inputValue(), "");
  await page.context().close();
});

test("a failed job shows its reason, and is retried as a new one", async () => {
  const id = await fixture.submit("# Fails on purpose");
  fixture.finish(id, "fail");
  await fixture.waitForState(id, "failed");
  const page = await fixture.page();
  await page.goto(`${fixture.ui}/#/jobs/${id}`);
  await page.locator(".job-message").waitFor();
  await page.getByText("exit", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Retry" }).click();
  await page.getByText("Retried as a new job").getByRole("link").click();
  await page.getByRole("link", { name: id }).waitFor();
  await page.context().close();
});

test("services name what cannot be used, and say what to do", async () => {
  const page = await fixture.page();
  await page.goto(`${fixture.ui}/#/services`);
  await page.getByRole("group", { name: "Watcher" }).getByText("running", { exact: true }).waitFor();
  const panel = page.getByRole("region", { name: "Cannot be used" });
  assert.equal(await panel.isVisible(), false);
  const link = path.join(fixture.root, "inbox/acme/tools/main/<b>link.prompt.md");
  fs.symlinkSync("/etc/passwd", link);
  await panel.getByText(link).waitFor();
  await panel.getByText("it is a link, and links are not followed").waitFor();
  await panel.getByText("put what it leads to in its place").waitFor();
  await screenshot(page, "services-unusable");
  fs.rmSync(link);
  await panel.waitFor({ state: "hidden" });
  assert.deepEqual(page.errors, []);
  await page.context().close();
});

test("the services view shows status and targets", async () => {
  const page = await fixture.page();
  await page.goto(`${fixture.ui}/#/services`);
  await page.getByRole("group", { name: "Watcher" }).getByText("running", { exact: true }).waitFor();
  await page.getByRole("group", { name: "Folders" }).getByText(fixture.runs).waitFor();
  await page.getByRole("region", { name: "Targets" }).getByText("acme/tools").first().waitFor();
  await screenshot(page, "services-light");
  assert.deepEqual(page.errors, []);
  await page.context().close();
});
