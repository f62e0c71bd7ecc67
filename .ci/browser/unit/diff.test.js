// Parsing patches as git writes them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDiff } from "../../../pv-http/ui/js/text/diff.js";

test("files, hunks, lines and their numbers", () => {
  const [file, ...others] = parseDiff(`diff --git a/src/a.rs b/src/a.rs
index 111..222 100644
--- a/src/a.rs
+++ b/src/a.rs
@@ -3,3 +3,4 @@ fn main() {
 same
-old
+new
+more
 end
\\ No newline at end of file
`);
  assert.equal(others.length, 0);
  assert.deepEqual([file?.path, file?.change, file?.added, file?.removed], ["src/a.rs", "changed", 2, 1]);
  assert.deepEqual(file?.hunks[0]?.lines.map(({ kind, text, old, new: now }) => [kind, text, old, now]), [
    ["same", "same", 3, 3], ["del", "old", 4, null], ["add", "new", null, 4], ["add", "more", null, 5], ["same", "end", 5, 6],
    ["note", "No newline at end of file", null, null],
  ]);
});

test("lines that look like headers are lines", () => {
  const [file, ...others] = parseDiff("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n--- a/x\n+diff --git a/y b/y\n same\n");
  assert.equal(others.length, 0);
  assert.deepEqual(file?.hunks[0]?.lines.map(({ kind, text }) => [kind, text]), [["del", "-- a/x"], ["add", "diff --git a/y b/y"], ["same", "same"]]);
});

test("new, deleted, renamed, binary and oddly named files", () => {
  const files = parseDiff(`From: somebody
diff --git a/new.txt b/new.txt
new file mode 100644
--- /dev/null
+++ b/new.txt
@@ -0,0 +1 @@
+one
diff --git a/gone.txt b/gone.txt
deleted file mode 100644
--- a/gone.txt
+++ /dev/null
@@ -1 +0,0 @@
-one
diff --git a/old.txt b/name.txt
similarity index 100%
rename from old.txt
rename to name.txt
diff --git a/pic.png b/pic.png
Binary files a/pic.png and b/pic.png differ
diff --git "a/\\303\\244 <b>.txt" "b/\\303\\244 <b>.txt"
--- "a/\\303\\244 <b>.txt"
+++ "b/\\303\\244 <b>.txt"
@@ -1 +1 @@
-a
+b
`);
  assert.deepEqual(files.map(({ path, change, isBinary, oldPath }) => [path, change, isBinary, oldPath]), [
    ["new.txt", "new", false, null], ["gone.txt", "deleted", false, null], ["name.txt", "renamed", false, "old.txt"],
    ["pic.png", "changed", true, null], ["ä <b>.txt", "changed", false, null],
  ]);
});

test("a hunk with fewer lines than its header says takes none of the next file", () => {
  const files = parseDiff("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,9 +1,9 @@\n a\n+b\ndiff --git a/y b/y\n--- a/y\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n");
  assert.deepEqual(files.map(({ path, hunks }) => [path, hunks.length, hunks[0]?.lines.length]), [["x", 1, 2], ["y", 1, 2]]);
});

test("a text that is no patch has no files", () => {
  assert.deepEqual(parseDiff(""), []);
  assert.deepEqual(parseDiff("hello\n@@ -1 +1 @@\n-a\n"), []);
});

test("line separators in names and hunk headers hide no changes", () => {
  const files = parseDiff("diff --git a/x\u2028 b/x\u2028\n--- a/x\u2028\n+++ b/x\u2028\n@@ -1 +1 @@ fn \u2028\n-a\n+b\n");
  assert.deepEqual(files.map(({ path, added, removed }) => [path, added, removed]), [["x\u2028", 1, 1]]);
});
