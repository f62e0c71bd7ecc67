// Following a log by a stream that breaks.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { installFakeBrowser, releaseTimers } from "./fake_browser.js";

/** @type {{lastEventId: string | null, write: (text: string) => void, close: () => void}[]} */
const requests = [];
let status = 200;
installFakeBrowser((path, signal, init) => {
  assert.equal(path, "/jobs/7/log/stream?end=1");
  if (status !== 200) return Response.json({ detail: "no log" }, { status });
  /** @type {ReadableStreamDefaultController<Uint8Array>} */
  let out;
  const body = new ReadableStream({ start: (controller) => void (out = controller) });
  signal?.addEventListener("abort", () => out.error(signal.reason));
  requests.push({
    lastEventId: new Headers(init.headers).get("Last-Event-ID"),
    write: (text) => out.enqueue(new TextEncoder().encode(text)),
    close: () => out.close(),
  });
  return new Response(body);
});
after(releaseTimers);
const { LogStream } = await import("../../../pv-http/ui/js/log/stream.js");

/** A stream from offset 0, and what its handlers were called with. */
function follow() {
  /** @type {string[]} */
  const calls = [];
  let end = 0;
  const stream = new LogStream("7", {
    endOffset: () => end,
    onOpen: () => calls.push("open"),
    onLines: (lines) => {
      assert.ok(lines.length > 0);
      end = lines.at(-1)?.end ?? end;
      calls.push(...lines.map((line) => `${line.start}-${line.end} ${line.text}`));
    },
    onEnd: () => calls.push("end"),
    onMissing: () => calls.push("missing"),
    onError: (message) => calls.push(`error: ${message}`),
  });
  return { stream, calls };
}

/** Collects what is to run in animation frames, instead of running it. */
function captureFrames() {
  const frames = /** @type {(() => void)[]} */ ([]);
  Object.assign(globalThis, { requestAnimationFrame: (/** @type {() => void} */ run) => frames.push(run) });
  return frames;
}

/** Waits until a condition holds. @param {() => boolean} condition */
async function waitUntil(condition) {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

test("a broken stream resumes after the last line that arrived, and ends once", { timeout: 20_000 }, async () => {
  const { stream, calls } = follow();
  const running = stream.run(new AbortController().signal);
  await waitUntil(() => requests.length === 1);
  requests[0]?.write("data: one\nid: 4\n\ndata: cut");
  await waitUntil(() => calls.length === 2);
  requests[0]?.close();
  await waitUntil(() => requests.length === 2);
  requests[1]?.write("data: two\nid: 8\n\nevent: end\ndata: {}\n\n");
  requests[1]?.close();
  await running;
  assert.deepEqual(requests.map(({ lastEventId }) => lastEventId), ["0", "4"]);
  assert.deepEqual(calls, ["open", "0-4 one", "open", "4-8 two", "end"]);
});

test("lines that wait for a frame when the stream is aborted can be taken, and are shown once", { timeout: 20_000 }, async () => {
  const opened = requests.length;
  const { stream, calls } = follow();
  const abort = new AbortController();
  const frames = captureFrames();
  const running = stream.run(abort.signal);
  await waitUntil(() => requests.length > opened);
  requests.at(-1)?.write("data: one\nid: 4\n\n");
  await waitUntil(() => frames.length === 1);
  abort.abort();
  await running;
  assert.deepEqual(stream.takePending(), [{ start: 0, end: 4, text: "one" }]);
  for (const run of frames) run();
  assert.deepEqual(calls, ["open"]);
});

test("a frame after the end adds nothing", { timeout: 20_000 }, async () => {
  const opened = requests.length;
  const { stream, calls } = follow();
  const frames = captureFrames();
  const running = stream.run(new AbortController().signal);
  await waitUntil(() => requests.length > opened);
  requests.at(-1)?.write("data: one\nid: 4\n\n");
  await waitUntil(() => frames.length === 1);
  requests.at(-1)?.write("event: end\ndata: {}\n\n");
  requests.at(-1)?.close();
  await running;
  for (const run of frames) run();
  assert.deepEqual(calls, ["open", "0-4 one", "end"]);
});

test("a job without a log is reported, and not retried", async () => {
  status = 404;
  const { stream, calls } = follow();
  await stream.run(new AbortController().signal);
  assert.deepEqual(calls, ["missing"]);
});
