/**
 * @file Requests to the API, each with a time limit and, where the API requires one, a token. What the API refuses becomes
 * an `ApiError` with the API's own message.
 */

import { keyHere } from "../lib/place.js";

/** Relative to where the page is, which may be below any path. */
const BASE = "api/v1";
/** How long a response may take until the settings are known: the default of PV_UI_API_TIMEOUT_SECONDS. */
const DEFAULT_TIMEOUT_MS = 5000;
/** How long reads of logs, patches and long lists, and uploads, may take. */
export const LONG_TIMEOUT_MS = 60_000;
const TOKEN_KEY = "pv.token";
/** Added to the error of a write whose outcome is unknown. */
const OUTCOME_UNKNOWN = ": the request may still have been carried out, so check the jobs before you repeat it";

/** What is wrong with one field of a request. @typedef {{loc: string[], msg: string}} FieldError */

/** The API answered with an error. The message is the API's. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} detail
   * @param {FieldError[]} values
   */
  constructor(status, detail, values = []) {
    super(detail);
    this.name = "ApiError";
    this.status = status;
    this.values = values;
  }
}

/** There was no response: the API, or the page's service in between, cannot be reached. */
export class UnreachableError extends Error {
  /** @param {string} why */
  constructor(why) {
    super(why);
    this.name = "UnreachableError";
  }
}

/**
 * What this page may do at the API, as far as it knows. Dispatches `change`, and `token` when a token was entered.
 * @type {EventTarget & {needsToken: boolean, tokenWasWrong: boolean, readOnly: string | null, timeoutMs: number}}
 */
export const access = Object.assign(new EventTarget(), {
  needsToken: false,
  tokenWasWrong: false,
  readOnly: /** @type {string | null} */ (null),
  timeoutMs: DEFAULT_TIMEOUT_MS,
});

/** @param {Partial<{needsToken: boolean, tokenWasWrong: boolean, readOnly: string | null}>} change */
function updateAccess(change) {
  const current = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (access));
  const isChanged = Object.entries(change).some(([key, value]) => current[key] !== value);
  Object.assign(access, change);
  if (isChanged) access.dispatchEvent(new Event("change"));
}

/** Returns the token of this session, if one was entered. */
function token() {
  return sessionStorage.getItem(keyHere(TOKEN_KEY));
}

/**
 * Keeps a token for this session, and notifies everything that waits for one.
 * @param {string} text
 */
export function setToken(text) {
  sessionStorage.setItem(keyHere(TOKEN_KEY), text.trim());
  updateAccess({ needsToken: false, tokenWasWrong: false, readOnly: null });
  access.dispatchEvent(new Event("token"));
}

/** Assumes that writes are allowed again, since the settings may have changed. The next write shows whether they are. */
export function allowWrites() {
  updateAccess({ readOnly: null });
}

/** Forgets the token. */
export function forgetToken() {
  sessionStorage.removeItem(keyHere(TOKEN_KEY));
  updateAccess({ needsToken: true, tokenWasWrong: false });
}

/** Returns whether a token is kept. */
export function hasToken() {
  return token() !== null;
}

/**
 * @typedef {object} Options
 * @property {string} [method]
 * @property {Record<string, string>} [headers]
 * @property {BodyInit} [body]
 * @property {AbortSignal} [signal]
 * @property {number} [timeoutMs]  until the headers are there
 */

/**
 * Sends a request, and resolves with the response once its headers have arrived. The caller's signal aborts the body too.
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<Response>}
 * @throws {ApiError | UnreachableError | DOMException} the last only when the caller's signal aborted it
 */
