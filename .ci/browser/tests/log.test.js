// Logs of any size: loaded by ranges, searched, numbered, paused, and shown soon after they are written.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { Fixture, jobId, screenshot, waitUntil } from "../fixture.js";

const BIG = jobId(0xb16);
const BIG_BYTES = 200 * 1024 * 1024;
/** How many lines of a log may be in the page. */
const MAX_LINES = 24 * 400 + 400;

/** @type {Fixture} */
let fixture;
let bigLines = 0;
before(async () => {
  fixture = await Fixture.start();
  fixture.addRun({ job_id: BIG, state: "succeeded", title: "A big log", created_at: "2026-01-31T12:00:00Z", finished_at: "2026-01-31T13:00:00Z" });
  bigLines = writeBig(path.join(fixture.runs, BIG, "job.log"));
});
after(() => fixture.close());

/** Writes 200 MB of numbered lines; the needle is in the middle. @param {string} file */
function writeBig(file) {
  const out = fs.openSync(file, "w");
  let [bytes, line, hasNeedle] = [0, 0, false];
  while (bytes < BIG_BYTES) {
    const lines = [];
    for (let i = 0; i < 20_000; i += 1) lines.push(`line ${(line += 1)} of a log that is long enough to fill a window of its own\n`);
    if (!hasNeedle && bytes > BIG_BYTES / 2) {
      lines[10_000] = `line ${line - 9_999} holds the NEEDLE\n`;
      hasNeedle = true;
    }
    bytes += fs.writeSync(out, lines.join(""));
  }
  fs.closeSync(out);
  return line;
}

test("a log of 200 MB is loaded by ranges", async () => {
  const page = await fixture.page();
  let read = 0;
  page.on("response", async (response) => {
    if (response.url().includes("/log")) read += Number(response.headers()["content-length"] ?? 0);
  });
  await page.goto(`${fixture.ui}/#/jobs/${BIG}`);
  await page.locator(".log-line", { hasText: `line ${bigLines} of` }).waitFor();
  assert.ok(read < 1024 * 1024, `${read} bytes were read to show the end`);
  await page.getByRole("button", { name: "Start" }).click();
  const first = page.locator(".log-line").first();
  await first.getByText("line 1 of").waitFor();
  const box = page.getByRole("region", { name: "Log", exact: true });
  for (let i = 0; i < 60; i += 1) await box.evaluate((element) => element.scrollBy(0, 20_000));
  await waitUntil("more ranges are loaded", async () => (await page.locator(".log-line").count()) > 2000);
  assert.ok((await page.locator(".log-line").count()) <= MAX_LINES, "the number of lines in the page is limited");

  await page.getByLabel("Search the log").fill("needle");
  await page.locator(".log-line.hit mark", { hasText: "NEEDLE" }).waitFor();
  await page.getByRole("button", { name: "Count lines" }).click();
  await page.locator(".log-block:not(.unnumbered) .log-line.hit").waitFor();
  const [text, number] = await page.locator(".log-line.hit").evaluate((line) => [line.textContent, (Number(/line (\d+)/.exec(line.parentElement?.style.counterReset ?? "")?.[1]) || 0) + [...(line.parentElement?.children ?? [])].indexOf(line) + 1]);
  assert.equal(Number(/line (\d+)/.exec(text ?? "")?.[1]), number, "the number next to the line is the line's number");
  await screenshot(page, "log-200-mb");
  await page.getByLabel("Search the log").press("Enter");
  await page.getByText("wrapped around").waitFor();
  await page.getByLabel("Search the log").fill("not there at all");
  await page.getByText("no match").waitFor();
  await page.getByRole("button", { name: "End" }).click();
  await page.locator(".log-line", { hasText: `line ${bigLines} of` }).waitFor();
  assert.ok((await page.locator(".log-line").count()) <= MAX_LINES);
  assert.deepEqual(page.errors, []);
  const heap = await page.evaluate(() => performance.memory.usedJSHeapSize);
  console.log(`# 200 MB log: ${(heap / 2 ** 20).toFixed(1)} MiB of heap at the end`);
  await page.context().close();
});

