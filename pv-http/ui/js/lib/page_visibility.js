/**
 * @file Whether anybody looks. A browser keeps only six connections to one service, for all its tabs together: a page
 * that is out of sight gives its streams back, and takes them up again where it left off.
 */

/** How long a page may be out of sight before it gives its streams back, in milliseconds. */
const HIDDEN_MS = 20_000;

/**
 * Calls `leave` once the page has been out of sight for a while.
 * @param {() => void} leave
 * @returns {() => void} ends the watch
 */
export function onInattention(leave) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const look = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(leave, HIDDEN_MS);
  };
  document.addEventListener("visibilitychange", look);
  look();
  return () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", look);
  };
}

/** Waits until the page is looked at. */
export async function attention() {
  while (document.hidden) await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
}
