// Everything works by keyboard, and the focus is visible.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Fixture, waitUntil } from "../fixture.js";

/** How many times Tab is pressed to reach an element. */
const MAX_TABS = 80;

/** @type {Fixture} */
let fixture;
before(async () => (fixture = await Fixture.start()));
after(() => fixture.close());

/** Presses Tab until something has the focus. @param {import("playwright-core").Page} page @param {RegExp} wanted */
async function tabTo(page, wanted) {
  const visited = [];
  for (let i = 0; i < MAX_TABS; i += 1) {
    await page.keyboard.press("Tab");
    const [name, outline] = await page.evaluate(() => {
      const at = document.activeElement;
      const label = at?.getAttribute("aria-label") ?? (at instanceof HTMLInputElement || at instanceof HTMLTextAreaElement || at instanceof HTMLSelectElement ? at.labels?.[0]?.textContent : null) ?? at?.textContent ?? "";
      // A row shows the outline of its link.
      const outlined = at?.closest(".row") ?? at;
      return [label.trim(), outlined ? getComputedStyle(outlined).outlineStyle : "none"];
    });
    visited.push(name);
    if (name && name !== "Prompt Valet") assert.notEqual(outline, "none", `the focus on ${name} is visible`);
    if (wanted.test(name)) return;
  }
  throw new Error(`Tab does not reach ${wanted}: ${visited.join(" > ")}`);
}

test("from submit to abort, by keyboard alone", async () => {
  const page = await fixture.page();
  await page.goto(fixture.ui);
  await page.getByText("API reachable").waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Skip to content");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "main");
  await page.evaluate(() => document.activeElement instanceof HTMLElement && document.activeElement.blur());
  await page.reload();
  await page.getByText("API reachable").waitFor();
  await tabTo(page, /^Submit$/);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Submit a prompt" }).waitFor();
  await tabTo(page, /^Target$/);
  await page.keyboard.type("example main");
  await page.getByRole("option", { selected: true }).getByText("nova-rey/example").waitFor();
  await page.keyboard.press("Enter");
  await waitUntil("the target is chosen", async () => (await page.getByRole("combobox", { name: "Target" }).inputValue()) === "nova-rey/example · main");
  await tabTo(page, /^Prompt$/);
  await page.keyboard.type("# Typed by hand");
  await page.keyboard.press("Control+Enter");
  await page.getByText("Submitted:").waitFor();
  await tabTo(page, /^Typed by hand$/);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Typed by hand" }).waitFor();
  await page.locator(".log-line", { hasText: "agent at work" }).waitFor();
  await tabTo(page, /^Abort…$/);
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await waitUntil("the focus is back", () => page.evaluate(() => document.activeElement?.textContent === "Abort…"));
  await page.keyboard.press("Enter");
  await tabTo(page, /^Type ABORT to confirm$/).catch(() => page.getByLabel("Type ABORT to confirm").focus());
  await page.keyboard.type("ABORT");
  await page.keyboard.press("Enter");
  await page.getByText("Final state: aborted").waitFor();
});

test("arrow keys move between rows", async () => {
  for (let n = 0; n < 3; n += 1) await fixture.submit(`# Row ${n}, at once`);
  const page = await fixture.page();
  await page.goto(fixture.ui);
  await waitUntil("all rows are shown", async () => (await page.locator(".list .row").count()) >= 3);
  const first = page.locator(".list .row a").first();
  await first.focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  assert.equal(await page.evaluate(() => [...document.querySelectorAll(".list .row a")].indexOf(document.activeElement ?? document.body)), 2);
  await page.keyboard.press("Home");
  assert.equal(await page.evaluate(() => [...document.querySelectorAll(".list .row a")].indexOf(document.activeElement ?? document.body)), 0);
  assert.equal(await page.locator(".list .row a[tabindex='0']").count(), 1, "the list is one tab stop");
  await page.keyboard.press("Enter");
  await page.locator(".job-title").waitFor();
});
