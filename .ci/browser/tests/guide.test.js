// What the operator guide promises of the page, from a prompt that is submitted to a job that is done.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { House, shot, until } from "../house.js";

/** @type {House} */
let house;
before(async () => (house = await House.build()));
after(() => house.close());

for (const [door, base] of [["the page's service", () => house.ui], ["the API itself", () => house.api]]) {
  test(`a prompt goes from submit to done, by ${door}`, async () => {
    const page = await house.page();
    await page.goto(base());
    await page.getByText("API reachable").waitFor();
    await page.getByRole("link", { name: "Submit" }).click();
    await page.getByRole("combobox", { name: "Target" }).fill("nova main");
    await page.getByRole("option", { name: /nova-rey\/example\s*main/ }).click();
    await page.getByLabel("Prompt", { exact: true }).fill(`# Demo run by ${door}\n\nAdd *notes*.`);
    await page.getByLabel("Timeout").fill("90m");
    await page.getByRole("region", { name: "Preview" }).getByText("timeout: 90m").waitFor();
    await page.getByRole("button", { name: "Hand over" }).click();
    await page.getByText("Handed over:").getByRole("link").click();

    const heading = page.getByRole("heading", { level: 1, name: `Demo run by ${door}` });
    await heading.waitFor();
    const id = page.url().split("/").at(-1) ?? "";
    assert.match(id, /^[0-9a-f]{32}$/);
    await page.getByText("following live").waitFor();
    await page.locator(".log-line", { hasText: "agent at work" }).waitFor();
    house.say(id, "\x1b[32mgreen words\x1b[0m while it runs\n");
    await page.locator(".log-line .fg-green", { hasText: "green words" }).waitFor();
    assert.equal((await house.ask(`jobs/${id}`)).state, "running", "the line was seen while the job ran");
    house.finish(id);
    await page.locator(".job-title .badge", { hasText: "succeeded" }).waitFor();
    await page.locator(".log-line", { hasText: "agent is done" }).waitFor();
    await page.getByText("complete").waitFor();

    await page.getByRole("navigation", { name: "Of this job" }).getByRole("link", { name: "Prompt" }).click();
    await page.getByRole("heading", { level: 2, name: "Demo run" }).waitFor();
    await page.getByText("timeout: 90m").waitFor();
    await page.getByRole("link", { name: "Dashboard", exact: true }).click();
    const row = page.getByRole("row", { name: new RegExp(`Demo run by ${door}`) });
    await row.getByText("succeeded").waitFor();
    assert.deepEqual(page.wrong, []);
    await page.context().close();
  });
}

test("what is written while a prompt is handed over stays, and nothing is handed over twice", async () => {
  const page = await house.page();
  /** @type {(() => void)[]} */
  const asked = [];
  await page.route("**/api/v1/jobs", async (route) => {
    if (route.request().method() === "POST") await new Promise((resolve) => asked.push(() => resolve(undefined)));
    await route.continue();
  });
  await page.goto(`${house.ui}/#/submit?repo=acme/tools&branch=main`);
  await until("the target is chosen", async () => (await page.getByRole("combobox", { name: "Target" }).inputValue()) === "acme/tools · main");
  const editor = page.getByLabel("Prompt", { exact: true });
  await editor.fill("# Sent, at once");
  await page.getByRole("button", { name: "Hand over" }).click();
  await until("it is asked for", () => asked.length === 1);
  await editor.fill("# The next one");
  assert.ok(await page.getByRole("button", { name: "Hand over" }).isDisabled());
  await editor.press("Control+Enter");
  asked[0]?.();
  await page.getByText("Handed over:").waitFor();
  assert.equal(await editor.inputValue(), "# The next one");
  assert.ok(await page.getByRole("button", { name: "Hand over" }).isEnabled());
  assert.equal(asked.length, 1);
  await page.context().close();
});

