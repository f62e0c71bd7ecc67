// What the page's modules ask of a browser, for tests that have none: storage, a document in sight, frames, and an API.

/** @typedef {(path: string, signal: AbortSignal | null, init: RequestInit) => Response | Promise<Response>} Api */

/** @type {Set<NodeJS.Timeout>} */
const timers = new Set();
let isFinished = false;
const keep = (/** @type {NodeJS.Timeout} */ timer) => {
  if (isFinished) timer.unref();
  else timers.add(timer);
  return timer;
};

/** Lets the process end, though the page would go on for as long as it is open. */
export function leaveStage() {
  isFinished = true;
  for (const timer of timers) timer.unref();
}

/**
 * Sets the stage; call it before the modules are imported.
 * @param {Api} api  answers what is asked of `/api/v1`
 */
export function setStage(api) {
  /** @type {Map<string, string>} */
  const kept = new Map();
  const sessionStorage = { getItem: (/** @type {string} */ key) => kept.get(key) ?? null, setItem: (/** @type {string} */ key, /** @type {string} */ value) => kept.set(key, value), removeItem: (/** @type {string} */ key) => kept.delete(key) };
  const document = Object.assign(new EventTarget(), { hidden: false });
  const fetch = async (/** @type {string} */ url, /** @type {RequestInit} */ init) => api(url.replace("/api/v1", ""), init.signal ?? null, init);
  const [after, every] = [setTimeout, setInterval];
  const timing = { setTimeout: (/** @type {[() => void, number]} */ ...how) => keep(after(...how)), setInterval: (/** @type {[() => void, number]} */ ...how) => keep(every(...how)) };
  for (const [name, value] of Object.entries({ ...timing, sessionStorage, document, fetch, requestAnimationFrame: setImmediate })) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}

/** A stream of events that is written by hand; it breaks when its reader gives it up. @param {AbortSignal | null} signal */
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
