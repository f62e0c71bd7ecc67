/**
 * @file Parsing Markdown into a tree: headings, paragraphs, lists, quotes, code, rules, tables; emphasis, code and links
 * within them. HTML in it is text. Pure.
 */

/** How deep lists and quotes may be nested; deeper ones are text. */
const MAX_DEPTH = 8;
/** A longer text is not parsed. */
export const MAX_CHARS = 512 * 1024;

/**
 * @typedef {{kind: "text" | "code", text: string} | {kind: "em" | "strong" | "del", children: Inline[]}
 *     | {kind: "link", href: string, children: Inline[]} | {kind: "break"}} Inline
 */
/**
 * @typedef {{kind: "heading", level: number, children: Inline[]} | {kind: "para", children: Inline[]}
 *     | {kind: "code", lang: string, text: string} | {kind: "quote", blocks: Block[]} | {kind: "rule"}
 *     | {kind: "list", ordered: boolean, start: number, items: {done: boolean | null, blocks: Block[]}[]}
 *     | {kind: "table", head: Inline[][], rows: Inline[][][]}} Block
 */

/**
 * Parses Markdown.
 * @param {string} source
 * @returns {Block[]}
 */
export function parseMarkdown(source) {
  return blocks(source.replace(/\r\n?/g, "\n").replace(/\t/g, "    ").split("\n"), 0);
}

/* Each pattern takes time linear in the length of its line: no two adjacent parts can match the same text. */
const FENCE = /^ {0,3}(`{3,}|~{3,}(?!~))([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})(?=\s|$)/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])(\s+|$)(.*)$/s;
const QUOTE = /^ {0,3}> ?(.*)$/s;
/* Applied to a trimmed line. */
const TABLE_RULE = /^\|?\s*:?-+:?(?:\s*\|\s*:?-+:?)*\s*\|?$/;
const TASK = /^\[([ xX])\]\s+(.*)$/s;

/**
 * Parses a line as a heading; null where it is none.
 * @param {string} line
 * @returns {{level: number, text: string} | null}
 */
export function headingOf(line) {
  const mark = HEADING.exec(line);
  if (!mark) return null;
  const text = line.slice(mark[0].length).trim();
  // A closing sequence of # needs a space before it.
  let end = text.length;
  while (text[end - 1] === "#") end -= 1;
  const isClosed = end < text.length && (end === 0 || /\s/.test(text[end - 1] ?? ""));
  return { level: mark[1]?.length ?? 1, text: isClosed ? text.slice(0, end).trimEnd() : text };
}

/**
 * @param {string[]} lines
 * @param {number} depth
 * @returns {Block[]}
 */
function blocks(lines, depth) {
  /** @type {Block[]} */
  const out = [];
  let i = 0;
  while (i < lines.length) {
    const line = lines[i] ?? "";
    if (!line.trim()) i += 1;
    else i = depth < MAX_DEPTH ? block(lines, i, depth, out) : paragraph(lines, i, out, true);
  }
  return out;
}

/**
 * @param {string[]} lines
 * @param {number} i
 * @param {number} depth
 * @param {Block[]} out
 * @returns {number} the line after the block
 */
function block(lines, i, depth, out) {
  const line = lines[i] ?? "";
  const fence = FENCE.exec(line);
  if (fence) return code(lines, i, fence[1] ?? "```", fence[2]?.trim() ?? "", out);
  const heading = headingOf(line);
  if (heading) {
    out.push({ kind: "heading", level: heading.level, children: inline(heading.text) });
    return i + 1;
  }
  if (RULE.test(line)) {
    out.push({ kind: "rule" });
    return i + 1;
  }
  if (QUOTE.test(line)) {
    const inner = [];
    for (; i < lines.length && (lines[i] ?? "").trim(); i += 1) inner.push(QUOTE.exec(lines[i] ?? "")?.[1] ?? lines[i] ?? "");
    out.push({ kind: "quote", blocks: blocks(inner, depth + 1) });
    return i;
  }
  if (ITEM.test(line)) return list(lines, i, depth, out);
  if (line.includes("|") && TABLE_RULE.test((lines[i + 1] ?? "").trim())) return table(lines, i, out);
  if (/^ {4}/.test(line)) {
    const text = [];
    for (; i < lines.length && (/^ {4}/.test(lines[i] ?? "") || !(lines[i] ?? "").trim()); i += 1) text.push((lines[i] ?? "").slice(4));
    out.push({ kind: "code", lang: "", text: text.join("\n").trimEnd() });
    return i;
  }
  return paragraph(lines, i, out, false);
}

/**
 * @param {string[]} lines
 * @param {number} i
 * @param {string} fence
 * @param {string} lang
 * @param {Block[]} out
 */
function code(lines, i, fence, lang, out) {
  const text = [];
  for (i += 1; i < lines.length; i += 1) {
    const end = FENCE.exec(lines[i] ?? "");
    if (end && !end[2]?.trim() && (end[1] ?? "").startsWith(fence)) break;
    text.push(lines[i] ?? "");
  }
  out.push({ kind: "code", lang, text: text.join("\n") });
  return i + 1;
}

/**
 * @param {string[]} lines
 * @param {number} i
 * @param {Block[]} out
 * @param {boolean} isFlat
 */
function paragraph(lines, i, out, isFlat) {
  const text = [lines[i] ?? ""];
  const starts = (/** @type {string} */ line) => [FENCE, HEADING, RULE, ITEM, QUOTE].some((pattern) => pattern.test(line));
  for (i += 1; i < lines.length && (lines[i] ?? "").trim() && (isFlat || !starts(lines[i] ?? "")); i += 1) text.push(lines[i] ?? "");
  out.push({ kind: "para", children: inline(text.map((line) => line.trimStart()).join("\n")) });
  return i;
}

