// Logs of any size: by windows, searched, numbered, held still, and shown soon after they are on the disk.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { House, jobId, shot, until } from "../house.js";

const BIG = jobId(0xb16);
const BIG_BYTES = 200 * 1024 * 1024;
/** How much of a log the page may hold, in lines. */
const MAX_LINES = 24 * 400 + 400;

/** @type {House} */
let house;
let bigLines = 0;
before(async () => {
  house = await House.build();
  house.furnishRun({ job_id: BIG, state: "succeeded", title: "A big log", created_at: "2026-01-31T12:00:00Z", finished_at: "2026-01-31T13:00:00Z" });
  bigLines = writeBig(path.join(house.runs, BIG, "job.log"));
});
after(() => house.close());

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

test("a log of 200 MB is read by windows", async () => {
  const page = await house.page();
  let read = 0;
  page.on("response", async (response) => {
    if (response.url().includes("/log")) read += Number(response.headers()["content-length"] ?? 0);
  });
  await page.goto(`${house.ui}/#/jobs/${BIG}`);
  await page.locator(".log-line", { hasText: `line ${bigLines} of` }).waitFor();
  assert.ok(read < 1024 * 1024, `${read} bytes were read to show the end`);
  await page.getByRole("button", { name: "Start" }).click();
  const first = page.locator(".log-line").first();
  await first.getByText("line 1 of").waitFor();
  const box = page.getByRole("region", { name: "Log", exact: true });
  for (let i = 0; i < 60; i += 1) await box.evaluate((element) => element.scrollBy(0, 20_000));
  await until("further windows are read", async () => (await page.locator(".log-line").count()) > 2000);
  assert.ok((await page.locator(".log-line").count()) <= MAX_LINES, "no more is held than can be borne");

  await page.getByLabel("Search the log").fill("needle");
  await page.locator(".log-line.hit mark", { hasText: "NEEDLE" }).waitFor();
  await page.getByRole("button", { name: "Count lines" }).click();
  await page.locator(".log-block:not(.unnumbered) .log-line.hit").waitFor();
  const [text, number] = await page.locator(".log-line.hit").evaluate((line) => [line.textContent, (Number(/line (\d+)/.exec(line.parentElement?.style.counterReset ?? "")?.[1]) || 0) + [...(line.parentElement?.children ?? [])].indexOf(line) + 1]);
  assert.equal(Number(/line (\d+)/.exec(text ?? "")?.[1]), number, "the number beside the line is the line's number");
  await shot(page, "log-200-mb");
  await page.getByLabel("Search the log").press("Enter");
  await page.getByText("wrapped around").waitFor();
  await page.getByLabel("Search the log").fill("not there at all");
  await page.getByText("no match").waitFor();
  await page.getByRole("button", { name: "End" }).click();
  await page.locator(".log-line", { hasText: `line ${bigLines} of` }).waitFor();
  assert.ok((await page.locator(".log-line").count()) <= MAX_LINES);
  assert.deepEqual(page.wrong, []);
  const heap = await page.evaluate(() => performance.memory.usedJSHeapSize);
  console.log(`# 200 MB log: ${(heap / 2 ** 20).toFixed(1)} MiB of heap at the end`);
  await page.context().close();
});

test("a log that is held still stays still, and goes on without a gap", async () => {
  const id = await house.submit("# Talks");
  await house.state(id, "running");
  const page = await house.page();
  await page.goto(`${house.ui}/#/jobs/${id}`);
  await page.locator(".log-line", { hasText: "agent at work" }).waitFor();
  const lines = (/** @type {number} */ from, /** @type {number} */ to) => Array.from({ length: to - from }, (_, i) => `count ${from + i}\n`).join("");
  house.say(id, lines(0, 300));
  await page.getByText("count 299", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  await page.locator(".log-status", { hasText: "paused" }).waitFor();
  house.say(id, lines(300, 3000));
  await until("it is on the disk", () => fs.readFileSync(path.join(house.runs, id, "job.log"), "utf8").includes("count 2999\n"));
  assert.equal(await page.getByText("count 2999", { exact: true }).count(), 0, "it holds still");
  const box = page.getByRole("region", { name: "Log", exact: true });
  await until("the reader gets to what came meanwhile", async () => {
    await box.hover();
    await page.mouse.wheel(0, 5000);
    return (await page.getByText("count 2999", { exact: true }).count()) === 1;
  });
  const shown = (await page.locator(".log-line").allTextContents()).filter((line) => line.startsWith("count "));
  assert.deepEqual(shown, lines(0, 3000).trimEnd().split("\n"), "each line once, in order");
  await page.getByRole("button", { name: "Follow" }).click();
  house.say(id, "once more\n");
  await page.getByText("once more", { exact: true }).waitFor();
  house.finish(id);
  await page.getByText("complete").waitFor();
  await page.context().close();
});

test("a line on the disk is soon in the window", async () => {
  const id = await house.submit("# Measured");
  await house.state(id, "running");
  const page = await house.page();
  await page.goto(`${house.ui}/#/jobs/${id}`);
  await page.locator(".log-line", { hasText: "agent at work" }).waitFor();
  await page.getByText("following live").waitFor();
  await page.evaluate(() => {
    window.seen = {};
    new MutationObserver((changes) => {
      for (const change of changes) {
        for (const node of change.addedNodes) {
          const mark = /mark (\d+)/.exec(node.textContent ?? "")?.[1];
          // Drawn by the end of the frame after the one in which it was added.
          if (mark) requestAnimationFrame(() => requestAnimationFrame(() => (window.seen[mark] = performance.timeOrigin + performance.now())));
        }
      }
    }).observe(document.querySelector(".log-blocks") ?? document.body, { childList: true, subtree: true });
  });
  const log = path.join(house.runs, id, "job.log");
  /** @type {number[]} */
  const delays = [];
  for (let mark = 0; mark < 20; mark += 1) {
    const written = performance.timeOrigin + performance.now();
    fs.appendFileSync(log, `mark ${mark}\n`);
    const seen = await until("the line is shown", () => page.evaluate((which) => window.seen[which], String(mark)));
    delays.push(seen - written);
  }
  delays.sort((a, b) => a - b);
  console.log(`# from the disk to the window: median ${delays[10]?.toFixed(0)} ms, slowest ${delays.at(-1)?.toFixed(0)} ms`);
  house.finish(id);
  await page.getByText("complete").waitFor();
  await page.context().close();
});

test("the end that is followed is in sight, also where lines are wrapped", async () => {
  const id = await house.submit("# Wraps");
  await house.state(id, "running");
  house.say(id, Array.from({ length: 800 }, (_, i) => `${i} ${"word ".repeat(40)}\n`).join(""));
  const page = await house.page({ viewport: { width: 390, height: 844 } });
  await page.goto(`${house.ui}/#/jobs/${id}`);
  const inSight = () => page.evaluate(() => {
    const box = document.querySelector(".log-box")?.getBoundingClientRect();
    const last = [...document.querySelectorAll(".log-line")].at(-1)?.getBoundingClientRect();
    return box && last && last.bottom <= box.bottom + 8 && last.bottom > box.top;
  });
  await page.locator(".log-line", { hasText: /^799 word/ }).waitFor();
  await until("the last line is in sight", inSight);
  house.say(id, "and one more\n");
  await page.getByText("and one more", { exact: true }).waitFor();
  await until("the new last line is in sight", inSight);
  house.finish(id);
  await page.getByText("complete").waitFor();
  await page.context().close();
});
