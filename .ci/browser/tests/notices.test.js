// Files of the inbox that never run: named by the services view, until they are where and what they should be.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { Fixture, screenshot, waitUntil } from "../fixture.js";

/** @type {Fixture} */
let fixture;
before(async () => (fixture = await Fixture.start()));
after(() => fixture.close());

/** @param {string} name */
const inbox = (name) => path.join(fixture.root, "inbox", name);

test("c26 the services view names them with what to do, and no more once it is done", async () => {
  const main = "nova-rey/example/main";
  const wrong = {
    "task.prompt.md": "above the folders of branches",
    [`${main}/task.txt`]: "rename it to `task.prompt.md`",
    [`${main}/<b>bold</b>.md`.replaceAll("/b", "-b")]: "rename it to `<b>bold<-b>.prompt.md`",
  };
  for (const name of Object.keys(wrong)) fs.writeFileSync(inbox(name), "# Do it at once\n");
  fs.mkdirSync(inbox(`${main}/sub`));
  fs.writeFileSync(inbox(`${main}/sub/below.prompt.MD`), "# Do it at once\n");
  const page = await fixture.page({ reducedMotion: "reduce" });
  await page.goto(`${fixture.ui}/#/services`);
  const panel = page.locator("section", { has: page.getByRole("heading", { name: "Cannot be used" }) });
  for (const [name, said] of Object.entries(wrong)) {
    const row = panel.getByRole("listitem").filter({ hasText: inbox(name) });
    await row.getByText(said).waitFor();
  }
  assert.equal(await panel.getByText("below.prompt.MD").count(), 0);
  await screenshot(page, "notices");
  await waitUntil("the one below a branch folder has run", () => fs.existsSync(path.join(fixture.root, `finished/${main}/sub/below.done.md`)));
  fs.renameSync(inbox("task.prompt.md"), inbox(`${main}/task.prompt.md`));
  for (const name of Object.keys(wrong).slice(1)) fs.rmSync(inbox(name));
  await panel.waitFor({ state: "hidden" });
  await waitUntil("what was moved has run", () => fs.existsSync(path.join(fixture.root, `finished/${main}/task.done.md`)));
  assert.deepEqual(page.errors, []);
  await page.context().close();
});
