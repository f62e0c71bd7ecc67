// What a first visit is told to do.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { installFakeBrowser, releaseTimers } from "./fake_browser.js";

installFakeBrowser(() => Response.error());
after(releaseTimers);
Object.assign(globalThis, { addEventListener: () => {} });
const { firstSteps, pvCommand, shellWord } = await import("../../../pv-http/ui/js/views/first_steps.js");

/** @param {[string, unknown, string][]} settings @param {string} [agents] */
const installation = (settings, agents) => ({
  settings: settings.map(([name, value, origin]) => ({ name, variable: null, value, origin })),
  checks: agents ? [{ check: "agents", level: agents, message: "can be started: codex", remedy: null }] : [],
  agents: [], warnings: [],
});
/** @param {boolean | null} alive @param {number} count */
const status = (alive, count) => /** @type {any} */ ({ watcher: { alive, holds: [] }, targets: { count } });

test("pv is called so that it finds this installation", () => {
  assert.equal(pvCommand(null), "pv");
  assert.equal(pvCommand(installation([["pv_root", "/srv/prompt-valet", "default"], ["PV_CONFIG_PATH", "/c", "default: this user's own"]])), "pv");
  assert.equal(pvCommand(installation([["pv_root", "/my root", "--root"], ["PV_CONFIG_PATH", "/c.yaml", "PV_CONFIG_PATH"]])), "pv --config /c.yaml --root '/my root'");
  assert.equal(shellWord("it's"), `'it'\\''s'`);
  assert.equal(shellWord("$(x)"), "'$(x)'");
  assert.equal(shellWord(""), "''");
});

test("each step says whether it is done", () => {
  /** @param {[any, any]} facts @param {Record<string, boolean>} expected */
  const check = ([now, known], expected) =>
    assert.deepEqual(Object.fromEntries(firstSteps(now, known).map(({ name, isDone }) => [name.split(" ")[0], isDone])), expected);
  check([status(null, 0), installation([], "problem")], { Start: false, Install: false, Make: false, Submit: false });
  check([status(true, 0), installation([], "ok")], { Start: true, Install: true, Make: false, Submit: false });
  check([status(false, 2), installation([], "ok")], { Start: false, Install: true, Make: true, Submit: false });
  check([status(true, 2), null], { Start: true, Make: true, Submit: false });
});

test("a silent watcher is told from one that never was", () => {
  assert.match(firstSteps(status(false, 0), null)[0]?.why ?? "", /silent/);
  assert.doesNotMatch(firstSteps(status(null, 0), null)[0]?.why ?? "", /silent/);
});
