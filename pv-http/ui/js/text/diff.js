/**
 * @file Parsing a patch as git writes it: files, hunks, lines. Pure.
 */

/** @typedef {{kind: "add" | "del" | "same" | "note", text: string, old: number | null, new: number | null}} DiffLine */
/** @typedef {{header: string, lines: DiffLine[]}} Hunk */
/** @typedef {{path: string, oldPath: string | null, change: "changed" | "new" | "deleted" | "renamed", isBinary: boolean,
 *     added: number, removed: number, hunks: Hunk[]}} DiffFile */

/**
 * Parses a patch. Text before the first file is ignored.
 * @param {string} patch
 * @returns {DiffFile[]}
 */
export function parseDiff(patch) {
  /** @type {DiffFile[]} */
  const files = [];
  /** @type {DiffFile | null} */
  let file = null;
  /** @type {Hunk | null} */
  let hunk = null;
  let remaining = { old: 0, new: 0 };
  let next = { old: 0, new: 0 };
  for (const line of patch.split("\n")) {
    // A hunk that has fewer lines than its header says ends where something else begins.
    if (hunk && file && (remaining.old > 0 || remaining.new > 0) && /^(?:[ +\-\\]|$)/.test(line)) {
      addLine(file, hunk, line, remaining, next);
      continue;
    }
    const start = /^diff --git (.*)$/s.exec(line);
    if (start) {
      file = newFile(start[1] ?? "");
      hunk = null;
      files.push(file);
      continue;
    }
    if (!file) continue;
    const range = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(line);
    if (range) {
      next = { old: Number(range[1]), new: Number(range[3]) };
      remaining = { old: Number(range[2] ?? 1), new: Number(range[4] ?? 1) };
      hunk = { header: line, lines: [] };
      file.hunks.push(hunk);
    } else if (hunk && line.startsWith("\\")) {
      hunk.lines.push({ kind: "note", text: line.slice(2), old: null, new: null });
    } else if (!hunk) parseHeader(file, line);
  }
  return files;
}

/** @param {string} names @returns {DiffFile} */
function newFile(names) {
  // Both names are the same, except in renames, which have lines of their own for the names.
  const half = names.slice(0, (names.length - 1) / 2);
  const path = unquote(half).replace(/^a\//, "");
  return { path, oldPath: null, change: "changed", isBinary: false, added: 0, removed: 0, hunks: [] };
}

/**
 * @param {DiffFile} file
 * @param {string} line
 */
function parseHeader(file, line) {
  const [, key, value] = /^(new file|deleted file|rename from|rename to|Binary files|GIT binary patch|\+\+\+|---) ?(.*)$/s.exec(line) ?? [];
  const name = unquote(value ?? "");
  if (key === "new file") file.change = "new";
  else if (key === "deleted file") file.change = "deleted";
  else if (key === "rename from") [file.change, file.oldPath] = ["renamed", name];
  else if (key === "rename to") file.path = name;
  else if (key === "Binary files" || key === "GIT binary patch") file.isBinary = true;
  else if (key === "+++" && name !== "/dev/null") file.path = name.replace(/^b\//, "");
  else if (key === "---" && name !== "/dev/null" && file.change === "deleted") file.path = name.replace(/^a\//, "");
}

/**
 * @param {DiffFile} file
 * @param {Hunk} hunk
 * @param {string} line
 * @param {{old: number, new: number}} remaining  lines that the hunk still has
 * @param {{old: number, new: number}} next  line numbers
 */
function addLine(file, hunk, line, remaining, next) {
  const text = line.slice(1);
  if (line[0] === "+") {
    hunk.lines.push({ kind: "add", text, old: null, new: next.new });
    next.new += 1;
    remaining.new -= 1;
    file.added += 1;
  } else if (line[0] === "-") {
    hunk.lines.push({ kind: "del", text, old: next.old, new: null });
    next.old += 1;
    remaining.old -= 1;
    file.removed += 1;
  } else if (line[0] === "\\") {
    hunk.lines.push({ kind: "note", text: line.slice(2), old: null, new: null });
  } else {
    hunk.lines.push({ kind: "same", text, old: next.old, new: next.new });
    next.old += 1;
    next.new += 1;
    remaining.old -= 1;
    remaining.new -= 1;
  }
}

/** Undoes how git quotes a name with unusual bytes: like a string in C. @param {string} name */
function unquote(name) {
  const inner = /^"(.*)"$/s.exec(name)?.[1];
  if (inner === undefined) return name;
  const bytes = [];
  for (let i = 0; i < inner.length; i += 1) {
    const octal = /^\\([0-7]{3})/.exec(inner.slice(i, i + 4));
    if (octal) {
      bytes.push(parseInt(octal[1] ?? "0", 8));
      i += 3;
    } else if (inner[i] === "\\") {
      i += 1;
      const plain = { n: "\n", t: "\t", r: "\r" }[inner[i] ?? ""] ?? inner[i] ?? "";
      bytes.push(...new TextEncoder().encode(plain));
    } else bytes.push(...new TextEncoder().encode(inner[i] ?? ""));
  }
  return new TextDecoder().decode(new Uint8Array(bytes));
}
