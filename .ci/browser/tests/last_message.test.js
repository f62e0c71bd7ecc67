// What an agent said last, on the page of a job that changed nothing: it may be a question.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { Fixture, jobId, screenshot } from "../fixture.js";

const [ASKED, LIVE, CHANGED] = [jobId(0xa5ced), jobId(0xa5cee), jobId(0xa5cef)];
const QUESTION = "I looked at `src/parser.rs` and changed **nothing** yet.\n\nWhich of the two do you mean?\n\n1. the <b>old</b> parser\n2. the new one \u202e\n\n[Docs](javascript:alert(1))\n";

/** @type {Fixture} */
let fixture;
before(async () => {
  fixture = await Fixture.start({ services: ["api", "ui"] });
});
after(() => fixture.close());

/** @param {string} id @param {object} more @param {string | null} said */
function put(id, more, said) {
  const dir = path.join(fixture.runs, id);
  const record = { schema_version: 1, job_id: id, git_owner: "nova-rey", repo_name: "example", branch_name: "main", title: "Tidy the parser", agent: "codex", created_at: "2026-01-31T12:00:00Z", started_at: "2026-01-31T12:00:01Z", ...more };
  fs.mkdirSync(dir, { recursive: true });
  if (said !== null) fs.writeFileSync(path.join(dir, "last_message.md"), said);
  fs.writeFileSync(path.join(dir, "next"), JSON.stringify(record));
  fs.renameSync(path.join(dir, "next"), path.join(dir, "job.json"));
}

const over = { state: "succeeded", phase: "agent", message: "no changes", changed: false, exit_code: 0, updated_at: "2026-01-31T12:05:00Z", finished_at: "2026-01-31T12:05:00Z" };

for (const scheme of /** @type {const} */ (["light", "dark"])) {
  test(`a job that changed nothing is shown with its question, ${scheme}`, async () => {
    put(ASKED, over, QUESTION);
    put(CHANGED, { ...over, message: "pushed codex/x", changed: true }, QUESTION);
    const page = await fixture.page({ colorScheme: scheme, reducedMotion: "reduce" });
    await page.goto(`${fixture.ui}/#/jobs/${ASKED}`);
    const panel = page.getByRole("group", { name: "Last message of the agent" });
    await panel.getByText("Which of the two do you mean?").waitFor();
    await panel.getByText("the <b>old</b> parser").waitFor();
    assert.equal(await panel.locator("ol > li").count(), 2);
    assert.equal(await panel.locator("a").count(), 0, "an address that is none of the web's is no link");
    await page.locator(".flag", { hasText: "no changes" }).waitFor();
    await screenshot(page, `last-message-${scheme}`);
    await page.goto(`${fixture.ui}/#/jobs/${CHANGED}`);
    await page.getByText("pushed codex/x").waitFor();
    assert.equal(await panel.isVisible(), false, "its request says it");
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });
}

test("the question comes when the job ends, and stays", async () => {
  put(LIVE, { state: "running", phase: "agent", heartbeat_at: new Date().toISOString(), updated_at: "2026-01-31T12:00:02Z" }, null);
  const page = await fixture.page();
  await page.goto(`${fixture.ui}/#/jobs/${LIVE}`);
  await page.locator(".badge", { hasText: "running" }).waitFor();
  put(LIVE, over, QUESTION);
  const panel = page.getByRole("group", { name: "Last message of the agent" });
  await panel.getByText("Which of the two do you mean?").waitFor();
  put(LIVE, { ...over, updated_at: "2026-01-31T12:06:00Z", title: "Tidied" }, QUESTION);
  await page.getByRole("heading", { level: 1, name: "Tidied" }).waitFor();
  assert.ok(await panel.isVisible());
  assert.deepEqual(page.errors, []);
  await page.context().close();
});
