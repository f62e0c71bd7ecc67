// Which folders of the page's modules may import from which, and that modules do not import each other in a circle.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../pv-http/ui/js", import.meta.url));
/** How many modules may lie in `ui/js` itself. */
const MAX_ROOT_MODULES = 8;

/** What a folder's modules may import from, besides their own folder. Each lists only folders above it in this table. */
const ALLOWED = /** @type {Record<string, string[]>} */ ({
  text: [],
  lib: ["text"],
  api: ["lib"],
  log: ["text", "lib", "api"],
  views: ["text", "lib", "api", "log"],
  "views/dashboard": ["text", "lib", "api", "views"],
  "views/job": ["text", "lib", "api", "log", "views"],
  "views/submit": ["text", "lib", "api", "views"],
  ".": ["lib", "api", "views", "views/dashboard", "views/job", "views/submit"],
});

/* Statements, whose `from` may be on a line of its own; and `import("…")`, by which comments name types. */
const IMPORT = /^(?:import\b|export\b.*\bfrom\b|\}\s*from\b)[^"'\n]*["']([^"'\n]+)["']|\bimport\(\s*["']([^"'\n]+)["']/gm;

/**
 * Reads what each module imports.
 * @param {string} root
 * @returns {Map<string, string[]>} both as paths below the root
 */
function readImports(root) {
  const names = fs.readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".js")).sort();
  return new Map(names.map((name) => {
    const specifiers = [...fs.readFileSync(path.join(root, name), "utf8").matchAll(IMPORT)].map((match) => match[1] ?? match[2] ?? "");
    return [name, [...new Set(specifiers.map((specifier) => resolve(name, specifier)))]];
  }));
}

/** @param {string} from @param {string} specifier */
function resolve(from, specifier) {
  return /^\.\.?\//.test(specifier) ? path.posix.join(path.posix.dirname(from), specifier) : specifier;
}

/** Returns what is wrong with imports, each as one text. @param {Map<string, string[]>} imports */
function violations(imports) {
  return [...imports].flatMap(([name, targets]) => {
    const folder = path.posix.dirname(name);
    const allowed = ALLOWED[folder];
    if (!allowed) return [`${name}: add its folder to the table`];
    return targets.flatMap((target) => {
      if (!imports.has(target)) return [`${name} imports ${target}, which is no module of the page`];
      const to = path.posix.dirname(target);
      return to === folder || allowed.includes(to) ? [] : [`${name} imports ${target}: ${folder} may not import from ${to}`];
    });
  });
}

/** Returns the circles, each as the modules along it. @param {Map<string, string[]>} imports */
function circles(imports) {
  /** @type {string[]} */
  const found = [];
  /** @type {Set<string>} */
  const finished = new Set();
  const visit = (/** @type {string} */ name, /** @type {string[]} */ above) => {
    if (above.includes(name)) found.push([...above.slice(above.indexOf(name)), name].join(" > "));
    else if (!finished.has(name)) {
      for (const target of imports.get(name) ?? []) visit(target, [...above, name]);
      finished.add(name);
    }
  };
  for (const name of imports.keys()) visit(name, []);
  return found;
}

test("modules import only from the folders that the table names", () => {
  const imports = readImports(ROOT);
  assert.ok((imports.get("main.js")?.length ?? 0) > 5, "the modules are found, and so is what they import");
  assert.deepEqual(violations(imports), []);
});

test("no modules import each other in a circle", () => {
  assert.deepEqual(circles(readImports(ROOT)), []);
});

test("few modules lie outside the folders", () => {
  const outside = [...readImports(ROOT).keys()].filter((name) => !name.includes("/"));
  assert.ok(outside.length <= MAX_ROOT_MODULES, outside.join(", "));
});

test("the table itself has no circle", () => {
  const seen = new Set();
  for (const [folder, allowed] of Object.entries(ALLOWED)) {
    assert.ok(allowed.every((other) => seen.has(other)), `${folder} lists a folder that does not stand above it`);
    seen.add(folder);
  }
});

test("what is forbidden is found", () => {
  const imports = new Map([
    ["lib/a.js", ["lib/b.js", "api/c.js"]], ["lib/b.js", ["lib/a.js"]], ["api/c.js", ["lib/a.js", "https://cdn.example/x.js"]], ["new/d.js", []],
  ]);
  assert.deepEqual(violations(imports), [
    "lib/a.js imports api/c.js: lib may not import from api",
    "api/c.js imports https://cdn.example/x.js, which is no module of the page",
    "new/d.js: add its folder to the table",
  ]);
  assert.deepEqual(circles(imports), ["lib/a.js > lib/b.js > lib/a.js", "lib/a.js > api/c.js > lib/a.js"]);
});
