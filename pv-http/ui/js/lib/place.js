/**
 * @file Where this page is: one origin may have several, below different paths, each of another service.
 */

/**
 * Returns the name under which this page, and none below another path, stores something in the browser.
 * @param {string} name
 */
export function keyHere(name) {
  const { pathname } = new URL(".", document.baseURI);
  return pathname === "/" ? name : `${name} ${pathname}`;
}
