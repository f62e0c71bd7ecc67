// Searching a log by ranges of bytes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { LogSource } from "../../../pv-http/ui/js/log/source.js";

const MIB = 1024 * 1024;

/** A log in memory that counts its reads. */
class MemoryLog extends LogSource {
  reads = 0;
  /** @param {string} text */
  constructor(text) {
    super("0", new AbortController().signal);
    this.bytes = new TextEncoder().encode(text);
    this.size = this.bytes.length;
  }
  /** @param {number} from @param {number} to */
  async read(from, to) {
    this.reads += 1;
    if (this.reads > 100) throw new Error("endless reads");
    return this.bytes.subarray(from, to);
  }
}

test("a search passes lines that are longer than a range, in both directions", async () => {
  const { signal } = new AbortController();
  const long = `${"x".repeat(9 * MIB)}\n`;
  const log = new MemoryLog(`the needle\n${long}${long}end\n`);
  assert.equal(await log.find("needle", log.size, -1, signal, () => {}), 0);
  assert.equal(await log.find("needle", "the needle\n".length, 1, signal, () => {}), null);
  assert.equal(await log.find("end", 0, 1, signal, () => {}), log.size - 4);
  assert.equal(await log.find("nowhere", log.size, -1, signal, () => {}), null);
  const alone = new MemoryLog(long);
  assert.equal(await alone.find("y", alone.size, -1, signal, () => {}), null);
});
