// Held agents: what is said of a hold, and the request that lifts it.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { installFakeBrowser, releaseTimers } from "./fake_browser.js";

/** @type {string[]} */
const sent = [];
/** @type {() => Response} */
let respond = () => new Response(null, { status: 204 });
installFakeBrowser((path, _signal, init) => {
  sent.push(`${init.method} ${path}`);
  return respond();
});
after(releaseTimers);
Object.assign(globalThis, { addEventListener: () => {} });
const { liftHold } = await import("../../../pv-http/ui/js/api/holds.js");
const { describeHold } = await import("../../../pv-http/ui/js/views/holds.js");

const { dateTime } = await import("../../../pv-http/ui/js/lib/time.js");

const HOLD = { agent: "codex", kind: "auth", until: "2026-01-31T12:15:00Z", message: "401", job_id: "a", state: "held" };

test("c02: a hold says why jobs wait, and that one at a time is tried when its time is over", () => {
  const end = dateTime(Date.UTC(2026, 0, 31, 12, 15));
  assert.equal(describeHold(HOLD), `not logged in, until ${end}`);
  assert.equal(describeHold({ ...HOLD, kind: "quota", state: "probing" }), `at a limit, one job at a time is tried since ${end}`);
  assert.equal(describeHold({ ...HOLD, kind: "start" }), `cannot be started, until ${end}`);
  assert.equal(describeHold({ ...HOLD, kind: "weather" }), `weather, until ${end}`);
  assert.equal(describeHold({ agent: "codex", until: "x", message: "", job_id: "a" }), "at a limit, until x");
});

test("c02: lifting a hold names its kind and its agent, whatever that is called", async () => {
  sent.length = 0;
  await liftHold({ ...HOLD, agent: "a/b ?#é" });
  assert.deepEqual(sent, ["DELETE /holds/auth/a%2Fb%20%3F%23%C3%A9"]);
  respond = () => Response.json({ detail: "no hold of the kind `auth` is on that agent" }, { status: 404 });
  await assert.rejects(liftHold(HOLD), /no hold of the kind/);
});
