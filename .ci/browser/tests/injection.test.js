// Nothing from a log, a prompt, a file name or a record becomes markup, script, style or a link to another scheme.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Fixture, jobId, screenshot, waitUntil } from "../fixture.js";

const MARKUP = [
  "<script>window.ran = 1</script>", "<img src=x onerror='window.ran = 2'>", "<svg onload='window.ran = 3'>", "\"><iframe srcdoc='<script>parent.ran = 4</script>'>",
  "<a href='javascript:window.ran = 5'>click</a>", "<style>body { display: none }</style>", "<base href='https://evil.example/'>", "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
  "<link rel=stylesheet href='https://evil.example/x.css'>", "<form action='https://evil.example/'><button autofocus>x</button></form>", "{{constructor.constructor('window.ran = 6')()}}",
  "${window.ran = 7}", "</title></textarea></script><script>window.ran = 8</script>", "<math><mtext><script>window.ran = 9</script>", "&lt;script&gt;window.ran = 10&lt;/script&gt;", "\u202egnp.exe\u061c\u200b\u2028\ufeff",
];
const LINKS = ["javascript:window.ran=11", "JaVaScRiPt:window.ran=12", "java\tscript:window.ran=13", " javascript:window.ran=14", "data:text/html,<script>opener.ran=15</script>", "vbscript:x", "file:///etc/passwd", "//evil.example/", "blob:x", "view-source:x"];
const CONTROLS = ["\x1b]0;title\x07", "\x1b]8;;javascript:window.ran=16\x1b\\link\x1b]8;;\x1b\\", "\x1b[31m<b>red</b>\x1b[0m", "\u202egnp.exe\u202c", "\x00\x07\x08\x7f", "\x1b[38;2;999;999;999;;;;;;;m", "a\rb\r<i>c</i>", "\ufeff\u2028\u2029", "\x1bP+q544e\x1b\\", "x".repeat(300_000)];
const PROMPT = `---\npv:\n  title: "<b>front</b>"\n---\n# ${MARKUP[0]}\n\n${MARKUP.join("\n\n")}\n\n${LINKS.map((link) => `[text](${link}) ![picture](${link}) <${link}>`).join("\n\n")}\n\n\`\`\`html\n${MARKUP.join("\n")}\n\`\`\`\n\n| ${MARKUP[1]} | b |\n|---|---|\n| ${MARKUP[2]} | [x](${LINKS[0]}) |\n`;
const LOG = [...MARKUP, ...LINKS, ...CONTROLS, "event: end", "data: x", "id: 1", ""].join("\n") + "\n";

/** A patch whose names and lines are these texts. @param {string[]} texts */
function patchOf(texts) {
  return texts.map((text) => `diff --git a/${text} b/${text}\n--- a/${text}\n+++ b/${text}\n@@ -1 +1 @@ ${text}\n-${text}\n+${text}\n`).join("");
}

/** @type {Fixture} */
let fixture;
/** Every field of a record, each with another text. */
const evil = { job_id: jobId(0xe1), state: "failed", created_at: "2026-01-31T12:00:00Z", started_at: "2026-01-31T12:00:01Z", finished_at: "2026-01-31T12:05:00Z" };
before(async () => {
  fixture = await Fixture.start({ services: ["api", "ui"] });
  const texts = ["title", "message", "reason", "agent", "model", "git_owner", "repo_name", "branch_name", "inbox_file", "inbox_rel", "host", "log_path", "containment", "phase", "own_key"];
  texts.forEach((key, i) => (evil[key] = MARKUP[i % MARKUP.length]));
  evil.reason = "exit";
  evil.phase = "agent";
  evil.usage = { [MARKUP[0]]: MARKUP[1], nested: { a: MARKUP[2] } };
  evil.delivery = { branch: MARKUP[3], commit: MARKUP[4], pr_url: LINKS[0], patch_path: MARKUP[1], error: MARKUP[2] };
  fixture.addRun(evil, { log: LOG, prompt: PROMPT, patch: patchOf(MARKUP) });
  LINKS.forEach((link, i) => fixture.addRun({ job_id: jobId(0xa00 + i), state: "succeeded", title: `${link}\u202egnp\u200b`, created_at: "2026-01-31T11:00:00Z", delivery: { pr_url: link, branch: "x" } }, { log: LOG, prompt: PROMPT }));
  fixture.addRun({ job_id: "..evil".padEnd(12, "x").replace(/^\.+/, "e"), state: "<b>", created_at: MARKUP[0] });
});
after(() => fixture.close());

