/**
 * @file The button that aborts a job, after typing ABORT to confirm; shows the receipt, and then how the job ended.
 */

import { access, errorMessage, postJson } from "../../api/client.js";
import { isLive } from "../../api/job.js";
import { h, setChildren, setText, uniqueId } from "../../lib/dom.js";
import { dateTime, parseTime } from "../../lib/time.js";

/** @typedef {import("../../api/types.js").Job} Job */

const CONFIRM_WORD = "ABORT";
/** What the sentence begins with that says that there is no proof of an end. */
const UNPROVEN = "proof ";

/**
 * @param {Job} first
 * @param {AbortSignal} signal
 * @param {() => Promise<void>} refresh
 */
export function abortButton(first, signal, refresh) {
  let job = first;
  /** @type {import("../../api/types.js").AbortReceipt | null} */
  let receipt = null;
  const element = h("button", { type: "button", class: "button danger", on: { click: () => open() } }, "Abort…");
  const status = h("div", { class: "notice", role: "status", hidden: true });

  const open = () => {
    const dialog = abortDialog(job, async (newReceipt) => {
      receipt = newReceipt;
      show(job);
      await refresh();
    });
    document.body.append(dialog);
    dialog.addEventListener("close", () => {
      dialog.remove();
      element.focus();
    });
    signal.addEventListener("abort", () => dialog.close(), { once: true });
    dialog.showModal();
  };
  const show = (/** @type {Job} */ next) => {
    job = next;
    const live = isLive(job);
    element.hidden = !live;
    element.disabled = access.readOnly !== null;
    element.title = access.readOnly ?? "";
    status.hidden = receipt === null;
    if (!receipt) return;
    const at = parseTime(receipt.abort_requested_at);
    setText(status, `Abort requested at ${at === null ? receipt.abort_requested_at : dateTime(at)}, while the job was ${receipt.previous_state}. ${live ? "The job is being stopped…" : `Final state: ${job.state}${job.message ? ` (${job.message})` : ""}.`}`);
  };
  access.addEventListener("change", () => show(job), { signal });
  return { element, status, show };
}

/**
 * @param {Job} job
 * @param {(receipt: import("../../api/types.js").AbortReceipt) => Promise<void>} done
 */
function abortDialog(job, done) {
  const [title, hint] = [uniqueId("abort"), uniqueId("abort-hint")];
  const input = h("input", { class: "input", type: "text", autocomplete: "off", autocapitalize: "characters", spellcheck: "false", "aria-label": `Type ${CONFIRM_WORD} to confirm`, "aria-describedby": hint });
  const confirm = h("button", { type: "submit", class: "button danger solid", disabled: true }, "Abort job");
  const error = h("p", { class: "field-error", role: "alert" });
  const forget = h("input", { type: "checkbox" });
  // Only there is anything to give up.
  const giveUp = job.waiting_for?.startsWith(UNPROVEN) ? h("label", { class: "muted" }, forget, " End the job without that proof: what its launcher started may still be there") : null;
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": title });
  const form = h("form", {},
    h("h2", { id: title }, "Abort this job?"),
    h("p", {}, h("strong", {}, job.title || job.job_id)),
    h("p", { id: hint, class: "muted" }, `The agent and every process that it started are stopped. The work so far is saved. Type ${CONFIRM_WORD} to confirm.`),
    input, giveUp, error,
    h("div", { class: "dialog-end" }, h("button", { type: "button", class: "button", on: { click: () => dialog.close() } }, "Keep running"), confirm));
  input.addEventListener("input", () => (confirm.disabled = input.value !== CONFIRM_WORD));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (input.value !== CONFIRM_WORD) return;
    confirm.disabled = true;
    setText(error, "");
    try {
      const receipt = await postJson(`/jobs/${encodeURIComponent(job.job_id)}/abort${forget.checked ? "?forget=true" : ""}`);
      dialog.close();
      await done(receipt);
    } catch (problem) {
      setText(error, errorMessage(problem));
      confirm.disabled = false;
    }
  });
  setChildren(dialog, form);
  return dialog;
}
