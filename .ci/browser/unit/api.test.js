// Errors of requests, and what the page may do after them.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { installFakeBrowser, releaseTimers } from "./fake_browser.js";

/** @type {(signal: AbortSignal | null) => Response | Promise<Response>} */
let respond = () => Response.error();
installFakeBrowser((_path, signal) => respond(signal));
after(releaseTimers);
Object.assign(globalThis, { addEventListener: () => {} });
const { access, allowWrites, requestJson, postJson, setToken } = await import("../../../pv-http/ui/js/api/client.js");
const { health } = await import("../../../pv-http/ui/js/api/health.js");

test("a write without a response may have been carried out", async () => {
  respond = () => Promise.reject(new TypeError("cut"));
  await assert.rejects(postJson("/jobs", {}), /may still have been carried out/);
  await assert.rejects(requestJson("/jobs"), (error) => error instanceof Error && !/carried out/.test(error.message));
  respond = (signal) => new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
  await assert.rejects(postJson("/jobs", {}, { timeoutMs: 1 }), /no response within .* may still have been carried out/);
  assert.equal(access.readOnly, null);
});

test("a refused write does not block later ones for good", async () => {
  const refuse = async () => {
    respond = () => Response.json({ detail: "only this host may write" }, { status: 403 });
    await assert.rejects(postJson("/jobs", {}));
    assert.equal(access.readOnly, "only this host may write");
  };
  await refuse();
  setToken("another");
  assert.equal(access.readOnly, null, "another token may have other permissions");
  await refuse();
  allowWrites();
  assert.equal(access.readOnly, null);
});

test("an API that is reachable again may allow writes", { timeout: 20_000 }, async () => {
  const becomes = (/** @type {string} */ state) => new Promise((resolve) => health.addEventListener("change", () => health.now.state === state && resolve(undefined)));
  respond = () => Response.json({ version: "1" });
  const isUp = becomes("up");
  void health.run();
  await isUp;
  respond = () => Response.json({ detail: "only this host may write" }, { status: 403 });
  await assert.rejects(postJson("/jobs", {}));
  respond = () => Response.json({ detail: "gone" }, { status: 502 });
  const isDown = becomes("down");
  health.checkSoon();
  await isDown;
  assert.notEqual(access.readOnly, null);
  respond = () => Response.json({ version: "2" });
  const isBack = becomes("up");
  health.checkSoon();
  await isBack;
  assert.equal(access.readOnly, null);
});
