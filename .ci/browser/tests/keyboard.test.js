// Everything can be done without a mouse, and what has the focus can be seen.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { House, until } from "../house.js";

/** Steps that a walk through the page may take. */
const MAX_TABS = 80;

/** @type {House} */
let house;
before(async () => (house = await House.build()));
after(() => house.close());

/** Presses Tab until something has the focus. @param {import("playwright-core").Page} page @param {RegExp} wanted */
async function tabTo(page, wanted) {
  const walked = [];
  for (let i = 0; i < MAX_TABS; i += 1) {
    await page.keyboard.press("Tab");
    const [name, ring] = await page.evaluate(() => {
      const at = document.activeElement;
      const label = at?.getAttribute("aria-label") ?? (at instanceof HTMLInputElement || at instanceof HTMLTextAreaElement || at instanceof HTMLSelectElement ? at.labels?.[0]?.textContent : null) ?? at?.textContent ?? "";
      // A row shows the ring of its link.
      const shows = at?.closest(".row") ?? at;
      return [label.trim(), shows ? getComputedStyle(shows).outlineStyle : "none"];
    });
    walked.push(name);
    if (name && name !== "Prompt Valet") assert.notEqual(ring, "none", `the focus on ${name} can be seen`);
    if (wanted.test(name)) return;
  }
  throw new Error(`no way by Tab to ${wanted}: ${walked.join(" > ")}`);
}

test("from submit to abort, by keyboard alone", async () => {
  const page = await house.page();
  await page.goto(house.ui);
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
  await until("the target is chosen", async () => (await page.getByRole("combobox", { name: "Target" }).inputValue()) === "nova-rey/example · main");
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
  await until("the focus is back", () => page.evaluate(() => document.activeElement?.textContent === "Abort…"));
  await page.keyboard.press("Enter");
  await tabTo(page, /^Type ABORT to confirm$/).catch(() => page.getByLabel("Type ABORT to confirm").focus());
  await page.keyboard.type("ABORT");
  await page.keyboard.press("Enter");
  await page.getByText("Final state: aborted").waitFor();
});

test("rows are walked by arrows", async () => {
  for (let n = 0; n < 3; n += 1) await house.submit(`# Row ${n}, at once`);
  const page = await house.page();
  await page.goto(house.ui);
  await until("all rows are there", async () => (await page.locator(".list .row").count()) >= 3);
  const first = page.locator(".list .row a").first();
  await first.focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  assert.equal(await page.evaluate(() => [...document.querySelectorAll(".list .row a")].indexOf(document.activeElement ?? document.body)), 2);
  await page.keyboard.press("Home");
  assert.equal(await page.evaluate(() => [...document.querySelectorAll(".list .row a")].indexOf(document.activeElement ?? document.body)), 0);
  assert.equal(await page.locator(".list .row a[tabindex='0']").count(), 1, "the list is one stop for the tab key");
  await page.keyboard.press("Enter");
  await page.locator(".job-title").waitFor();
});
