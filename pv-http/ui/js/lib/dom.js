/**
 * @file Making elements. Text is only ever text: nothing here, or anywhere in the page, parses markup. And it is text
 * that can be seen: what turns it around or hides in it is made visible on its way into the page.
 */

import { visible } from "../text/visible.js";

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {Record<string, unknown>} Props */

/**
 * Makes an element. `on` holds listeners, `data` the data attributes; every other property is an attribute, `true` an
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
 * Makes an SVG element, in the same way.
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
      throw new Error(`no ${name} by attribute`);
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
 * Returns a link's address if it leads into the page, to this service, or to a page by http or https; else null.
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
 * Makes a link that leads out of the page, or plain text where its address is not one to follow.
 * @param {string} href
 * @param {...Child} children
 */
export function outLink(href, ...children) {
  const safe = /^https?:/i.test(href) ? safeHref(href) : null;
  return safe
    ? h("a", { href: safe, rel: "noopener noreferrer nofollow", target: "_blank" }, ...children)
    : h("span", {}, ...children);
}

/**
 * Sets an element's text, and touches nothing where it is that already: what is selected or read stays so.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  const shown = visible(text);
  if (element.textContent !== shown) element.textContent = shown;
}

/**
 * Sets or removes an attribute, touching nothing where it is so already.
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
 * Gives an element other children, unless it has these already.
 * @param {Element} element
 * @param {...(Child | Child[])} children
 */
export function setChildren(element, ...children) {
  element.replaceChildren(...nodes(children));
}

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
 * Makes a button that copies a text, and says so.
 * @param {string} text
 * @param {string} what
 */
export function copyButton(text, what) {
  const button = h("button", { type: "button", class: "copy", "aria-label": `Copy ${what}`, title: `Copy ${what}` }, "copy");
  button.addEventListener("click", async () => {
    setText(button, (await copy(text)) ? "copied" : "press Ctrl-C");
    setTimeout(() => setText(button, "copy"), 1500);
  });
  return button;
}

/**
 * The clipboard is only there on loopback and by https; elsewhere the text is selected for the old command.
 * @param {string} text
 */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = h("textarea", { class: "offscreen", "aria-hidden": "true", tabindex: "-1" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
