// What the page says of checks, and where it shows the attempts.
import assert from "node:assert/strict";
import { test } from "node:test";
import "./fake_browser.js";

const { columnsOf, endingOf, isGreen, verdictOf } = await import("../../../pv-http/ui/js/views/job/checks.js");
const { agentStep, hasChecks, stepOf } = await import("../../../pv-http/ui/js/views/job/phases.js");

const green = { name: "test", command: "cargo test", exit_code: 0, seconds: 41.2, timed_out: false };
const red = { name: "test", command: "cargo test", exit_code: 101, seconds: 3, timed_out: false };

test("a check is green only where it was started, ended by itself and exited with 0", () => {
  for (const [check, expected, ending] of [
    [green, true, "exit 0, 41s"], [red, false, "exit 101, 3.0s"], [{ ...green, timed_out: true }, false, "ended at its time limit, 41s"],
    [{ name: "x", error: "could not be started" }, false, "could not be started"], [{ name: "x", exit_code: -9, seconds: 1 }, false, "signal 9, 1.0s"],
    [{ name: "x" }, false, "not known how it ended"],
  ]) {
    assert.equal(isGreen(check), expected);
    assert.equal(endingOf(check), ending);
  }
});

test("the page says that work is verified only where the record does", () => {
  const job = { job_id: "a", state: "succeeded", changed: true };
  assert.deepEqual(verdictOf({ ...job, verified: true, checks: [green] })?.is, "verified");
  assert.deepEqual(verdictOf({ ...job, state: "failed", verified: false, checks: [red] })?.is, "red");
  assert.deepEqual(verdictOf(job)?.text, "Not verified: no checks are configured.");
  assert.deepEqual(verdictOf({ ...job, changed: false }), null);
  assert.deepEqual(verdictOf({ ...job, state: "running", phase: "checking" })?.text, "The checks are running.");
  assert.deepEqual(verdictOf({ ...job, state: "running", phase: "agent", attempts: [{ number: 1, checks: [red] }, { number: 2 }] })?.is, "unknown");
  assert.deepEqual(verdictOf({ ...job, state: "running", phase: "agent" }), null);
});

test("each attempt that was checked has a column, and the steps show which attempt it is", () => {
  const attempts = [{ number: 1, checks: [red] }, { number: 2, checks: [green] }, { number: 3 }];
  assert.deepEqual(columnsOf({ job_id: "a", state: "running", attempts }).map(({ name }) => name), ["Attempt 1", "Attempt 2"]);
  assert.deepEqual(columnsOf({ job_id: "a", state: "failed", checks: [red] }).map(({ name }) => name), ["Result"]);
  assert.deepEqual(columnsOf({ job_id: "a", state: "failed" }), []);
  assert.equal(agentStep({ job_id: "a", state: "running", attempts }), "attempt 3");
  assert.equal(agentStep({ job_id: "a", state: "running", attempts: [{ number: 1 }] }), "agent");
  assert.equal(Boolean(hasChecks({ job_id: "a", state: "running", attempts })), true);
  assert.equal(Boolean(hasChecks({ job_id: "a", state: "running", phase: "agent" })), false);
  assert.equal(stepOf({ job_id: "a", state: "running", phase: "checking" }).at, 4);
});
