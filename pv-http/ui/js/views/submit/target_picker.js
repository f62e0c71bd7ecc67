/**
 * @file A combobox for targets: a text field that searches, and a list of matches.
 */

import { h, setAttr, setChildren, uniqueId } from "../../lib/dom.js";

/** @typedef {import("../../api/types.js").Target} Target */

/** How many matches are listed. */
const MAX_MATCHES = 50;

/** @param {Target} target */
export function targetName(target) {
  return `${target.full_repo} · ${target.branch}`;
}

/** @param {(target: Target | null) => void} onChange */
export function targetPicker(onChange) {
  /** @type {Target[]} */
  let all = [];
  /** @type {Target[]} */
  let matches = [];
  let active = -1;
  /** @type {Target | null} */
  let value = null;
  const [id, listId, errorId] = [uniqueId("target"), uniqueId("targets"), uniqueId("target-error")];
  const input = h("input", {
    id, class: "input", type: "text", role: "combobox", autocomplete: "off", spellcheck: "false", placeholder: "owner/repository · branch",
    "aria-expanded": "false", "aria-controls": listId, "aria-autocomplete": "list", "aria-describedby": errorId, required: true,
  });
  const list = h("ul", { id: listId, class: "options", role: "listbox", "aria-label": "Targets", hidden: true });
  const error = h("p", { class: "field-error", id: errorId, role: "alert" });
  const element = h("div", { class: "field target-picker" }, h("label", { for: id }, "Target"), input, list, error);

  const search = () => {
    const words = input.value.toLowerCase().split(/[\s·]+/).filter(Boolean);
    const name = (/** @type {Target} */ target) => targetName(target).toLowerCase();
    const isChosen = value !== null && input.value === targetName(value);
    matches = (isChosen ? all : all.filter((target) => words.every((word) => name(target).includes(word)))).slice(0, MAX_MATCHES);
    active = matches.length === 0 ? -1 : Math.max(0, isChosen ? matches.findIndex((target) => target === value) : 0);
    setChildren(list, matches.length === 0
      ? h("li", { class: "option none", role: "option", "aria-disabled": "true", "aria-selected": "false" }, all.length === 0 ? "No targets yet: pv init in a clone makes one, and so does pv targets add OWNER/REPO" : "No matching targets")
      : matches.map((target, i) => h("li", {
        class: "option", role: "option", id: `${listId}-${i}`, "aria-selected": "false",
        on: { pointerdown: (/** @type {Event} */ event) => { event.preventDefault(); choose(target); } },
      }, h("span", {}, target.full_repo), h("span", { class: "option-branch" }, target.branch))));
    list.hidden = false;
    setAttr(input, "aria-expanded", "true");
    updateActive();
  };
  const updateActive = () => {
    [...list.children].forEach((option, i) => setAttr(option, "aria-selected", String(i === active)));
    setAttr(input, "aria-activedescendant", active < 0 ? null : `${listId}-${active}`);
    list.children[active]?.scrollIntoView({ block: "nearest" });
  };
  const close = () => {
    list.hidden = true;
    setAttr(input, "aria-expanded", "false");
    setAttr(input, "aria-activedescendant", null);
  };
  const choose = (/** @type {Target | null} */ target) => {
    value = target;
    if (target) input.value = targetName(target);
    close();
    onChange(target);
  };
  input.addEventListener("focus", () => input.select());
  input.addEventListener("click", search);
  input.addEventListener("input", () => {
    value = null;
    search();
    onChange(null);
  });
  input.addEventListener("blur", () => {
    const exact = all.find((target) => targetName(target) === input.value.trim() || `${target.full_repo} ${target.branch}` === input.value.trim());
    if (exact && exact !== value) choose(exact);
    else close();
  });
  input.addEventListener("keydown", (event) => {
    const { key } = event;
    if (key === "Escape" && !list.hidden) close();
    else if (key === "ArrowDown" || key === "ArrowUp") {
      if (list.hidden) search();
      else if (matches.length > 0) active = (active + (key === "ArrowDown" ? 1 : matches.length - 1)) % matches.length;
      updateActive();
    } else if (key === "Enter" && !list.hidden && matches[active]) choose(matches[active] ?? null);
    else return;
    event.preventDefault();
  });
  return {
    element,
    error,
    focus: () => input.focus(),
    get value() {
      return value;
    },
    /** @param {string} repo @param {string} branch */
    choose(repo, branch) {
      const target = all.find((candidate) => (candidate.full_repo === repo || candidate.repo === repo) && candidate.branch === branch);
      if (target) choose(target);
      else if (repo) input.value = [repo, branch].filter(Boolean).join(" · ");
    },
    /** @param {Target[]} targets */
    setTargets(targets) {
      all = targets;
      if (document.activeElement === input && !list.hidden) search();
    },
  };
}
