/**
 * @file The frame of the page: the header, the banners, and the view of the current address.
 */

import { access, allowWrites, forgetToken, hasToken } from "./api/client.js";
import { health } from "./api/health.js";
import { readInstallation } from "./api/installation.js";
import { store } from "./api/job_store.js";
import { h, setAttr, setChildren, setText } from "./lib/dom.js";
import { startRouter } from "./lib/router.js";
import { duration, timeOfDay } from "./lib/time.js";
import { everySecond, startTimer } from "./lib/time_element.js";
import { dashboard } from "./views/dashboard/dashboard.js";
import { jobPage } from "./views/job/job.js";
import { servicesPage } from "./views/services.js";
import { submitPage } from "./views/submit/submit.js";
import { askForToken } from "./views/token_dialog.js";

/** @typedef {import("./lib/router.js").View} View */

/** @type {Record<string, import("./lib/router.js").ShowView>} */
const VIEWS = { dashboard, jobs: jobPage, submit: submitPage, services: servicesPage };

/** @param {string} id */
function elementById(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}

const main = elementById("main");
/** @type {{key: string, view: View, abort: AbortController} | null} */
let current = null;

/** @param {import("./lib/router.js").Route} route */
function show(route) {
  const create = Object.hasOwn(VIEWS, route.view) ? VIEWS[route.view] : undefined;
  const key = `${route.view}/${route.parts[0] ?? ""}`;
  for (const link of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".tabs a"))) {
    const isCurrent = link.dataset.view === (route.view === "jobs" ? "dashboard" : route.view);
    setAttr(link, "aria-current", isCurrent ? "page" : null);
  }
  if (current?.key === key && current.view.update) {
    current.view.update(route);
    return;
  }
  const isFirst = current === null;
  current?.abort.abort();
  const abort = new AbortController();
  main.replaceChildren();
  scrollTo(0, 0);
  const view = create ? create(main, route, abort.signal) : notFound(main);
  current = { key, view, abort };
  document.title = `${view.title} – Prompt Valet`;
  // Screen readers announce the new view.
  if (!isFirst) (main.querySelector("h1") ?? main).focus({ preventScroll: true });
}

/** @param {HTMLElement} root @returns {View} */
function notFound(root) {
  root.append(h("div", { class: "empty-state" }, h("h1", { tabindex: "-1" }, "Page not found"), h("p", {}, h("a", { href: "#/" }, "Go to the dashboard"))));
  return { title: "Page not found" };
}

function showHealth() {
  const { state, since, version, why } = health.now;
  const indicator = elementById("health");
  const seconds = (Date.now() - since) / 1000;
  setAttr(indicator, "data-state", state);
  setText(elementById("health-text"), state === "up" ? "API reachable" : state === "down" ? "API unreachable" : "checking the API…");
  setAttr(indicator, "title", state === "up" ? `Reachable since ${timeOfDay(since)}` : why || null);
  setText(elementById("version"), version ? `v${version}` : "");
  const down = elementById("down");
  down.hidden = state !== "down";
  if (state === "down") setText(down, `API unreachable since ${timeOfDay(since)} (${duration(seconds)}): ${why}. The page shows the last known state and keeps trying to reconnect.`);
}

function showAccess() {
  elementById("read-only").hidden = access.readOnly === null;
  setText(elementById("read-only-why"), access.readOnly === null ? "" : `Read-only access: ${access.readOnly}`);
  elementById("token-button").hidden = !hasToken();
  elementById("locked").hidden = !access.needsToken;
  if (access.needsToken) askForToken();
}

function showMode() {
  const banner = elementById("mode");
  const isPolling = store.mode === "polling";
  banner.hidden = !isPolling;
  if (isPolling) setText(banner, "This API has no live events: the list is refreshed every few seconds.");
}

setChildren(elementById("banners"),
  h("p", { id: "down", class: "banner error", role: "alert", hidden: true }),
  h("p", { id: "locked", class: "banner", hidden: true }, "This API requires a token. ", h("button", { type: "button", class: "text-button", on: { click: askForToken } }, "Enter token")),
  h("p", { id: "read-only", class: "banner", role: "status", hidden: true }, h("span", { id: "read-only-why" }), " ", h("button", { type: "button", class: "text-button", on: { click: allowWrites } }, "Try again")),
  h("p", { id: "mode", class: "banner info", hidden: true }));
elementById("token-button").addEventListener("click", forgetToken);
elementById("skip").addEventListener("click", (event) => {
  // The fragment of the address names the view.
  event.preventDefault();
  main.focus();
});
health.addEventListener("change", showHealth);
access.addEventListener("change", showAccess);
access.addEventListener("token", () => {
  showAccess();
  health.checkSoon();
  if (!current) return;
  // Shows the view again, now with the token.
  current.key = "";
  dispatchEvent(new HashChangeEvent("hashchange"));
});
store.addEventListener("change", showMode);
startTimer();
everySecond(() => health.now.state === "down" && showHealth(), new AbortController().signal);
startRouter(show);
showAccess();
void health.run();
void store.run();
void readInstallation().catch(() => {});