/**
 * @param {string[]} lines
 * @param {number} i
 * @param {number} depth
 * @param {Block[]} out
 */
function list(lines, i, depth, out) {
  const first = ITEM.exec(lines[i] ?? "");
  const ordered = /\d/.test(first?.[2] ?? "");
  /** @type {{done: boolean | null, blocks: Block[]}[]} */
  const items = [];
  while (i < lines.length) {
    const item = ITEM.exec(lines[i] ?? "");
    if (!item || /\d/.test(item[2] ?? "") !== ordered || RULE.test(lines[i] ?? "")) break;
    const indent = (item[1] ?? "").length + (item[2] ?? "").length + Math.min(4, Math.max(1, (item[3] ?? "").length));
    const inner = [item[4] ?? ""];
    for (i += 1; i < lines.length; i += 1) {
      const line = lines[i] ?? "";
      const next = lines[i + 1] ?? "";
      if (!line.trim()) {
        if (leading(next) < indent || !next.trim()) break;
        inner.push("");
      } else if (leading(line) >= indent) inner.push(line.slice(indent));
      else if (ITEM.test(line) || HEADING.test(line) || FENCE.test(line) || QUOTE.test(line) || RULE.test(line)) break;
      else inner.push(line.trimStart());
    }
    const task = TASK.exec(inner[0] ?? "");
    if (task) inner[0] = task[2] ?? "";
    items.push({ done: task ? task[1] !== " " : null, blocks: blocks(inner, depth + 1) });
    let after = i;
    while (after < lines.length && !(lines[after] ?? "").trim()) after += 1;
    if (after > i && ITEM.test(lines[after] ?? "")) i = after;
  }
  out.push({ kind: "list", ordered, start: ordered ? parseInt(first?.[2] ?? "1", 10) : 1, items });
  return i;
}

/** @param {string} line */
function leading(line) {
  return line.length - line.trimStart().length;
}

/**
 * @param {string[]} lines
 * @param {number} i
 * @param {Block[]} out
 */
function table(lines, i, out) {
  const cells = (/** @type {string} */ line) =>
    line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => inline(cell.trim().replace(/\\\|/g, "|")));
  const head = cells(lines[i] ?? "");
  const rows = [];
  for (i += 2; i < lines.length && (lines[i] ?? "").includes("|"); i += 1) rows.push(cells(lines[i] ?? ""));
  out.push({ kind: "table", head, rows });
  return i;
}

/* Each alternative begins with its own delimiter and has bounded length; a run of one delimiter is tried from its
   beginning only, and the lookahead groups are atomic, so that matching does not backtrack into them. */
const TOKEN =
  /\\([!-/:-@[-`{-~])|(?<!`)(`{1,32})(?!`)([^`]|[^`][^]{0,2000}?[^`])\2(?!`)|!?\[([^\]\n]{0,500})\]\(\s{0,8}<?(?=([^\s)>]{0,2000}))\5>?(?:\s{1,8}"[^"\n]{0,200}")?\s{0,8}\)|<((?:https?):\/\/[^\s<>]{1,2000})>|(\bhttps?:\/\/[^\s<>)\]"'`]{1,2000})|(\*\*|__)(?=\S)([^\n]{0,1000}?\S)\8|(\*|_)(?=\S)([^*_\n]{1,2000}?)(?<=\S)\10(?!\w)|~~(?=\S)([^~\n]{1,2000})~~|((?<! ) {2,}|\\)\n/g;

/**
 * Parses the inline content of a line.
 * @param {string} text
 * @param {number} [depth]
 * @returns {Inline[]}
 */
export function inline(text, depth = 0) {
  /** @type {Inline[]} */
  const out = [];
  const add = (/** @type {string} */ plain) => {
    const last = out.at(-1);
    if (!plain) return;
    if (last?.kind === "text") last.text += plain;
    else out.push({ kind: "text", text: plain });
  };
  if (depth > 4) return [{ kind: "text", text }];
  let from = 0;
  for (const m of text.matchAll(TOKEN)) {
    add(text.slice(from, m.index));
    from = m.index + m[0].length;
    if (m[1] !== undefined) add(m[1]);
    else if (m[3] !== undefined) out.push({ kind: "code", text: codeText(m[3]) });
    else if (m[5] !== undefined) out.push({ kind: "link", href: m[5], children: inline(m[4] || m[5], depth + 1) });
    else if (m[6] !== undefined) out.push({ kind: "link", href: m[6], children: [{ kind: "text", text: m[6] }] });
    else if (m[7] !== undefined) {
      const bare = m[7].replace(/(?<![.,;:!?])[.,;:!?]+$/, "");
      out.push({ kind: "link", href: bare, children: [{ kind: "text", text: bare }] });
      add(m[7].slice(bare.length));
    } else if (m[9] !== undefined) out.push({ kind: "strong", children: inline(m[9], depth + 1) });
    else if (m[11] !== undefined) {
      if (m[10] === "_" && /\w/.test(text[m.index - 1] ?? "")) add(m[0]);
      else out.push({ kind: "em", children: inline(m[11], depth + 1) });
    } else if (m[12] !== undefined) out.push({ kind: "del", children: inline(m[12], depth + 1) });
    else out.push({ kind: "break" });
  }
  add(text.slice(from));
  return out;
}

/** The text of a code span: one space at each end only separates it from the backticks. @param {string} raw */
function codeText(raw) {
  const text = raw.replace(/\n/g, " ");
  return text.startsWith(" ") && text.endsWith(" ") && text.trim() ? text.slice(1, -1) : text;
}
