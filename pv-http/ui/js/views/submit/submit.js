/**
 * @file Submitting prompts: one that is written here, or several files.
 */

import { access, ApiError, errorMessage, postJson, requestJson } from "../../api/client.js";
import { readInstallation } from "../../api/installation.js";
import { h, setChildren, setText, uniqueId } from "../../lib/dom.js";
import { jobHref } from "../../lib/router.js";
import { timeOfDay } from "../../lib/time.js";
import { KEYS, titleOf, withSettings } from "../../text/front_matter.js";
import { markdownView } from "../markdown_view.js";
import { deleteDraft, loadDraft, saveDraft } from "./drafts.js";
import { fileList } from "./files.js";
import { targetPicker } from "./target_picker.js";

/** How long typing must pause before the preview is updated and the draft saved, in milliseconds. */
const TYPING_MS = 250;

const HINTS = { agent: "default", model: "default", timeout: "90m, 2h, 3600", deliver: "", checks: "the repository's", attempts: "as configured" };
const DELIVERIES = [["", "default"], ["pr", "pull request"], ["branch", "branch"], ["none", "none (patch only)"]];

/**
 * @param {HTMLElement} root
 * @param {import("../../lib/router.js").Route} route
 * @param {AbortSignal} signal
 * @returns {import("../../lib/router.js").View}
 */
export function submitPage(root, route, signal) {
  const draft = loadDraft();
  const picker = targetPicker(() => changed());
  const agents = h("datalist", { id: "agents" });
  const settings = settingFields();
  const editor = field("Prompt", h("textarea", { class: "input editor", rows: 16, spellcheck: "true", placeholder: "# Title of the task\n\nDescribe what to do, where, and how to check that it is done." }));
  const filename = field("File name", h("input", { class: "input", type: "text", placeholder: "optional, ends with .md", autocomplete: "off", spellcheck: "false" }));
  const preview = h("div", { class: "preview", "aria-label": "Preview", role: "region", tabindex: "0" });
  const draftStatus = h("span", { class: "muted", role: "status" });
  const discard = h("button", { type: "button", class: "text-button", hidden: true }, "Discard draft");
  const formError = h("p", { class: "field-error", role: "alert" });
  const result = h("div", { class: "notice", role: "status", hidden: true });
  const submitButton = h("button", { type: "submit", class: "button primary" }, "Submit");
  const files = fileList(() => changed());
  const form = h("form", { class: "submit-form", novalidate: true },
    picker.element,
    h("fieldset", { class: "settings" }, h("legend", {}, "Front matter settings"), settings.elements, agents),
    h("div", { class: "editor-columns" }, editor.element, h("section", { class: "preview-side" }, h("h2", { class: "label" }, "Preview"), preview)),
    h("div", { class: "submit-row" }, filename.element, files.element),
    formError, h("div", { class: "submit-end" }, submitButton, draftStatus, discard), result);
  root.append(h("h1", { tabindex: "-1" }, "Submit a prompt"), form);

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let typing;
  let isSending = false;
  const changed = () => {
    clearTimeout(typing);
    typing = setTimeout(save, TYPING_MS);
    setText(submitButton, files.waiting > 0 ? `Submit ${editor.input.value.trim() ? "prompt and " : ""}${files.waiting} ${files.waiting === 1 ? "file" : "files"}` : "Submit");
    submitButton.disabled = isSending || access.readOnly !== null;
    submitButton.title = access.readOnly ?? "";
  };
  const save = () => {
    updatePreview();
    const text = editor.input.value;
    const { value } = picker;
    const isSaved = saveDraft({ repo: value?.full_repo ?? "", branch: value?.branch ?? "", text, filename: filename.input.value, settings: settings.values(), savedAt: Date.now() });
    setText(draftStatus, !text ? "" : isSaved ? `draft saved at ${timeOfDay(Date.now()).slice(0, 5)}` : "the draft could not be saved: the storage of this browser is full or blocked");
    discard.hidden = !text;
  };
  const updatePreview = () => {
    setText(settings.error, "");
    let text = editor.input.value;
    try {
      text = withSettings(text, settings.values());
    } catch (error) {
      setText(settings.error, errorMessage(error));
    }
    setChildren(preview, text.trim() ? markdownView(text) : h("p", { class: "muted" }, "The prompt is rendered here as you type."));
  };
  discard.addEventListener("click", () => {
    editor.input.value = "";
    deleteDraft();
    save();
    editor.input.focus();
  });
  form.addEventListener("input", changed);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (submitButton.disabled) return;
    isSending = true;
    changed();
    clearMessages();
    await send();
    isSending = false;
    changed();
  });
  editor.input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  access.addEventListener("change", changed, { signal });
  listenForDrops(root, files.add, signal);

  const clearMessages = () => {
    result.hidden = true;
    for (const error of [formError, picker.error, editor.error, filename.error]) setText(error, "");
  };
  const send = async () => {
    const target = picker.value;
    if (!target) {
      setText(picker.error, "Choose a target from the list.");
      picker.focus();
      return;
    }
    const text = editor.input.value;
    if (!text.trim() && files.waiting === 0) {
      setText(editor.error, "Write a prompt, or choose files.");
      editor.input.focus();
      return;
    }
    try {
      if (text.trim()) {
        const markdown = withSettings(text, settings.values());
        const name = filename.input.value;
        const receipt = await postJson("/jobs", { repo: target.full_repo, branch: target.branch, markdown_text: markdown, filename: name.trim() || null });
        setChildren(result, "Submitted: ", h("a", { href: jobHref(receipt.job_id) }, titleOf(markdown) || receipt.job_id), h("code", { class: "path" }, receipt.inbox_path));
        result.hidden = false;
        // Keeps what was typed meanwhile: it is the next prompt.
        if (editor.input.value === text) editor.input.value = "";
        if (filename.input.value === name) filename.input.value = "";
        save();
      }
      await files.submit(target, settings.values());
    } catch (error) {
      showError(error);
    }
  };
  /** Shows each message of the API at the field that it is about. @param {unknown} error */
  const showError = (error) => {
    const fields = /** @type {[RegExp, {error: HTMLElement, focus: () => void}][]} */ ([
      [/^filename$|^Filename\b/, filename], [/^(repo|branch)$|\b(target|repo|repository|branch)\b/i, picker], [/^markdown_text$|front matter|markdown|prompt/i, editor],
    ]);
    const showAt = (/** @type {string} */ about, /** @type {string} */ message) => {
      const found = fields.find(([pattern]) => pattern.test(about))?.[1];
      setText(found?.error ?? formError, message);
      found?.focus();
    };
    if (error instanceof ApiError && error.values.length > 0) for (const { loc, msg } of error.values) showAt(loc.at(-1) ?? "", msg);
    else if (error instanceof ApiError && (error.status === 400 || error.status === 404)) showAt(error.message, error.message);
    else setText(formError, errorMessage(error));
  };

  const query = route.query;
  if (draft) {
    editor.input.value = draft.text;
    filename.input.value = draft.filename;
    settings.set(draft.settings);
    discard.hidden = !draft.text;
    if (draft.text) setText(draftStatus, "draft restored");
  }
  updatePreview();
  void (async () => {
    try {
      picker.setTargets(await requestJson("/targets", { signal }));
      picker.choose(query.get("repo") ?? draft?.repo ?? "", query.get("branch") ?? draft?.branch ?? "");
    } catch (error) {
      if (!signal.aborted) setText(picker.error, `The targets could not be loaded: ${errorMessage(error)}`);
    }
  })();
  void readInstallation(signal).then((installation) => setChildren(agents, installation.agents.map((name) => h("option", { value: name }))), () => {});
  changed();
  return { title: "Submit" };
}

