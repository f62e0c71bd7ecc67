// How the page keeps its jobs up to date.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { eventStream, leaveStage, setStage } from "./stage.js";

/** @type {ReturnType<typeof eventStream>[]} */
const streams = [];
/** @type {(Response | Promise<Response>)[]} what lists are answered with, in turn; the last one from then on */
let lists = [];
setStage((path, signal) => {
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
after(leaveStage);
const { JobStore } = await import("../../../pv-http/ui/js/api/job_store.js");

const id = (/** @type {number} */ n) => n.toString(16).padStart(32, "0");
const job = (/** @type {number} */ n, /** @type {string} */ state, second = 0) => ({ job_id: id(n), state, created_at: "2026-01-31T12:00:00Z", updated_at: `2026-01-31T12:00:${String(second).padStart(2, "0")}Z` });
const list = (/** @type {object[]} */ ...jobs) => Response.json({ jobs });

/** An answer that is given later. */
function later() {
  /** @type {(answer: Response) => void} */
  let resolve = () => {};
  const promise = /** @type {Promise<Response>} */ (new Promise((done) => (resolve = done)));
  return { promise, resolve };
}

/** Waits until something is so of a store. @param {InstanceType<typeof JobStore>} store @param {() => unknown} is */
function until(store, is) {
  return new Promise((resolve) => {
    const look = () => is() && resolve(undefined);
    store.addEventListener("change", look);
    look();
  });
}

test("after a reset the list is read until it has been read", { timeout: 20_000 }, async () => {
  lists = [list(job(1, "running"))];
  const store = new JobStore();
  void store.run();
  await until(store, () => store.mode === "live");
  lists = [Response.json({ detail: "busy" }, { status: 500 }), list(job(1, "succeeded", 1), job(2, "created"))];
  streams.at(-1)?.send("reset");
  await until(store, () => store.mode === "live" && store.get(id(2)) !== undefined);
  assert.equal(store.get(id(1))?.state, "succeeded");
  assert.ok(store.isComplete);
});


test("a list that was read before an event takes nothing back", { timeout: 20_000 }, async () => {
  const [glance, whole] = [later(), later()];
  lists = [glance.promise, whole.promise];
  const opened = streams.length;
  const store = new JobStore();
  void store.run();
  while (streams.length === opened) await new Promise((resolve) => setImmediate(resolve));
  streams.at(-1)?.send("ready");
  streams.at(-1)?.send("job", job(1, "succeeded", 2));
  await until(store, () => store.get(id(1)));
  glance.resolve(list(job(1, "running", 1), job(2, "created")));
  await until(store, () => store.get(id(2)));
  assert.equal(store.get(id(1))?.state, "succeeded", "the first glance only adds");
  whole.resolve(list(job(1, "running", 1), job(2, "running", 5)));
  await until(store, () => store.mode === "live");
  streams.at(-1)?.send("job", job(2, "running", 4));
  streams.at(-1)?.send("job", job(3, "created"));
  await until(store, () => store.get(id(3)));
  assert.equal(store.get(id(1))?.state, "succeeded");
  assert.equal(store.get(id(2))?.updated_at, job(2, "running", 5).updated_at);
});
