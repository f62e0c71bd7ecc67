// Errors of requests, and what the page may do after them.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { leaveStage, setStage } from "./stage.js";

/** @type {(signal: AbortSignal | null) => Response | Promise<Response>} */
let answer = () => Response.error();
setStage((_path, signal) => answer(signal));
after(leaveStage);
Object.assign(globalThis, { addEventListener: () => {} });
const { access, allowWrites, requestJson, postJson, setToken } = await import("../../../pv-http/ui/js/api/client.js");
const { health } = await import("../../../pv-http/ui/js/api/health.js");

test("a write that nobody answered may have been done", async () => {
  answer = () => Promise.reject(new TypeError("cut"));
  await assert.rejects(postJson("/jobs", {}), /may still have been carried out/);
  await assert.rejects(requestJson("/jobs"), (error) => error instanceof Error && !/carried out/.test(error.message));
  answer = (signal) => new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
  await assert.rejects(postJson("/jobs", {}, { timeoutMs: 1 }), /no response within .* may still have been carried out/);
  assert.equal(access.readOnly, null);
});

test("a refusal to write is no trap", async () => {
  const refuse = async () => {
    answer = () => Response.json({ detail: "only this host may write" }, { status: 403 });
    await assert.rejects(postJson("/jobs", {}));
    assert.equal(access.readOnly, "only this host may write");
  };
  await refuse();
  setToken("another");
  assert.equal(access.readOnly, null, "another token may be allowed more");
  await refuse();
  allowWrites();
  assert.equal(access.readOnly, null);
});

test("an API that comes back may have other settings", { timeout: 20_000 }, async () => {
  const turns = (/** @type {string} */ state) => new Promise((resolve) => health.addEventListener("change", () => health.now.state === state && resolve(undefined)));
  answer = () => Response.json({ version: "1" });
  const isUp = turns("up");
  void health.run();
  await isUp;
  answer = () => Response.json({ detail: "only this host may write" }, { status: 403 });
  await assert.rejects(postJson("/jobs", {}));
  answer = () => Response.json({ detail: "gone" }, { status: 502 });
  const isDown = turns("down");
  health.checkSoon();
  await isDown;
  assert.notEqual(access.readOnly, null);
  answer = () => Response.json({ version: "2" });
  const isBack = turns("up");
  health.checkSoon();
  await isBack;
  assert.equal(access.readOnly, null);
});