test("a paused log does not move, and resumes without a gap", async () => {
  const id = await fixture.submit("# Talks");
  await fixture.waitForState(id, "running");
  const page = await fixture.page();
  await page.goto(`${fixture.ui}/#/jobs/${id}`);
  await page.locator(".log-line", { hasText: "agent at work" }).waitFor();
  const lines = (/** @type {number} */ from, /** @type {number} */ to) => Array.from({ length: to - from }, (_, i) => `count ${from + i}\n`).join("");
  fixture.print(id, lines(0, 300));
  await page.getByText("count 299", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  await page.locator(".log-status", { hasText: "paused" }).waitFor();
  fixture.print(id, lines(300, 3000));
  await waitUntil("it is written", () => fs.readFileSync(path.join(fixture.runs, id, "job.log"), "utf8").includes("count 2999\n"));
  assert.equal(await page.getByText("count 2999", { exact: true }).count(), 0, "it does not move");
  const box = page.getByRole("region", { name: "Log", exact: true });
  await waitUntil("scrolling loads what came meanwhile", async () => {
    await box.hover();
    await page.mouse.wheel(0, 5000);
    return (await page.getByText("count 2999", { exact: true }).count()) === 1;
  });
  const shown = (await page.locator(".log-line").allTextContents()).filter((line) => line.startsWith("count "));
  assert.deepEqual(shown, lines(0, 3000).trimEnd().split("\n"), "each line once, in order");
  await page.getByRole("button", { name: "Follow" }).click();
  fixture.print(id, "once more\n");
  await page.getByText("once more", { exact: true }).waitFor();
  fixture.finish(id);
  await page.getByText("complete").waitFor();
  await page.context().close();
});

test("a line is shown soon after it is written", async () => {
  const id = await fixture.submit("# Measured");
  await fixture.waitForState(id, "running");
  const page = await fixture.page();
  await page.goto(`${fixture.ui}/#/jobs/${id}`);
  await page.locator(".log-line", { hasText: "agent at work" }).waitFor();
  await page.getByText("following live").waitFor();
  await page.evaluate(() => {
    window.seen = {};
    new MutationObserver((changes) => {
      for (const change of changes) {
        for (const node of change.addedNodes) {
          const mark = /mark (\d+)/.exec(node.textContent ?? "")?.[1];
          // Painted by the end of the frame after the one in which it was added.
          if (mark) requestAnimationFrame(() => requestAnimationFrame(() => (window.seen[mark] = performance.timeOrigin + performance.now())));
        }
      }
    }).observe(document.querySelector(".log-blocks") ?? document.body, { childList: true, subtree: true });
  });
  const log = path.join(fixture.runs, id, "job.log");
  /** @type {number[]} */
  const delays = [];
  for (let mark = 0; mark < 20; mark += 1) {
    const written = performance.timeOrigin + performance.now();
    fs.appendFileSync(log, `mark ${mark}\n`);
    const seen = await waitUntil("the line is shown", () => page.evaluate((which) => window.seen[which], String(mark)));
    delays.push(seen - written);
  }
  delays.sort((a, b) => a - b);
  console.log(`# from writing to showing: median ${delays[10]?.toFixed(0)} ms, slowest ${delays.at(-1)?.toFixed(0)} ms`);
  fixture.finish(id);
  await page.getByText("complete").waitFor();
  await page.context().close();
});

test("the end of a followed log is in view, also where lines are wrapped", async () => {
  const id = await fixture.submit("# Wraps");
  await fixture.waitForState(id, "running");
  fixture.print(id, Array.from({ length: 800 }, (_, i) => `${i} ${"word ".repeat(40)}\n`).join(""));
  const page = await fixture.page({ viewport: { width: 390, height: 844 } });
  await page.goto(`${fixture.ui}/#/jobs/${id}`);
  const isInView = () => page.evaluate(() => {
    const box = document.querySelector(".log-box")?.getBoundingClientRect();
    const last = [...document.querySelectorAll(".log-line")].at(-1)?.getBoundingClientRect();
    return box && last && last.bottom <= box.bottom + 8 && last.bottom > box.top;
  });
  await page.locator(".log-line", { hasText: /^799 word/ }).waitFor();
  await waitUntil("the last line is in view", isInView);
  fixture.print(id, "and one more\n");
  await page.getByText("and one more", { exact: true }).waitFor();
  await waitUntil("the new last line is in view", isInView);
  fixture.finish(id);
  await page.getByText("complete").waitFor();
  await page.context().close();
});