test("several files are handed over, each with its result", async () => {
  const page = await house.page();
  await page.goto(`${house.ui}/#/submit?repo=acme/tools&branch=main`);
  await until("the target is chosen", async () => (await page.getByRole("combobox", { name: "Target" }).inputValue()) === "acme/tools · main");
  await page.locator("#files").setInputFiles([
    { name: "first.md", mimeType: "text/markdown", buffer: Buffer.from("# First, at once") },
    { name: "broken.md", mimeType: "text/markdown", buffer: Buffer.from("---\npv: [\n---\n# Broken") },
    { name: "third.md", mimeType: "text/markdown", buffer: Buffer.from("# Third, at once") },
  ]);
  await page.getByRole("button", { name: "Hand over 3 files" }).click();
  const result = (/** @type {string} */ name) => page.getByRole("listitem").filter({ hasText: name });
  await result("first.md").getByRole("link", { name: "handed over" }).waitFor();
  await result("third.md").getByRole("link", { name: "handed over" }).waitFor();
  assert.match(await result("broken.md").innerText(), /front matter/i, "the API's own words");
  await page.context().close();
});

test("what the API refuses is said beside the field, and the draft survives", async () => {
  const page = await house.page();
  await page.goto(`${house.ui}/#/submit?repo=nova-rey/example&branch=main`);
  await until("the target is chosen", async () => (await page.getByRole("combobox", { name: "Target" }).inputValue()) !== "");
  await page.getByLabel("Prompt", { exact: true }).fill("# A draft");
  await page.getByLabel("File name").fill("../escape.md");
  await page.getByRole("button", { name: "Hand over" }).click();
  await page.locator(".field", { hasText: "File name" }).getByRole("alert").getByText("directory segments").waitFor();
  await page.getByText("draft kept").waitFor();
  await page.reload();
  assert.equal(await page.getByLabel("Prompt", { exact: true }).inputValue(), "# A draft");
  await page.getByRole("button", { name: "Discard draft" }).click();
  assert.equal(await page.getByLabel("Prompt", { exact: true }).inputValue(), "");
  await page.context().close();
});

test("a failed job says why, and is repeated as a new one", async () => {
  const id = await house.submit("# Fails on purpose");
  house.finish(id, "fail");
  await house.state(id, "failed");
  const page = await house.page();
  await page.goto(`${house.ui}/#/jobs/${id}`);
  await page.locator(".job-message").waitFor();
  await page.getByText("exit", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Retry" }).click();
  await page.getByText("A new job repeats this one").getByRole("link").click();
  await page.getByRole("link", { name: id }).waitFor();
  await page.context().close();
});

test("services name what cannot be used, and say what to do", async () => {
  const page = await house.page();
  await page.goto(`${house.ui}/#/services`);
  await page.getByRole("group", { name: "Watcher" }).getByText("alive").waitFor();
  const panel = page.getByRole("region", { name: "Cannot be used" });
  assert.equal(await panel.isVisible(), false);
  const link = path.join(house.root, "inbox/acme/tools/main/<b>link.prompt.md");
  fs.symlinkSync("/etc/passwd", link);
  await panel.getByText(link).waitFor();
  await panel.getByText("it is no regular file, and never runs").waitFor();
  await panel.getByText("put a file in its place").waitFor();
  await shot(page, "services-unusable");
  fs.rmSync(link);
  await panel.waitFor({ state: "hidden" });
  assert.deepEqual(page.wrong, []);
  await page.context().close();
});

test("services tell what there is", async () => {
  const page = await house.page();
  await page.goto(`${house.ui}/#/services`);
  await page.getByRole("group", { name: "Watcher" }).getByText("alive").waitFor();
  await page.getByRole("group", { name: "Folders" }).getByText(house.runs).waitFor();
  await page.getByRole("region", { name: "Targets" }).getByText("acme/tools").first().waitFor();
  await shot(page, "services-light");
  assert.deepEqual(page.wrong, []);
  await page.context().close();
});
