// Keeping the list of jobs up to date.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { eventStream, installFakeBrowser, releaseTimers } from "./fake_browser.js";

/** @type {ReturnType<typeof eventStream>[]} */
const streams = [];
/** @type {(Response | Promise<Response>)[]} the responses to requests for lists, in turn; then always the last one */
let lists = [];
installFakeBrowser((path, signal) => {
  if (path === "/events") {
    const stream = eventStream(signal);
    streams.push(stream);
    setImmediate(() => stream.send("ready"));
    return stream.response;
  }
  assert.match(path, /^\/jobs\?/);
  const [answer] = lists.length > 1 ? lists.splice(0, 1) : lists;
  return Promise.resolve(answer ?? Response.error()).then((response) => response.clone());
});
after(releaseTimers);
const { JobStore } = await import("../../../pv-http/ui/js/api/job_store.js");

const id = (/** @type {number} */ n) => n.toString(16).padStart(32, "0");
const job = (/** @type {number} */ n, /** @type {string} */ state, second = 0) => ({ job_id: id(n), state, created_at: "2026-01-31T12:00:00Z", updated_at: `2026-01-31T12:00:${String(second).padStart(2, "0")}Z` });
const list = (/** @type {object[]} */ ...jobs) => Response.json({ jobs });

/** A response that is given later. */
function later() {
  /** @type {(response: Response) => void} */
  let resolve = () => {};
  const promise = /** @type {Promise<Response>} */ (new Promise((done) => (resolve = done)));
  return { promise, resolve };
}

/** Waits until a condition holds for a store. @param {InstanceType<typeof JobStore>} store @param {() => unknown} condition */
function waitUntil(store, condition) {
  return new Promise((resolve) => {
    const check = () => condition() && resolve(undefined);
    store.addEventListener("change", check);
    check();
  });
}

test("after a reset the list is loaded until that succeeds", { timeout: 20_000 }, async () => {
  lists = [list(job(1, "running"))];
  const store = new JobStore();
  void store.run();
  await waitUntil(store, () => store.mode === "live");
  lists = [Response.json({ detail: "busy" }, { status: 500 }), list(job(1, "succeeded", 1), job(2, "created"))];
  streams.at(-1)?.send("reset");
  await waitUntil(store, () => store.mode === "live" && store.get(id(2)) !== undefined);
  assert.equal(store.get(id(1))?.state, "succeeded");
  assert.ok(store.isComplete);
});

test("a list that is older than an event sets no job back", { timeout: 20_000 }, async () => {
  const [firstPage, allPages] = [later(), later()];
  lists = [firstPage.promise, allPages.promise];
  const opened = streams.length;
  const store = new JobStore();
  void store.run();
  while (streams.length === opened) await new Promise((resolve) => setImmediate(resolve));
  streams.at(-1)?.send("ready");
  streams.at(-1)?.send("job", job(1, "succeeded", 2));
  await waitUntil(store, () => store.get(id(1)));
  firstPage.resolve(list(job(1, "running", 1), job(2, "created")));
  await waitUntil(store, () => store.get(id(2)));
  assert.equal(store.get(id(1))?.state, "succeeded", "the first page only adds");
  allPages.resolve(list(job(1, "running", 1), job(2, "running", 5)));
  await waitUntil(store, () => store.mode === "live");
  streams.at(-1)?.send("job", job(2, "running", 4));
  streams.at(-1)?.send("job", job(3, "created"));
  await waitUntil(store, () => store.get(id(3)));
  assert.equal(store.get(id(1))?.state, "succeeded");
  assert.equal(store.get(id(2))?.updated_at, job(2, "running", 5).updated_at);
});

test("jobs whose records tell no creation are sorted by what they tell, as the API does", { timeout: 20_000 }, async () => {
  const times = [{ updated_at: "2026-01-31T12:00:01Z" }, { created_at: "2026-01-31T12:00:03Z", updated_at: "2026-01-31T13:00:00Z" },
    { started_at: "2026-01-31T12:00:02Z", updated_at: "2026-01-31T14:00:00Z" }, { heartbeat_at: "2026-01-31T12:00:04Z" }, {}];
  lists = [list(...times.map((time, n) => ({ job_id: id(n), state: "succeeded", ...time })))];
  const opened = streams.length;
  const store = new JobStore();
  void store.run();
  await waitUntil(store, () => store.mode === "live");
  const stream = streams[opened];
  const order = () => store.all().map((entry) => entry.job_id);
  assert.deepEqual(order(), [3, 1, 2, 0, 4].map(id));
  stream?.send("job", { job_id: id(0), state: "failed", updated_at: "2026-01-31T12:00:09Z" });
  await waitUntil(store, () => store.get(id(0))?.state === "failed");
  assert.deepEqual(order(), [0, 3, 1, 2, 4].map(id), "one whose only time has changed");
});