export async function request(path, options = {}) {
  const { timeoutMs = access.timeoutMs, signal, ...init } = options;
  const headers = new Headers(options.headers);
  const sentToken = token();
  if (sentToken !== null) headers.set("Authorization", `Bearer ${sentToken}`);
  const timeout = new AbortController();
  const isWrite = (init.method ?? "GET") !== "GET";
  const outcome = isWrite ? OUTCOME_UNKNOWN : "";
  const timer = setTimeout(() => timeout.abort(new UnreachableError(`no response within ${timeoutMs / 1000} s${outcome}`)), timeoutMs);
  const combined = signal ? AbortSignal.any([signal, timeout.signal]) : timeout.signal;
  try {
    const response = await fetch(BASE + path, { ...init, headers, signal: combined, cache: "no-store", redirect: "error" });
    if (response.ok) return response;
    throw await errorOf(response, sentToken, isWrite);
  } catch (error) {
    if (error instanceof ApiError || error instanceof UnreachableError || signal?.aborted) throw error;
    throw new UnreachableError(`this page's service does not respond${outcome}`);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * @param {Response} response
 * @param {string | null} sentToken
 * @param {boolean} isWrite
 */
async function errorOf(response, sentToken, isWrite) {
  let body;
  try {
    body = await response.json();
  } catch {
    body = null;
  }
  const detail = body?.detail;
  const values = Array.isArray(detail) ? detail : [];
  const message = typeof detail === "string" ? detail : values.map((v) => `${v.loc.slice(1).join(".")}: ${v.msg}`).join("; ");
  const error = new ApiError(response.status, message || `the API responded with status ${response.status}`, values);
  if (response.status === 401) updateAccess({ needsToken: true, tokenWasWrong: sentToken !== null });
  if (response.status === 403 && isWrite) updateAccess({ readOnly: error.message });
  if (response.status === 502 || response.status === 504) return new UnreachableError(error.message);
  return error;
}

/**
 * Sends a request, and returns the JSON of the response.
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<any>}
 */
export async function requestJson(path, options) {
  const response = await request(path, options);
  const limitMs = options?.timeoutMs ?? LONG_TIMEOUT_MS;
  const outcome = (options?.method ?? "GET") === "GET" ? "" : OUTCOME_UNKNOWN;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const timedOut = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new UnreachableError(`the response was cut off${outcome}`)), limitMs);
  });
  return Promise.race([response.json(), timedOut]).finally(() => clearTimeout(timer));
}

/**
 * Sends JSON by POST, and returns the JSON of the response.
 * @param {string} path
 * @param {unknown} [body]
 * @param {Options} [options]
 * @returns {Promise<any>}
 */
export async function postJson(path, body, options = {}) {
  const headers = { ...options.headers, ...(body === undefined ? {} : { "Content-Type": "application/json" }) };
  const result = await requestJson(path, {
    timeoutMs: LONG_TIMEOUT_MS,
    ...options,
    method: "POST",
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  updateAccess({ readOnly: null });
  return result;
}

/**
 * Sends a request to remove something, and resolves when that is done.
 * @param {string} path
 * @param {Options} [options]
 */
export async function sendDelete(path, options = {}) {
  await request(path, { timeoutMs: LONG_TIMEOUT_MS, ...options, method: "DELETE" });
  updateAccess({ readOnly: null });
}

/**
 * Reads a text, at most `maxBytes` of it.
 * @param {string} path
 * @param {number} maxBytes
 * @param {AbortSignal} [signal]
 * @returns {Promise<{text: string, isComplete: boolean}>}
 */
export async function requestText(path, maxBytes, signal) {
  const response = await request(path, { timeoutMs: LONG_TIMEOUT_MS, signal });
  if (!response.body) return { text: "", isComplete: true };
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let out = "";
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { text: out + decoder.decode(), isComplete: true };
    bytes += value.byteLength;
    out += decoder.decode(value, { stream: true });
    if (bytes >= maxBytes) {
      await reader.cancel();
      return { text: out, isComplete: false };
    }
  }
}

/**
 * Returns the text of an error, for people.
 * @param {unknown} error
 */
export function errorMessage(error) {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Returns whether an error only means that the request was aborted by its caller.
 * @param {unknown} error
 */
export function isAborted(error) {
  return error instanceof DOMException && error.name === "AbortError";
}
