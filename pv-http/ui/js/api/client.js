/**
 * @file The one way to the API: requests with a time limit and, where the API asks for one, a token; refusals as typed
 * errors in the API's own words.
 */

const BASE = "/api/v1";
/** How long an answer may take when nobody has said otherwise: the default of PV_UI_API_TIMEOUT_SECONDS. */
const DEFAULT_TIMEOUT_MS = 5000;
/** How long reads of logs, patches and long lists, and uploads, may take. */
export const LONG_TIMEOUT_MS = 60_000;
const TOKEN_KEY = "pv.token";
/** Said where nobody knows what became of a write. */
const MAY_BE_DONE = ": what was asked for may have been done all the same, look at the jobs before you ask again";

/** A value that the API cannot use. @typedef {{loc: string[], msg: string}} BadValue */

/** What the API refused, in its own words. */
export class Refused extends Error {
  /**
   * @param {number} status
   * @param {string} detail
   * @param {BadValue[]} values
   */
  constructor(status, detail, values = []) {
    super(detail);
    this.name = "Refused";
    this.status = status;
    this.values = values;
  }
}

/** No answer: the API, or the service in between, cannot be reached. */
export class Unreachable extends Error {
  /** @param {string} why */
  constructor(why) {
    super(why);
    this.name = "Unreachable";
  }
}

/**
 * What the page knows about its access. Listeners hear of every change.
 * @type {EventTarget & {needsToken: boolean, tokenWasWrong: boolean, readOnly: string | null, timeoutMs: number}}
 */
export const access = Object.assign(new EventTarget(), {
  needsToken: false,
  tokenWasWrong: false,
  readOnly: /** @type {string | null} */ (null),
  timeoutMs: DEFAULT_TIMEOUT_MS,
});

/** @param {Partial<{needsToken: boolean, tokenWasWrong: boolean, readOnly: string | null}>} change */
function changeAccess(change) {
  const current = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (access));
  const isNews = Object.entries(change).some(([key, value]) => current[key] !== value);
  Object.assign(access, change);
  if (isNews) access.dispatchEvent(new Event("change"));
}

/** Returns the token of this session, if one was entered. */
function token() {
  return sessionStorage.getItem(TOKEN_KEY);
}

/**
 * Keeps a token for this session, and lets everything that waits for one try again.
 * @param {string} text
 */
export function setToken(text) {
  sessionStorage.setItem(TOKEN_KEY, text.trim());
  changeAccess({ needsToken: false, tokenWasWrong: false, readOnly: null });
  access.dispatchEvent(new Event("token"));
}

/** Takes it that writes may be allowed again: who refused them may have been set otherwise since. The next one shows it. */
export function allowWrites() {
  changeAccess({ readOnly: null });
}

/** Forgets the token. */
export function forgetToken() {
  sessionStorage.removeItem(TOKEN_KEY);
  changeAccess({ needsToken: true, tokenWasWrong: false });
}

/** Tells whether a token is kept. */
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
 * Asks the API, and returns its answer once its headers are there. The caller's signal ends the body too.
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<Response>}
 * @throws {Refused | Unreachable | DOMException} the last only when the caller's signal ended it
 */
export async function open(path, options = {}) {
  const { timeoutMs = access.timeoutMs, signal, ...init } = options;
  const headers = new Headers(options.headers);
  const sent = token();
  if (sent !== null) headers.set("Authorization", `Bearer ${sent}`);
  const limit = new AbortController();
  const isWrite = (init.method ?? "GET") !== "GET";
  const unsure = isWrite ? MAY_BE_DONE : "";
  const timer = setTimeout(() => limit.abort(new Unreachable(`no answer within ${timeoutMs / 1000} s${unsure}`)), timeoutMs);
  const either = signal ? AbortSignal.any([signal, limit.signal]) : limit.signal;
  try {
    const response = await fetch(BASE + path, { ...init, headers, signal: either, cache: "no-store", redirect: "error" });
    if (response.ok) return response;
    throw await refusal(response, sent, isWrite);
  } catch (error) {
    if (error instanceof Refused || error instanceof Unreachable || signal?.aborted) throw error;
    throw new Unreachable(`this page's service does not answer${unsure}`);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * @param {Response} response
 * @param {string | null} sent
 * @param {boolean} isWrite
 */
async function refusal(response, sent, isWrite) {
  let body;
  try {
    body = await response.json();
  } catch {
    body = null;
  }
  const detail = body?.detail;
  const values = Array.isArray(detail) ? detail : [];
  const words = typeof detail === "string" ? detail : values.map((v) => `${v.loc.slice(1).join(".")}: ${v.msg}`).join("; ");
  const refused = new Refused(response.status, words || `the API answered ${response.status}`, values);
  if (response.status === 401) changeAccess({ needsToken: true, tokenWasWrong: sent !== null });
  if (response.status === 403 && isWrite) changeAccess({ readOnly: refused.message });
  if (response.status === 502 || response.status === 504) return new Unreachable(refused.message);
  return refused;
}

/**
 * Asks for JSON.
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<any>}
 */
export async function json(path, options) {
  const response = await open(path, options);
  const limitMs = options?.timeoutMs ?? LONG_TIMEOUT_MS;
  const unsure = (options?.method ?? "GET") === "GET" ? "" : MAY_BE_DONE;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Unreachable(`the answer stopped in the middle${unsure}`)), limitMs);
  });
  return Promise.race([response.json(), late]).finally(() => clearTimeout(timer));
}

/**
 * Sends JSON, and returns the JSON of the answer.
 * @param {string} path
 * @param {unknown} [body]
 * @param {Options} [options]
 * @returns {Promise<any>}
 */
export async function post(path, body, options = {}) {
  const headers = { ...options.headers, ...(body === undefined ? {} : { "Content-Type": "application/json" }) };
  const answer = await json(path, {
    timeoutMs: LONG_TIMEOUT_MS,
    ...options,
    method: "POST",
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  changeAccess({ readOnly: null });
  return answer;
}

/**
 * Reads a text, at most `maxBytes` of it.
 * @param {string} path
 * @param {number} maxBytes
 * @param {AbortSignal} [signal]
 * @returns {Promise<{text: string, isWhole: boolean}>}
 */
export async function text(path, maxBytes, signal) {
  const response = await open(path, { timeoutMs: LONG_TIMEOUT_MS, signal });
  if (!response.body) return { text: "", isWhole: true };
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let out = "";
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { text: out + decoder.decode(), isWhole: true };
    bytes += value.byteLength;
    out += decoder.decode(value, { stream: true });
    if (bytes >= maxBytes) {
      await reader.cancel();
      return { text: out, isWhole: false };
    }
  }
}

/**
 * Returns what to tell people about an error.
 * @param {unknown} error
 */
export function words(error) {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Tells whether an error only means that nobody waits any more.
 * @param {unknown} error
 */
export function isCancelled(error) {
  return error instanceof DOMException && error.name === "AbortError";
}
