// What the page says of requests that came to nothing.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { leaveStage, setStage } from "./stage.js";

/** @type {(signal: AbortSignal | null) => Response | Promise<Response>} */
let answer = () => Response.error();
setStage((_path, signal) => answer(signal));
after(leaveStage);
const { access, json, post } = await import("../../../pv-http/ui/js/api.js");

test("a write that nobody answered may have been done", async () => {
  answer = () => Promise.reject(new TypeError("cut"));
  await assert.rejects(post("/jobs", {}), /may have been done/);
  await assert.rejects(json("/jobs"), (error) => error instanceof Error && !/done/.test(error.message));
  answer = (signal) => new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
  await assert.rejects(post("/jobs", {}, { timeoutMs: 1 }), /no answer within .* may have been done/);
  assert.equal(access.readOnly, null);
});