/**
 * Creates a field with its label and an element for its error.
 * @template {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} T
 * @param {string} name
 * @param {T} input
 */
function field(name, input) {
  const [id, errorId] = [uniqueId("field"), uniqueId("field-error")];
  input.id = id;
  input.setAttribute("aria-describedby", errorId);
  const error = h("p", { class: "field-error", id: errorId, role: "alert" });
  return { input, error, focus: () => input.focus(), element: h("div", { class: "field" }, h("label", { for: id }, name), input, error) };
}

function settingFields() {
  const fields = KEYS.map((key) => field(key[0]?.toUpperCase() + key.slice(1), key === "deliver"
    ? h("select", { class: "input" }, DELIVERIES.map(([value, name]) => h("option", { value }, name)))
    : h("input", { class: "input", type: "text", placeholder: HINTS[key], autocomplete: "off", spellcheck: "false", list: key === "agent" ? "agents" : undefined })));
  const error = h("p", { class: "field-error", role: "alert" });
  return {
    elements: [...fields.map(({ element }) => element), error],
    error,
    /** @returns {import("../../text/front_matter.js").Settings} */
    values: () => Object.fromEntries(KEYS.map((key, i) => [key, fields[i]?.input.value ?? ""])),
    /** @param {import("../../text/front_matter.js").Settings} values */
    set(values) {
      KEYS.forEach((key, i) => {
        const input = fields[i]?.input;
        if (input) input.value = values[key] ?? "";
      });
    },
  };
}

/**
 * @param {HTMLElement} root
 * @param {(files: Iterable<File>) => void} onFiles
 * @param {AbortSignal} signal
 */
function listenForDrops(root, onFiles, signal) {
  const hasFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
  addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    root.classList.add("drop-active");
  }, { signal });
  addEventListener("dragleave", (event) => event.relatedTarget === null && root.classList.remove("drop-active"), { signal });
  addEventListener("drop", (event) => {
    root.classList.remove("drop-active");
    if (!hasFiles(event)) return;
    event.preventDefault();
    onFiles(event.dataTransfer?.files ?? []);
  }, { signal });
}
