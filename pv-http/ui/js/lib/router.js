/**
 * @file Addresses: which view is shown, and with what. They are fragments, after the `#`, so the service sees none of them.
 *
 *     #/?state=running&q=parser        the dashboard and its filters
 *     #/jobs/<id>/log                  a job: log, prompt or changes
 *     #/submit?repo=a/b&branch=main    a new prompt
 *     #/services                       the services
 */

/** @typedef {{view: string, parts: string[], query: URLSearchParams}} Route */
/** What a view returns: its title, and how it shows another address of its own. @typedef {{title: string, update?: (route: Route) => void}} View */
/** Puts a view into an element; the signal ends it. @typedef {(root: HTMLElement, route: Route, signal: AbortSignal) => View} ShowView */

/**
 * Reads an address.
 * @param {string} hash
 * @returns {Route}
 */
export function parseRoute(hash) {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const parts = path.split("/").filter(Boolean).map(decode);
  return { view: parts[0] ?? "dashboard", parts: parts.slice(1), query: new URLSearchParams(query) };
}

/** @param {string} part */
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/**
 * Returns the address of a job.
 * @param {string} id
 * @param {string} [tab]
 */
export function jobHref(id, tab) {
  return `#/jobs/${encodeURIComponent(id)}${tab ? `/${tab}` : ""}`;
}

let listAddress = "#/";

/** Returns the address of the list of jobs, with the filters that it had last. */
export function listHref() {
  return listAddress;
}

/**
 * Remembers the filters of the list, for `listHref`.
 * @param {URLSearchParams} query
 */
export function rememberListQuery(query) {
  listAddress = `#/${query.size > 0 ? `?${query}` : ""}`;
}

/**
 * Replaces the query of the address, without an entry in the history.
 * @param {string} path
 * @param {URLSearchParams} query
 */
export function replaceQuery(path, query) {
  const text = query.toString();
  history.replaceState(null, "", `#/${path}${text ? `?${text}` : ""}`);
}

/**
 * Calls `show` with the address now, and each time that it changes.
 * @param {(route: Route) => void} show
 */
export function startRouter(show) {
  addEventListener("hashchange", () => show(parseRoute(location.hash)));
  show(parseRoute(location.hash));
}
