/**
 * @file The draft of a prompt, kept in this browser until it is submitted.
 */

import { keyHere } from "../../lib/place.js";

const KEY = "pv.draft";
/** A longer draft is not saved, in characters. */
const MAX_CHARS = 2 * 1024 * 1024;

/**
 * @typedef {{repo: string, branch: string, text: string, filename: string, settings: import("../../text/front_matter.js").Settings,
 *     savedAt: number}} Draft
 */

/** @returns {Draft | null} */
export function loadDraft() {
  try {
    const draft = JSON.parse(localStorage.getItem(keyHere(KEY)) ?? "null");
    return draft && typeof draft.text === "string" ? { repo: "", branch: "", filename: "", settings: {}, savedAt: 0, ...draft } : null;
  } catch {
    return null;
  }
}

/**
 * Saves a draft, or deletes it if it is empty. Returns whether it was saved.
 * @param {Draft} draft
 */
export function saveDraft(draft) {
  try {
    if (!draft.text && !draft.filename) localStorage.removeItem(keyHere(KEY));
    else if (draft.text.length <= MAX_CHARS) localStorage.setItem(keyHere(KEY), JSON.stringify(draft));
    else return false;
    return true;
  } catch {
    // The browser's storage is full or blocked.
    return false;
  }
}

export function deleteDraft() {
  localStorage.removeItem(keyHere(KEY));
}
