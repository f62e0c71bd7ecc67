/**
 * @file The changes of a job: the files of its patch, with added and removed lines marked by colour and by sign.
 */

import { copyButton, h } from "../../lib/dom.js";
import { parseDiff } from "../../text/diff.js";
import { loadText } from "./text_loader.js";

/** @typedef {import("../../text/diff.js").DiffFile} DiffFile */

/** The longest patch that is read, in bytes. */
const MAX_BYTES = 8 * 1024 * 1024;
/** A file with more lines is collapsed at first, and so are all files after so many lines in total. */
const MAX_OPEN_LINES = 600;
const MAX_OPEN_TOTAL = 3000;
/** Lines of one file that are shown. */
const MAX_FILE_LINES = 20_000;
const SIGNS = { add: "+", del: "−", same: " ", note: " " };

/**
 * @param {import("../../api/types.js").Job} job
 * @param {AbortSignal} signal
 */
export function patchView(job, signal) {
  return loadText({ path: "patch", className: "patch", name: "changes", missing: "No patch", maxBytes: MAX_BYTES }, job, signal, content);
}

/**
 * @param {string} patch
 * @param {boolean} isComplete
 */
function content(patch, isComplete) {
  const files = parseDiff(patch);
  if (files.length === 0) return [h("div", { class: "empty-state" }, h("h2", {}, "No changes"), h("p", {}, "The patch is empty."))];
  const [added, removed] = [files.reduce((sum, file) => sum + file.added, 0), files.reduce((sum, file) => sum + file.removed, 0)];
  let total = 0;
  const views = files.map((file) => {
    const lines = file.hunks.reduce((sum, hunk) => sum + hunk.lines.length, 0);
    total += lines;
    return fileView(file, lines <= MAX_OPEN_LINES && total <= MAX_OPEN_TOTAL);
  });
  return [
    h("div", { class: "panel-bar" },
      h("span", {}, `${files.length} ${files.length === 1 ? "file" : "files"} `), counts(added, removed), copyButton(patch, "the patch"),
      isComplete ? null : h("span", { class: "muted" }, "truncated: this is the beginning of the patch")),
    ...views,
  ];
}

/** @param {number} added @param {number} removed */
function counts(added, removed) {
  return h("span", { class: "diff-counts" },
    h("span", { class: "added", "aria-label": `${added} lines added` }, `+${added}`), " ",
    h("span", { class: "removed", "aria-label": `${removed} lines removed` }, `−${removed}`));
}

/**
 * @param {DiffFile} file
 * @param {boolean} isOpen
 */
function fileView(file, isOpen) {
  const details = h("details", { class: "diff-file", open: isOpen },
    h("summary", {}, h("code", {}, file.oldPath ? `${file.oldPath} → ${file.path}` : file.path),
      file.change === "changed" ? null : h("span", { class: "diff-change" }, file.change), counts(file.added, file.removed)));
  const fill = () => {
    if (details.children.length === 1) details.append(lines(file));
  };
  if (isOpen) fill();
  else details.addEventListener("toggle", fill, { once: true });
  return details;
}

/** @param {DiffFile} file */
function lines(file) {
  if (file.isBinary) return h("p", { class: "muted diff-none" }, "Binary file.");
  if (file.hunks.length === 0) return h("p", { class: "muted diff-none" }, "No lines changed.");
  const body = h("tbody", {});
  let shown = 0;
  for (const hunk of file.hunks) {
    body.append(h("tr", { class: "diff-hunk" }, h("td", { colspan: 4 }, hunk.header)));
    for (const { kind, text: line, old, new: now } of hunk.lines) {
      if (shown >= MAX_FILE_LINES) break;
      shown += 1;
      body.append(h("tr", { class: `diff-${kind}` },
        h("td", { class: "diff-num" }, old), h("td", { class: "diff-num" }, now),
        h("td", { class: "diff-sign" }, SIGNS[kind]), h("td", { class: "diff-text" }, line)));
    }
  }
  if (shown >= MAX_FILE_LINES) body.append(h("tr", { class: "diff-note" }, h("td", { colspan: 4 }, "… more lines in changes.patch")));
  return h("div", { class: "diff-lines", tabindex: "0", role: "group", "aria-label": `Changes of ${file.path}` }, h("table", {}, body));
}
