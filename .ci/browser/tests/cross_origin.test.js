// Cross-origin requests and DNS rebinding in a real browser: a page of another origin creates 0 jobs, aborts 0 and reads 0
// bytes, at the API and at the page's service.
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { after, before, test } from "node:test";
import { Fixture, recordErrors } from "../fixture.js";

/** @type {Fixture} */
let fixture;
/** @type {http.Server} */
let evil;
let running = "";
const EVIL_HTML = "<!doctype html><title>evil</title><iframe name=sink></iframe><h1>evil</h1>";
before(async () => {
  fixture = await Fixture.start();
  running = await fixture.submit("# A secret");
  await fixture.waitForState(running, "running");
  evil = http.createServer((_, response) => response.setHeader("content-type", "text/html").end(EVIL_HTML)).listen(0, "127.0.0.1");
  await once(evil, "listening");
});
after(async () => {
  fixture.finish(running);
  evil.close();
  await fixture.close();
});

/** Runs in the attacking page. Returns everything that it could read. @param {[string, string]} given */
async function attack([base, id]) {
  const read = /** @type {string[]} */ ([]);
  const api = `${base}/api/v1`;
  const body = JSON.stringify({ repo: "nova-rey/example", branch: "main", markdown_text: "# Evil" });
  const tries = [
    ...["/jobs", "/status", `/jobs/${id}`, `/jobs/${id}/prompt`, `/jobs/${id}/log`, `/jobs/${id}/log/stream`, "/targets", "/healthz", "/openapi.json", "/config", "/events"].map((path) => [path, {}]),
    ["/jobs", { method: "POST", body, headers: { "content-type": "application/json" } }],
    ["/jobs", { method: "POST", body, headers: { "content-type": "text/plain" } }],
    ["/jobs", { method: "POST", body }],
    ["/jobs/upload", { method: "POST", body: (() => { const form = new FormData(); form.append("repo", "nova-rey/example"); form.append("branch", "main"); form.append("files", new Blob(["# Evil"]), "evil.md"); return form; })() }],
    [`/jobs/${id}/abort`, { method: "POST" }],
    [`/jobs/${id}/retry`, { method: "POST" }],
    [`/jobs/${id}/abort`, { method: "POST", headers: { "x-http-method-override": "POST" } }],
  ];
  for (const [path, init] of tries) {
    for (const mode of ["cors", "no-cors"]) {
      try {
        const end = new AbortController();
        setTimeout(() => end.abort(), 1500);
        const response = await fetch(api + path, { ...init, mode, credentials: "include", signal: end.signal });
        // An error reveals nothing; a response would.
        if (response.ok) read.push(`${mode} ${path}: ${(await response.text()).slice(0, 80)}`);
      } catch {}
    }
  }
  for (const path of [`/jobs/${id}/abort`, "/jobs", "/jobs/upload"]) {
    for (const enctype of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
      const form = Object.assign(document.createElement("form"), { action: api + path, method: "post", enctype, target: "sink" });
      for (const [name, value] of Object.entries({ repo: "nova-rey/example", branch: "main", markdown_text: "# Evil", [body.slice(0, -1) + ',"x":"']: '"}' })) form.append(Object.assign(document.createElement("input"), { name, value }));
      document.body.append(form);
      form.submit();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  for (const [tag, path] of [["img", `/jobs/${id}`], ["script", "/jobs"], ["iframe", "/../../"], ["object", "/jobs"]]) {
    const element = document.createElement(tag);
    const loaded = new Promise((resolve) => { element.onload = () => resolve("loaded"); element.onerror = () => resolve("error"); setTimeout(() => resolve("timeout"), 700); });
    element[tag === "object" ? "data" : "src"] = tag === "iframe" ? `${base}/` : api + path;
    document.body.append(element);
    const outcome = await loaded;
    if (tag === "iframe") { try { if (element.contentDocument?.body?.textContent) read.push("framed"); } catch {} }
    else if (outcome === "loaded" && tag !== "object") read.push(`${tag} ${path} loaded`);
  }
  await new Promise((resolve) => {
    const source = new EventSource(`${api}/jobs/${id}/log/stream`);
    source.onmessage = (event) => read.push(`event: ${event.data}`);
    setTimeout(() => { source.close(); resolve(undefined); }, 700);
  });
  return read;
}

/** @param {string} what */
async function assertNothingHappened(what) {
  const { jobs } = await fixture.request("jobs");
  assert.deepEqual(jobs.map((job) => job.job_id), [running], `${what}: 0 jobs created`);
  assert.equal(jobs[0].abort_requested, false, `${what}: 0 aborted`);
  assert.equal(jobs[0].state, "running", what);
}

for (const [name, base] of [["the API", () => fixture.api], ["the page's service", () => fixture.ui]]) {
  test(`a page of another origin gets nothing from ${name}`, async () => {
    const port = /** @type {import("node:net").AddressInfo} */ (evil.address()).port;
    // Another port of the same host, and another name.
    for (const origin of [`http://127.0.0.1:${port}`, `http://localhost:${port}`]) {
      const page = await fixture.page();
      await page.goto(origin);
      assert.deepEqual(await page.evaluate(attack, [base(), running]), [], `${origin}: 0 bytes read`);
      await assertNothingHappened(origin);
      await page.context().close();
    }
  });
}

test("DNS rebinding gets nothing", async () => {
  const other = new Fixture();
  try {
    const browser = await other.browser(["--host-resolver-rules=MAP rebind.evil.example 127.0.0.1"]);
    for (const port of [fixture.port, fixture.uiPort]) {
      const page = await recordErrors(await browser.newPage());
      const base = `http://rebind.evil.example:${port}`;
      const response = await page.goto(base);
      assert.equal(response?.status(), 421, "the page itself is refused");
      assert.ok(!(await page.content()).includes("main.js"));
      // A page that was loaded before the name was rebound has that origin: its requests are same-origin now.
      await page.route(`${base}/evil`, (route) => route.fulfill({ contentType: "text/html", body: EVIL_HTML }));
      await page.goto(`${base}/evil`);
      assert.deepEqual(await page.evaluate(attack, [base, running]), [], `${base}: 0 bytes read`);
      await assertNothingHappened(base);
      await page.close();
    }
  } finally {
    await other.close();
  }
});

test("the same requests from the API's own page do read and create, so they are valid", async () => {
  const page = await fixture.page();
  await page.goto(fixture.api);
  const read = await page.evaluate(attack, [fixture.api, running]);
  for (const what of ["cors /jobs: ", `cors /jobs/${running}/log: agent at work`, "event: agent at work"]) {
    assert.ok(read.some((text) => text.startsWith(what)), `${what} in ${read.join("\n")}`);
  }
  assert.ok((await fixture.request("jobs")).jobs.length > 1);
  assert.equal((await fixture.request(`jobs/${running}`)).abort_requested, true);
});
