/**
 * @file A virtual list: only the rows in view are in the page, so ten thousand rows cost as much as thirty. Rows keep their
 * elements while their items change, so that nothing flickers and the focus stays.
 */

import { h } from "../../lib/dom.js";

/** Rows beyond each edge of the window that are created too. */
const OVERSCAN_ROWS = 8;

/** @template T @typedef {{element: HTMLElement, update: (item: T) => void}} Row */

/** @template T */
export class VirtualList {
  /** @type {T[]} */
  #items = [];
  /** @type {Map<string, Row<T>>} */
  #rows = new Map();
  #isScheduled = false;
  /** The id of the row in the tab order. @type {string | null} */
  #current = null;

  /**
   * @param {object} options
   * @param {(item: T) => string} options.id
   * @param {(item: T) => Row<T>} options.create
   * @param {() => number} options.rowHeight  in pixels
   * @param {AbortSignal} options.signal
   */
  constructor({ id, create, rowHeight, signal }) {
    this.#id = id;
    this.#create = create;
    this.#rowHeight = rowHeight;
    this.element = h("div", { class: "list", role: "rowgroup" });
    const schedule = () => this.#schedule();
    addEventListener("scroll", schedule, { passive: true, signal });
    addEventListener("resize", schedule, { passive: true, signal });
    this.element.addEventListener("keydown", (event) => this.#onKey(event));
    this.element.addEventListener("focusin", (event) => this.#onFocus(event));
  }

  #id;
  #create;
  #rowHeight;

  /** Sets the items. Where the list is scrolled, the rows in view stay where they are. @param {T[]} items */
  setItems(items) {
    const height = this.#rowHeight();
    const top = -this.element.getBoundingClientRect().top;
    const first = top > height ? this.#items[Math.floor(top / height)] : undefined;
    const before = first ? Math.floor(top / height) : 0;
    this.#items = items;
    this.element.style.height = `${items.length * height}px`;
    this.element.parentElement?.setAttribute("aria-rowcount", String(items.length + 1));
    if (first) {
      const id = this.#id(first);
      const after = items.findIndex((item) => this.#id(item) === id);
      if (after >= 0 && after !== before) scrollBy(0, (after - before) * height);
    }
    this.render();
  }

  #schedule() {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    requestAnimationFrame(() => {
      this.#isScheduled = false;
      this.render();
    });
  }

  /** Creates the rows in view, and removes the others. */
  render() {
    const height = this.#rowHeight();
    const top = -this.element.getBoundingClientRect().top;
    const from = Math.max(0, Math.floor(top / height) - OVERSCAN_ROWS);
    const to = Math.min(this.#items.length, Math.ceil((top + innerHeight) / height) + OVERSCAN_ROWS);
    this.element.style.height = `${this.#items.length * height}px`;
    /** @type {Set<string>} */
    const shown = new Set();
    /** @type {Element | null} */
    let next = this.element.firstElementChild;
    for (let index = from; index < to; index += 1) {
      const item = /** @type {T} */ (this.#items[index]);
      const id = this.#id(item);
      shown.add(id);
      let row = this.#rows.get(id);
      if (row) row.update(item);
      else {
        row = this.#create(item);
        row.element.dataset.row = id;
        this.#rows.set(id, row);
      }
      const { element } = row;
      element.style.transform = `translateY(${index * height}px)`;
      element.setAttribute("aria-rowindex", String(index + 2));
      const link = element.querySelector("a");
      const isCurrent = this.#current === null ? index === 0 : this.#current === id;
      if (link) link.tabIndex = isCurrent ? 0 : -1;
      if (element === next) next = element.nextElementSibling;
      else this.element.insertBefore(element, next);
    }
    for (const [id, row] of this.#rows) {
      if (shown.has(id)) continue;
      row.element.remove();
      this.#rows.delete(id);
    }
    if (this.#current !== null && !shown.has(this.#current)) {
      this.#current = null;
      const link = this.element.querySelector("a");
      if (link) link.tabIndex = 0;
    }
  }

  /** @param {FocusEvent} event */
  #onFocus(event) {
    const row = event.target instanceof Element ? event.target.closest("[data-row]") : null;
    if (!(row instanceof HTMLElement) || row.dataset.row === this.#current) return;
    this.#current = row.dataset.row ?? null;
    for (const link of this.element.querySelectorAll("a")) link.tabIndex = row.contains(link) ? 0 : -1;
  }

  /** Arrows, Page Up and Down, Home and End move the focus between rows. @param {KeyboardEvent} event */
  #onKey(event) {
    const page = Math.max(1, Math.floor(innerHeight / this.#rowHeight()) - 4);
    const last = this.#items.length - 1;
    const at = this.#items.findIndex((item) => this.#id(item) === this.#current);
    /** @type {Record<string, number>} */
    const moves = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: last };
    const wanted = moves[event.key];
    if (wanted === undefined || last < 0) return;
    event.preventDefault();
    const index = Math.min(last, Math.max(0, wanted));
    const height = this.#rowHeight();
    const y = this.element.getBoundingClientRect().top + index * height;
    if (y < height * 4) scrollBy(0, y - height * 4);
    else if (y + height * 2 > innerHeight) scrollBy(0, y + height * 2 - innerHeight);
    this.#current = this.#id(/** @type {T} */ (this.#items[index]));
    this.render();
    this.#rows.get(this.#current)?.element.querySelector("a")?.focus({ preventScroll: true });
  }
}
