/**
 * @file Creating elements. Text is always text: nothing here, or anywhere in the page, parses markup. Invisible characters
 * and marks of direction are made visible on their way into the page.
 */

import { visible } from "../text/visible.js";

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {Record<string, unknown>} Props */

/**
 * Creates an element. `on` holds listeners, `data` the data attributes; every other property is an attribute, `true` an
 * empty one, and `false`, `null` and `undefined` none. Children that are no nodes become text.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Props} [props]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  setProps(element, props);
  element.append(...nodes(children));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * Creates an SVG element, in the same way.
 * @template {keyof SVGElementTagNameMap} T
 * @param {T} tag
 * @param {Props} [props]
 * @param {...(Child | Child[])} children
 * @returns {SVGElementTagNameMap[T]}
 */
export function svg(tag, props = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  setProps(element, props);
  element.append(...nodes(children));
  return element;
}

/**
 * @param {HTMLElement | SVGElement} element
 * @param {Props} props
 */
function setProps(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (name === "on") {
      for (const [event, run] of Object.entries(/** @type {Record<string, EventListener>} */ (value))) {
        element.addEventListener(event, run);
      }
    } else if (name === "data") {
      for (const [key, text] of Object.entries(/** @type {Record<string, unknown>} */ (value))) {
        if (text !== undefined) element.dataset[key] = String(text);
      }
    } else if (/^on|^style$|^src/i.test(name)) {
      throw new Error(`${name} must not be set by attribute`);
    } else if (name === "href") {
      const safe = safeHref(String(value));
      if (safe) element.setAttribute("href", safe);
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value === true ? "" : attribute(name, String(value)));
    }
  }
}

/** Attributes that people read. @param {string} name @param {string} value */
function attribute(name, value) {
  return name === "title" || name === "aria-label" ? visible(value) : value;
}

/**
 * @param {(Child | Child[])[]} children
 * @returns {(Node | string)[]}
 */
function nodes(children) {
  return children.flat().flatMap((child) =>
    child === null || child === undefined || child === false ? [] : [child instanceof Node ? child : visible(String(child))],
  );
}

/**
 * Returns a link's address if it is a fragment, a path of this service, or an http or https address; else null.
 * @param {string} href
 */
export function safeHref(href) {
  if (/^#/.test(href) || /^\/(?![/\\])/.test(href)) return href;
  try {
    const url = new URL(href);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
  } catch {
    return null;
  }
}

/**
 * Creates a link to another site, or plain text where its address is not http or https.
 * @param {string} href
 * @param {...Child} children
 */
export function externalLink(href, ...children) {
  const safe = /^https?:/i.test(href) ? safeHref(href) : null;
  return safe
    ? h("a", { href: safe, rel: "noopener noreferrer nofollow", target: "_blank" }, ...children)
    : h("span", {}, ...children);
}

/**
 * Sets an element's text, unless it is that already: a selection, and what a screen reader has read, survive.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  const shown = visible(text);
  if (element.textContent !== shown) element.textContent = shown;
}

/**
 * Sets or removes an attribute, unless it is so already.
 * @param {Element} element
 * @param {string} name
 * @param {string | null} value
 */
export function setAttr(element, name, value) {
  const shown = value === null ? null : attribute(name, value);
  if (element.getAttribute(name) === shown) return;
  if (shown === null) element.removeAttribute(name);
  else element.setAttribute(name, shown);
}

/**
 * Replaces the children of an element.
 * @param {Element} element
 * @param {...(Child | Child[])} children
 */
export function setChildren(element, ...children) {
  element.replaceChildren(...nodes(children));
}

/** How long a copy button shows its result, in milliseconds. */
const COPIED_MS = 1500;

let ids = 0;

/**
 * Returns an id that no other element has.
 * @param {string} stem
 */
export function uniqueId(stem) {
  ids += 1;
  return `${stem}-${ids}`;
}

/**
 * Creates a button that copies a text to the clipboard, and confirms it.
 * @param {string} text
 * @param {string} name  of what is copied
 */
export function copyButton(text, name) {
  const button = h("button", { type: "button", class: "copy", "aria-label": `Copy ${name}`, title: `Copy ${name}` }, "copy");
  button.addEventListener("click", async () => {
    setText(button, (await copy(text)) ? "copied" : "press Ctrl-C");
    setTimeout(() => setText(button, "copy"), COPIED_MS);
  });
  return button;
}

/**
 * Browsers offer the clipboard only on loopback and by https; elsewhere the text is selected for `execCommand`.
 * @param {string} text
 */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = h("textarea", { class: "visually-hidden", "aria-hidden": "true", tabindex: "-1" });
    area.value = text;
    document.body.append(area);
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    return isCopied;
  }
}
