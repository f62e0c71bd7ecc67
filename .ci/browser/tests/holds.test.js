// Held agents: named by the services view, and lifted by its button.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { Fixture, jobId, screenshot } from "../fixture.js";

/** @type {Fixture} */
let fixture;
before(async () => {
  fixture = await Fixture.start({ services: ["api", "ui"] });
  fs.mkdirSync(path.join(fixture.runs, ".holds"), { recursive: true });
});
after(() => fixture.close());

/** @param {string} agent @param {string} kind @param {string} until */
function put(agent, kind, until) {
  const hold = { agent, kind, until, message: "401 <b>Unauthorized</b>", job_id: jobId(0xc0ffee), since: "2026-01-01T00:00:00Z", unknown_ends: 1 };
  fs.writeFileSync(path.join(fixture.runs, ".holds", `${agent}.${kind}.json`), JSON.stringify(hold));
}

for (const scheme of /** @type {const} */ (["light", "dark"])) {
  test(`c02: a hold is shown with what to do, and its button lifts it, ${scheme}`, async () => {
    put("codex", "auth", "2999-01-01T00:00:00Z");
    put("claude", "quota", "2026-01-01T00:15:00Z");
    const page = await fixture.page({ colorScheme: scheme, reducedMotion: "reduce", locale: "en-GB", timezoneId: "Asia/Tokyo" });
    await page.goto(`${fixture.ui}/#/services`);
    const panel = page.getByRole("region", { name: "Held agents" });
    for (const text of ["codex", "not logged in, until 1 Jan 2999, 09:00:00", "401 <b>Unauthorized</b>", "pv resume --agent codex --all", "one job at a time is tried"]) {
      await panel.getByText(text).first().waitFor();
    }
    await screenshot(page, `holds-${scheme}`);
    await panel.getByRole("button", { name: "Let the jobs of codex start now (auth)" }).click();
    await panel.getByText("not logged in").waitFor({ state: "detached" });
    assert.deepEqual(fs.readdirSync(path.join(fixture.runs, ".holds")), ["claude.quota.json"]);
    await panel.getByRole("button", { name: "Let the jobs of claude start now (quota)" }).click();
    await panel.waitFor({ state: "hidden" });
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });
}