/** @param {import("playwright-core").Page & {errors: string[]}} page @param {string} where */
async function assertNotInjected(page, where) {
  const found = await page.evaluate(() => ({
    ran: window.ran,
    violations: window.violations,
    scripts: [...document.scripts].map((script) => script.src),
    foreign: document.querySelectorAll("main :is(script, style, iframe, object, embed, base, meta, link, form:not(.submit-form, dialog form), img, math)").length,
    links: [...document.querySelectorAll("a[href]")].map((a) => a.href).filter((href) => !/^https?:/.test(href)),
    // An empty line of a log is a zero-width space, for its height.
    invisible: [document.title, ...[...document.body.querySelectorAll("*")].flatMap((element) => [
      ...[...element.childNodes].filter((node) => node instanceof Text && node.data !== "\u200b").map((node) => node.textContent ?? ""),
      element.getAttribute("title") ?? "", element.getAttribute("aria-label") ?? "",
    ])].filter((text) => /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/.test(text)),
    handlers: [...document.querySelectorAll("*")].filter((element) => [...element.attributes].some(({ name }) => /^on/i.test(name))).length,
  }));
  assert.equal(found.ran, undefined, `${where}: 0 scripts ran`);
  assert.deepEqual(found.violations, [], `${where}: 0 violations of the policy`);
  assert.equal(found.scripts.length, 1, where);
  assert.deepEqual(found.invisible, [], `${where}: no bidirectional controls or invisible characters`);
  assert.deepEqual([found.foreign, found.links, found.handlers], [0, [], 0], where);
  assert.deepEqual(page.errors, [], where);
}

for (const scheme of /** @type {const} */ (["light", "dark"])) {
  test(`hostile texts stay text, in ${scheme}`, async () => {
    const page = await fixture.page({ colorScheme: scheme });
    /** @type {string[]} */
    const otherOrigins = [];
    page.on("request", (request) => new URL(request.url()).origin === fixture.ui || otherOrigins.push(request.url()));
    const policy = (await page.goto(fixture.ui))?.headers()["content-security-policy"] ?? "";
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe|\*|https?:/);
    await page.getByRole("row", { name: /javascript:window/ }).first().waitFor();
    await assertNotInjected(page, "dashboard");
    await page.goto(`${fixture.ui}/#/jobs/${evil.job_id}`);
    await page.locator(".log-line", { hasText: "<script>window.ran = 1</script>" }).first().waitFor();
    assert.ok(await page.locator(".details").getByText(MARKUP[5]).first().isVisible(), "it is shown as text");
    await assertNotInjected(page, "log");
    await screenshot(page, `hostile-log-${scheme}`);
    await page.goto(`${fixture.ui}/#/jobs/${evil.job_id}/prompt`);
    await page.locator(".markdown").getByText("window.ran = 1").first().waitFor();
    await assertNotInjected(page, "prompt");
    for (const link of await page.locator(".markdown a").all()) assert.match((await link.getAttribute("href")) ?? "", /^https?:/);
    await page.getByRole("button", { name: "Source" }).click();
    await assertNotInjected(page, "source");
    await page.goto(`${fixture.ui}/#/jobs/${evil.job_id}/changes`);
    await page.locator(".diff-add", { hasText: "window.ran = 1" }).first().waitFor();
    await assertNotInjected(page, "changes");
    await page.goto(`${fixture.ui}/#/jobs/${jobId(0xa00)}`);
    await page.getByText("complete").waitFor();
    await assertNotInjected(page, "delivery");
    await page.goto(`${fixture.ui}/#/submit`);
    await page.getByLabel("Prompt", { exact: true }).fill(PROMPT);
    await page.locator(".preview .markdown").getByText("window.ran = 1").first().waitFor();
    await assertNotInjected(page, "preview");
    assert.deepEqual(otherOrigins, [], "no requests to other origins");
    await page.context().close();
  });
}

test("hostile addresses inject nothing", async () => {
  const page = await fixture.page();
  for (const hash of ["#/jobs/<img src=x onerror=window.ran=1>", "#/jobs/..%2f..%2fconfig", "#/<script>", "#/?q=<script>window.ran=1</script>&state=<b>&repo=<i>", "#/submit?repo=<b>&branch=javascript:1", "#/jobs/%E0%A4%A", "#javascript:window.ran=1", "#/__proto__", "#/constructor/x"]) {
    await page.goto(`${fixture.ui}/${hash}`);
    await page.reload();
    await page.locator("#health[data-state=up]").waitFor();
    await waitUntil("a view is shown", () => page.evaluate(() => (document.querySelector("main")?.childElementCount ?? 0) > 0));
    await assertNotInjected(page, hash);
  }
});
