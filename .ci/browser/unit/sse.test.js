// Parsing server-sent events.
import assert from "node:assert/strict";
import { test } from "node:test";
import { EventParser, readEvents } from "../../../pv-http/ui/js/api/sse.js";

const bytes = new TextEncoder().encode(
  ": hello\n\ndata: ä€😀\nid: 7\n\ndata:two\ndata: lines\nid: 9\n\nevent: end\ndata: {\"a\":1}\n\nid: 12\n\ndata: \nid: 13\r\n\r\ndata: never ended\n",
);
const expected = [
  { event: "message", data: "ä€😀", id: "7" },
  { event: "message", data: "two\nlines", id: "9" },
  { event: "end", data: '{"a":1}', id: "9" },
  { event: "message", data: "", id: "13" },
];

test("events are complete, wherever the bytes are cut", () => {
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const parser = new EventParser();
    const events = [...parser.push(bytes.subarray(0, cut)), ...parser.push(bytes.subarray(cut))];
    assert.deepEqual(events, expected, `cut at ${cut}`);
  }
  const parser = new EventParser();
  assert.deepEqual([...bytes].flatMap((byte) => parser.push(Uint8Array.of(byte))), expected, "byte by byte");
});

test("a line without an end is truncated", () => {
  const parser = new EventParser();
  const chunk = new TextEncoder().encode("data: ".padEnd(1 << 20, "x"));
  for (let i = 0; i < 12; i += 1) parser.push(chunk);
  const [event] = parser.push(new TextEncoder().encode("\nid: 1\n\n"));
  assert.ok((event?.data.length ?? 0) < 5 << 20);
});

test("reading resolves at the end of the stream, and rejects when it breaks", async () => {
  /** @type {string[]} */
  const seen = [];
  await readEvents(new Response(bytes), (events) => seen.push(...events.map(({ data }) => data)), 5000);
  assert.equal(seen.length, 4);
  const broken = new ReadableStream({ pull: (controller) => controller.error(new Error("cut")) });
  await assert.rejects(readEvents(new Response(broken), () => {}, 5000), /cut/);
});
