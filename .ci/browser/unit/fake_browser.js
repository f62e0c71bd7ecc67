// A fake browser for tests of the page's modules: storage, a visible document, animation frames, timers and an API.

/** @typedef {(path: string, signal: AbortSignal | null, init: RequestInit) => Response | Promise<Response>} Api */

/** @type {Set<NodeJS.Timeout>} */
const timers = new Set();
let isReleased = false;
const keep = (/** @type {NodeJS.Timeout} */ timer) => {
  if (isReleased) timer.unref();
  else timers.add(timer);
  return timer;
};

/** Lets the process end, although the modules under test set timers for as long as a page is open. */
export function releaseTimers() {
  isReleased = true;
  for (const timer of timers) timer.unref();
}

/**
 * Installs the fake browser; call it before the modules are imported.
 * @param {Api} api  responds to requests to `/api/v1`
 */
export function installFakeBrowser(api) {
  /** @type {Map<string, string>} */
  const stored = new Map();
  const sessionStorage = { getItem: (/** @type {string} */ key) => stored.get(key) ?? null, setItem: (/** @type {string} */ key, /** @type {string} */ value) => stored.set(key, value), removeItem: (/** @type {string} */ key) => stored.delete(key) };
  const document = Object.assign(new EventTarget(), { hidden: false, baseURI: "http://localhost:8080/" });
  const fetch = async (/** @type {string} */ url, /** @type {RequestInit} */ init) => api(url.replace(/^api\/v1/, ""), init.signal ?? null, init);
  const [after, every] = [setTimeout, setInterval];
  const timing = { setTimeout: (/** @type {[() => void, number]} */ ...how) => keep(after(...how)), setInterval: (/** @type {[() => void, number]} */ ...how) => keep(every(...how)) };
  for (const [name, value] of Object.entries({ ...timing, sessionStorage, document, fetch, requestAnimationFrame: setImmediate })) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}

/** A stream of events that a test writes; it breaks when its reader aborts it. @param {AbortSignal | null} signal */
export function eventStream(signal) {
  /** @type {ReadableStreamDefaultController<Uint8Array>} */
  let out;
  const body = new ReadableStream({ start: (controller) => void (out = controller) });
  signal?.addEventListener("abort", () => out.error(signal.reason));
  let isOpen = true;
  signal?.addEventListener("abort", () => (isOpen = false));
  return {
    response: new Response(body),
    /** @param {string} event @param {unknown} [data] */
    send: (event, data = {}) => isOpen && out.enqueue(new TextEncoder().encode(`event: ${event}\ndata: ${JSON.stringify(data)}\nid: 1\n\n`)),
  };
}
