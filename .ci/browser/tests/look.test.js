// Every view, light and dark, wide and narrow: no violation of WCAG 2.2 AA that axe can find, nothing wider than the window.
import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { House, jobId, shot, until } from "../house.js";

const AXE = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** @type {House} */
let house;
let running = "";
before(async () => {
  house = await House.build();
  furnish(house);
  running = await house.submit("# Move the settings page to the new router\n\nKeep the **old links**.\n\n- [x] find them\n- [ ] move them\n\n> Ask before deleting.\n\n| file | what |\n|---|---|\n| `a.js` | moved |\n\n```js\nlet a = 1;\n```\n\nSee <https://example.com/>.");
  await house.state(running, "running");
  const steps = Array.from({ length: 120 }, (_, i) => `\x1b[2m12:${String(i % 60).padStart(2, "0")}\x1b[0m \x1b[32mstep ${i + 1}\x1b[0m reading \x1b[36msrc/module_${i + 1}.rs\x1b[0m${i % 17 === 0 ? " \x1b[33mwarning:\x1b[0m unused import" : ""}${i % 40 === 39 ? "\n\x1b[1;31merror[E0308]\x1b[0m: mismatched types \x1b[41m here \x1b[0m\x1b[38;5;208m palette\x1b[0m" : ""}\n`);
  house.say(running, steps.join(""));
});
after(() => house.close());

/** Jobs of the last hours, as an installation has them. @param {House} of */
export function furnish(of) {
  const now = Date.now();
  const titles = ["Tidy the parser", "Write the release notes", "Fix the flaky socket test", "Update dependencies", "Move settings to YAML", "Speed up the index", "Translate the guide", "Remove dead code"];
  const at = (/** @type {number} */ minutes) => new Date(now - minutes * 60_000).toISOString().replace(/\.\d+Z/, "Z");
  for (let n = 0; n < 46; n += 1) {
    const begin = 8 + n * 7.7;
    const took = 3 + ((n * 37) % 29);
    const state = n % 9 === 4 ? "failed" : n % 11 === 7 ? "aborted" : "succeeded";
    const end = Math.max(0.5, begin - took);
    of.furnishRun({
      job_id: jobId(0xf000 + n), state, repo_name: ["example", "tools", "site"][n % 3], branch_name: n % 5 ? "main" : "next", title: titles[n % titles.length], agent: n % 4 ? "codex" : "claude",
      created_at: at(begin + 1), started_at: at(begin), finished_at: at(end), updated_at: at(end), exit_code: state === "failed" ? 1 : 0, reason: state === "failed" ? "exit" : undefined,
      message: state === "failed" ? "the agent exited with code 1: see the end of the log" : state === "aborted" ? "stopped on request" : "delivered", containment: "cgroup", phase: "agent",
      delivery: state === "succeeded" ? { branch: `pv/${jobId(0xf000 + n).slice(-8)}`, commit: "4f2a9c1be0d35c7781aa", pr_url: `https://example.com/nova-rey/example/pull/${n}` } : undefined,
      usage: { input_tokens: 184_213, output_tokens: 9120, cost_usd: 0.41 },
    }, { log: "one\n\x1b[31mtwo\x1b[0m\n", prompt: `# ${titles[n % titles.length]}\n\nText.` });
  }
  // Its supervisor is gone, and nobody has looked yet.
  of.furnishRun({ job_id: jobId(0xfff), state: "created", title: "Waits for room", created_at: at(2) });
}

/** @param {import("playwright-core").Page} page @param {string} where */
async function looksRight(page, where) {
  // By CDP: the page's own policy lets no further script in.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate((tags) => window.axe.run(document, { runOnly: tags, resultTypes: ["violations"] }), TAGS);
  const said = violations.map((v) => `${v.id} (${v.impact}): ${v.nodes.slice(0, 3).map((node) => `${node.target.join(" ")}: ${node.failureSummary}`).join(" | ")}`);
  assert.deepEqual(said, [], `${where}: axe finds nothing`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${where}: ${wide} px wider than the window`);
}

const VIEWS = /** @type {[string, () => string, (page: import("playwright-core").Page) => Promise<unknown>][]} */ ([
  ["dashboard", () => "#/", (page) => page.getByRole("row", { name: /Move the settings page/ }).waitFor()],
  ["no-match", () => "#/?q=nothing+at+all", (page) => page.getByText("No job matches").waitFor()],
  ["job-log", () => `#/jobs/${running}`, (page) => page.locator(".log-line", { hasText: "step 120" }).waitFor()],
  ["job-prompt", () => `#/jobs/${running}/prompt`, (page) => page.locator(".md-table").waitFor()],
  ["job-over", () => `#/jobs/${jobId(0xf004)}`, (page) => page.getByText("complete").waitFor()],
  ["job-changes", () => `#/jobs/${jobId(0xf000)}/changes`, (page) => page.locator(".patch :is(.empty, .diff-file)").first().waitFor()],
  ["submit", () => "#/submit?repo=nova-rey/example&branch=main", (page) => until("the target is chosen", async () => (await page.getByRole("combobox", { name: "Target" }).inputValue()) !== "")],
  ["services", () => "#/services", (page) => page.getByRole("group", { name: "Watcher" }).getByText("alive").waitFor()],
  ["nothing", () => "#/nonsense", (page) => page.getByText("There is nothing at this address").waitFor()],
  ["no-job", () => `#/jobs/${jobId(0xdead)}`, (page) => page.getByText("There is no such job").waitFor()],
]);

for (const [size, width, height] of /** @type {[string, number, number][]} */ ([["wide", 1360, 860], ["phone", 390, 844], ["very-wide", 2200, 1200]])) {
  for (const scheme of /** @type {const} */ (["light", "dark"])) {
    if (size === "very-wide" && scheme === "dark") continue;
    test(`every view, ${size}, ${scheme}`, async () => {
      const page = await house.page({ viewport: { width, height }, colorScheme: scheme, deviceScaleFactor: size === "phone" ? 2 : 1, reducedMotion: "reduce" });
      for (const [name, hash, ready] of VIEWS) {
        await page.goto(`${house.ui}/${hash()}`);
        await ready(page);
        await shot(page, `${name}-${size}-${scheme}`);
        await looksRight(page, `${name}, ${size}, ${scheme}`);
      }
      assert.deepEqual(page.wrong, []);
      await page.context().close();
    });
  }
}

test("dialogs and open lists look right too", async () => {
  for (const scheme of /** @type {const} */ (["light", "dark"])) {
    const page = await house.page({ colorScheme: scheme, reducedMotion: "reduce" });
    await page.goto(`${house.ui}/#/jobs/${running}`);
    await page.getByRole("button", { name: "Abort…" }).click();
    await looksRight(page, `abort, ${scheme}`);
    await page.keyboard.press("Escape");
    await page.goto(`${house.ui}/#/submit`);
    await page.getByRole("combobox", { name: "Target" }).click();
    await page.getByRole("option").first().waitFor();
    await shot(page, `targets-${scheme}`);
    await looksRight(page, `targets, ${scheme}`);
    await page.context().close();
  }
});
