// What a page stores in the browser is its own, though another page of the same origin lies below another path.
import assert from "node:assert/strict";
import { test } from "node:test";
import { keyHere } from "../../../pv-http/ui/js/lib/place.js";

test("c25 each path has names of its own, and the root those that it always had", () => {
  for (const [base, key] of [
    ["http://localhost:8080/", "pv.token"],
    ["http://localhost:8080/index.html", "pv.token"],
    ["https://host/pv/", "pv.token /pv/"],
    ["https://host/pv/index.html", "pv.token /pv/"],
    ["https://host/other/pv/", "pv.token /other/pv/"],
  ]) {
    Object.assign(globalThis, { document: { baseURI: base } });
    assert.equal(keyHere("pv.token"), key);
  }
});
