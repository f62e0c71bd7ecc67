/**
 * @file The dialog for the API's token. The token is kept for this session only, and sent only to the service of this page.
 */

import { access, setToken } from "../api/client.js";
import { h, setText, uniqueId } from "../lib/dom.js";

/** @type {HTMLDialogElement | null} */
let openDialog = null;

/** Opens the dialog, unless it is open already. */
export function askForToken() {
  if (openDialog) return;
  const [title, inputId, errorId] = [uniqueId("token"), uniqueId("token-input"), uniqueId("token-error")];
  const input = h("input", { id: inputId, class: "input", type: "password", autocomplete: "off", spellcheck: "false", required: true, "aria-describedby": errorId });
  const error = h("p", { id: errorId, class: "field-error", role: "alert" }, access.tokenWasWrong ? "The API rejected this token." : "");
  const form = h("form", {},
    h("h2", { id: title }, "This API requires a token"),
    h("p", { class: "muted" }, "Enter the value of PV_API_TOKEN, or the contents of the file that PV_API_TOKEN_FILE names; ", h("code", {}, "pv token new"), " creates one. It is kept until this tab is closed."),
    h("label", { for: inputId }, "Token"), input, error,
    h("div", { class: "dialog-end" }, h("button", { type: "submit", class: "button primary" }, "Continue")));
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": title }, form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!/^[\x21-\x7e]+$/.test(text)) {
      setText(error, "A token has letters, digits and punctuation, and no spaces.");
      return;
    }
    dialog.close();
    setToken(text);
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    openDialog = null;
  });
  document.body.append(dialog);
  openDialog = dialog;
  dialog.showModal();
}
