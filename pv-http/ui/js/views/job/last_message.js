/**
 * @file What the agent of a job said last, shown where it changed nothing: then that is all there is of its work, and may
 * be a question.
 */

import { h, setChildren } from "../../lib/dom.js";
import { markdownView } from "../markdown_view.js";

/** @typedef {import("../../api/types.js").Job} Job */

/** Returns the message that is shown, or an empty text. @param {Job} job */
export function messageShown(job) {
  return job.changed === false ? (job.last_message ?? "") : "";
}

export function lastMessagePanel() {
  const body = h("div", { class: "last-message-text", tabindex: "0", role: "group", "aria-label": "Last message of the agent" });
  const element = h("section", { class: "last-message", hidden: true }, h("h2", {}, "What the agent said last"), body);
  let shown = "";
  return {
    element,
    /** @param {Job} job */
    show(job) {
      const text = messageShown(job);
      element.hidden = text === "";
      if (text === shown) return;
      shown = text;
      setChildren(body, markdownView(text));
    },
  };
}
