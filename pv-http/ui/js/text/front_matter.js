/**
 * @file Front matter: the YAML of a prompt between two `---` lines, and writing settings into it. Pure.
 *
 * Only the lines of the keys that are set change; everything else stays as it was written.
 */

import { headingOf } from "./markdown.js";

/** The keys that the form can set, in the order in which they are written. */
export const KEYS = /** @type {const} */ (["agent", "model", "timeout", "deliver", "checks", "attempts"]);

/** @typedef {Partial<Record<typeof KEYS[number], string>>} Settings */

/**
 * Splits a prompt into its front matter, without the `---` lines, and its body. Null where it has none.
 * @param {string} markdown
 * @returns {{front: string | null, body: string}}
 */
export function splitFrontMatter(markdown) {
  const match = /^\ufeff?---[ \t]*\r?\n([^]*?)(?<=\n)---[ \t]*(?:\r?\n|$)/.exec(markdown);
  if (!match) return { front: null, body: markdown };
  return { front: (match[1] ?? "").replace(/\r?\n$/, ""), body: markdown.slice(match[0].length) };
}

/**
 * Returns the prompt with the settings under `pv:` in its front matter; blank ones leave what is there.
 * @param {string} markdown
 * @param {Settings} settings
 * @throws {Error} where `pv:` is not written as one key a line
 */
export function withSettings(markdown, settings) {
  const wanted = KEYS.flatMap((key) => {
    const value = settings[key]?.trim();
    return value ? [/** @type {[string, string]} */ ([key, value])] : [];
  });
  if (wanted.length === 0) return markdown;
  const { front, body } = splitFrontMatter(markdown);
  if (front === null) return `---\n${["pv:", ...wanted.map(([key, value]) => `  ${key}: ${scalar(value)}`)].join("\n")}\n---\n${body}`;
  const lines = front === "" ? [] : front.split(/\r?\n/);
  const at = lines.findIndex((line) => /^pv[ \t]*:/.test(line));
  if (at < 0) {
    lines.push("pv:", ...wanted.map(([key, value]) => `  ${key}: ${scalar(value)}`));
  } else {
    if (!/^pv[ \t]*:[ \t]*(#.*)?$/.test(lines[at] ?? "")) {
      throw new Error("`pv:` is written on one line here: add the settings to it by hand, or give each key a line of its own");
    }
    setKeysUnder(lines, at, wanted);
  }
  return `---\n${lines.join("\n")}\n---\n${body}`;
}

/**
 * @param {string[]} lines
 * @param {number} at
 * @param {[string, string][]} wanted
 */
function setKeysUnder(lines, at, wanted) {
  let end = at + 1;
  while (end < lines.length && /^(\s|$|#)/.test(lines[end] ?? "")) end += 1;
  const indent = /^(\s+)\S/.exec(lines.slice(at + 1, end).find((line) => line.trim()) ?? "")?.[1] ?? "  ";
  for (const [key, value] of wanted) {
    const line = `${indent}${key}: ${scalar(value)}`;
    const old = lines.findIndex((text, i) => i > at && i < end && text.startsWith(`${indent}${key}:`));
    if (old >= 0) lines[old] = line;
    else {
      lines.splice(end, 0, line);
      end += 1;
    }
  }
}

/** A value as YAML: plain where YAML can only read it as that text, else quoted. @param {string} value */
function scalar(value) {
  const isPlain = /^[A-Za-z][\w./+-]*$|^\d+[smh]$/.test(value) && !/^(y|n|yes|no|on|off|true|false|null)$/i.test(value);
  return isPlain ? value : JSON.stringify(value);
}

/**
 * Returns the title of a prompt: that of its front matter, else its first heading.
 * @param {string} markdown
 */
export function titleOf(markdown) {
  const { front, body } = splitFrontMatter(markdown);
  for (const line of (front ?? "").split("\n")) {
    const own = /^\s+title:(.*)$/.exec(line)?.[1]?.trim().replace(/^["']|["']$/g, "");
    if (own) return own;
  }
  for (const line of body.split("\n")) {
    const heading = headingOf(line)?.text;
    if (heading) return heading;
  }
  return "";
}
