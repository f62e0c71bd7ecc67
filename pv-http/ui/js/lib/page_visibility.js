/**
 * @file Whether the page is visible. A browser opens only six connections to one service, for all its tabs together: a
 * page that is hidden closes its streams, and resumes them when it is visible again.
 */

/** How long a page must be hidden before it closes its streams, in milliseconds. */
const HIDDEN_GRACE_MS = 20_000;

/**
 * Calls a function once the page has been hidden for a while.
 * @param {() => void} run
 * @returns {() => void} stops watching
 */
export function onHidden(run) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const check = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(run, HIDDEN_GRACE_MS);
  };
  document.addEventListener("visibilitychange", check);
  check();
  return () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", check);
  };
}

/** Waits until the page is visible. */
export async function untilVisible() {
  while (document.hidden) await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
}
