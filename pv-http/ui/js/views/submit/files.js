/**
 * @file Submitting prompt files that were chosen or dropped: one request for each file, each with its result.
 */

import { errorMessage, postJson } from "../../api/client.js";
import { h, setChildren, setText } from "../../lib/dom.js";
import { jobHref } from "../../lib/router.js";
import { bytesText } from "../../text/bytes.js";
import { withSettings } from "../../text/front_matter.js";

/** How many files the list takes, and how large one may be, in bytes: about the API's own limit. */
const MAX_FILES = 100;
const MAX_FILE_BYTES = 16 * 1024 * 1024;

/** @typedef {{file: File, row: HTMLElement, result: HTMLElement, isSubmitted: boolean}} Entry */

/** @param {() => void} onChange */
export function fileList(onChange) {
  /** @type {Entry[]} */
  let entries = [];
  const input = h("input", { type: "file", multiple: true, accept: ".md,text/markdown", class: "visually-hidden", id: "files", tabindex: "-1" });
  const rows = h("ul", { class: "files" });
  const error = h("p", { class: "field-error", role: "alert" });
  const choose = h("button", { type: "button", class: "button", on: { click: () => input.click() } }, "Choose files…");
  const element = h("div", { class: "drop-zone" }, h("label", { class: "visually-hidden", for: "files" }, "Prompt files"), input,
    h("p", {}, choose, h("span", { class: "muted" }, " or drop .md files anywhere on this page")), error, rows);

  const add = (/** @type {Iterable<File>} */ files) => {
    setText(error, "");
    for (const file of files) {
      if (entries.length >= MAX_FILES) {
        setText(error, `At most ${MAX_FILES} files at once.`);
        break;
      }
      const result = h("span", { class: "file-result", role: "status" }, "ready");
      const remove = h("button", { type: "button", class: "text-button", "aria-label": `Remove ${file.name}`, on: { click: () => removeEntry(entry) } }, "Remove");
      const row = h("li", { class: "file" }, h("span", { class: "file-name" }, file.name), h("span", { class: "muted" }, bytesText(file.size)), result, remove);
      /** @type {Entry} */
      const entry = { file, row, result, isSubmitted: false };
      entries.push(entry);
      rows.append(row);
    }
    onChange();
  };
  const removeEntry = (/** @type {Entry} */ entry) => {
    entries = entries.filter((other) => other !== entry);
    entry.row.remove();
    onChange();
  };
  input.addEventListener("change", () => {
    add(input.files ?? []);
    input.value = "";
  });
  return {
    element,
    add,
    get waiting() {
      return entries.filter((entry) => !entry.isSubmitted).length;
    },
    /**
     * Submits each file that is not submitted yet, one after the other.
     * @param {import("../../api/types.js").Target} target
     * @param {import("../../text/front_matter.js").Settings} settings
     */
    async submit(target, settings) {
      for (const entry of entries) {
        if (entry.isSubmitted) continue;
        entry.row.dataset.result = "sending";
        setText(entry.result, "submitting…");
        try {
          if (entry.file.size > MAX_FILE_BYTES) throw new Error(`larger than ${bytesText(MAX_FILE_BYTES)}`);
          const markdown = withSettings(new TextDecoder("utf-8", { fatal: true }).decode(await entry.file.arrayBuffer()), settings);
          const receipt = await postJson("/jobs", { repo: target.full_repo, branch: target.branch, markdown_text: markdown, filename: entry.file.name });
          entry.isSubmitted = true;
          entry.row.dataset.result = "done";
          setChildren(entry.result, h("a", { href: jobHref(receipt.job_id) }, "submitted"));
        } catch (problem) {
          entry.row.dataset.result = "refused";
          setText(entry.result, problem instanceof TypeError ? "not UTF-8 text" : errorMessage(problem));
        }
        onChange();
      }
    },
  };
}
