// Takes the screenshots of the documentation: node .ci/browser/screenshots.js, after `cargo build` and
// `npm ci --prefix .ci/browser`. Look at them before they are committed.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Fixture } from "./fixture.js";
import { RUNNING, addSampleJobs, PROMPT } from "./sample_jobs.js";

const IMAGES = path.join(path.dirname(fileURLToPath(import.meta.url)), "../../docs/images");
const SIZE = { width: 1280, height: 800 };

const fixture = await Fixture.start({ services: ["api", "ui"] });
try {
  addSampleJobs(fixture, { live: true });
  fs.mkdirSync(IMAGES, { recursive: true });
  const take = async (/** @type {string} */ name, /** @type {"light" | "dark"} */ colorScheme, /** @type {string} */ hash, /** @type {(page: import("playwright-core").Page) => Promise<unknown>} */ ready) => {
    const page = await fixture.page({ viewport: SIZE, colorScheme, reducedMotion: "reduce", locale: "en-GB", timezoneId: "UTC" });
    await page.goto(`${fixture.ui}/${hash}`);
    await page.getByText("API reachable").waitFor();
    await ready(page);
    await page.screenshot({ path: path.join(IMAGES, `${name}.png`) });
    console.log(`docs/images/${name}.png`);
    await page.context().close();
  };
  await take("dashboard", "light", "#/", (page) => page.locator(".job-bar[data-id]").nth(20).waitFor());
  await take("job", "dark", `#/jobs/${RUNNING}`, (page) => page.locator(".log-line").nth(100).waitFor());
  await take("submit", "light", "#/submit?repo=nova-rey/example&branch=main", async (page) => {
    await page.getByLabel("Prompt", { exact: true }).fill(PROMPT);
    await page.getByLabel("Timeout").fill("90m");
    await page.locator(".preview .md-table").waitFor();
  });
} finally {
  await fixture.close();
}
