// A complete Prompt Valet for one test file: a temporary root with a scripted agent, `pv api`, `pv watcher` and `pv ui` on
// free loopback ports, and a browser. Every process that was started is ended by its id after the tests of the file.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const TARGET = process.env.CARGO_TARGET_DIR ?? path.join(HERE, "../../target");
const PV = process.env.PV ?? path.join(TARGET, "debug/pv");
/** Where screenshots of tests are written. */
export const SCREENSHOTS = process.env.PV_SHOTS ?? path.join(TARGET, "browser");
/** How long a test waits for anything, in milliseconds. */
export const TIMEOUT_MS = 30_000;

/* Prints what `print` gives it, and ends when `finish` lets it, with the exit code that it says. */
const AGENT = `#!/bin/sh
cat >prompt.txt
echo "agent at work"
print_requested() {
    [ -e "$0.print/$PV_JOB_ID" ] || return 0
    mv "$0.print/$PV_JOB_ID" "$0.printed.$PV_JOB_ID"
    cat "$0.printed.$PV_JOB_ID"
}
tries=0
while [ ! -e "$0.finish/$PV_JOB_ID" ] && ! grep -q 'at once' prompt.txt; do
    print_requested
    tries=$((tries + 1))
    [ $tries -lt 20000 ] || exit 9
    sleep 0.03
done
print_requested
rm prompt.txt
printf 'one\\ntwo\\nthree\\n' >notes.txt
echo "agent is done"
if grep -q fail "$0.finish/$PV_JOB_ID" 2>/dev/null; then exit 3; fi
`;

export class Fixture {
  root = fs.mkdtempSync(path.join(os.tmpdir(), "pv-browser-"));
  /** @type {Map<string, import("node:child_process").ChildProcess>} */
  #running = new Map();
  /** @type {import("playwright-core").Browser | undefined} */
  #browser;
  env = {};

  /**
   * Creates the root and starts the services.
   * @param {{env?: Record<string, string>, services?: string[], settings?: string}} [options]
   */
  static async start({ env = {}, services = ["api", "watcher", "ui"], settings = "" } = {}) {
    const fixture = new Fixture();
    fixture.env = env;
    fixture.port = await freePort();
    fixture.uiPort = await freePort();
    fixture.#createRoot(settings);
    for (const name of services) await fixture.startService(name);
    return fixture;
  }

  get api() {
    return `http://127.0.0.1:${this.port}`;
  }
  get ui() {
    return `http://127.0.0.1:${this.uiPort}`;
  }
  get runs() {
    return path.join(this.root, "runs");
  }

  #createRoot(settings) {
    for (const name of ["home", "config", "runs", "finished", "work", "inbox/nova-rey/example/main", "inbox/nova-rey/example/next", "inbox/acme/tools/main", "agent.finish", "agent.print"]) {
      fs.mkdirSync(path.join(this.root, name), { recursive: true });
    }
    for (const name of ["nova-rey/example", "acme/tools"]) {
      const clone = path.join(this.root, "repos", name);
      fs.mkdirSync(clone, { recursive: true });
      fs.writeFileSync(path.join(clone, "README.md"), "# Example\n");
      const git = (...args) => execFileSync("git", ["-C", clone, "-c", "user.name=CI", "-c", "user.email=ci@example.invalid", ...args], { stdio: "pipe" });
      git("init", "-q", "--initial-branch=main");
      git("add", "--all");
      git("commit", "-q", "-m", "Begin");
      git("branch", "next");
    }
    const agent = path.join(this.root, "agent");
    fs.writeFileSync(agent, AGENT, { mode: 0o755 });
    fs.writeFileSync(path.join(this.root, "config/prompt-valet.yaml"),
      `inbox_mode: multi_owner\ndefault_agent: scripted\nagents:\n  scripted:\n    command: ${agent}\n  codex:\n    command: ${agent}\n    args: []\n` +
      `watcher:\n  max_concurrent: 4\n  max_per_repo: 4\n  heartbeat_seconds: 1\n  abort_grace_seconds: 1\ndelivery:\n  mode: none\n${settings}`);
  }

  /** Starts a service, and waits until it responds. @param {string} name */
  async startService(name) {
    const out = fs.openSync(path.join(this.root, `${name}.out`), "a");
    const child = spawn(PV, [name], {
      stdio: ["ignore", out, out],
      env: {
        PATH: process.env.PATH, HOME: path.join(this.root, "home"), LANG: "C.UTF-8", PV_ROOT: this.root,
        PV_CONFIG_PATH: path.join(this.root, "config/prompt-valet.yaml"), PV_BIND_PORT: String(this.port), PV_UI_BIND_HOST: "127.0.0.1",
        PV_UI_BIND_PORT: String(this.uiPort), PV_API_BASE_URL: `${this.api}/api/v1`, PV_UI_API_TIMEOUT_SECONDS: "2", ...this.env,
      },
    });
    fs.closeSync(out);
    this.#running.set(name, child);
    const url = name === "api" ? `${this.api}/api/v1/healthz` : name === "ui" ? `${this.ui}/` : null;
    if (url) await waitUntil(`pv ${name} responds`, async () => (await fetch(url).catch(() => null))?.ok);
    else await waitUntil("the watcher is ready", () => fs.readFileSync(path.join(this.root, `${name}.out`), "utf8").includes("watching"));
  }

  /** Ends a service by its id. @param {string} name @param {NodeJS.Signals} [signal] */
  async stopService(name, signal = "SIGTERM") {
    const child = this.#running.get(name);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }

  /** Sends a request to the API, and returns its JSON. @param {string} path @param {object} [body]  by POST */
  async request(path, body) {
    const init = body ? { method: "POST", headers: { "content-type": "application/json", ...this.#auth() }, body: JSON.stringify(body) } : { headers: this.#auth() };
    const response = await fetch(`${this.api}/api/v1/${path}`, init);
    return response.json();
  }
  #auth() {
    return this.env.PV_API_TOKEN ? { authorization: `Bearer ${this.env.PV_API_TOKEN}` } : {};
  }

  /** Submits a prompt, and returns the id of its job. @param {string} markdown */
  async submit(markdown, branch = "main") {
    return (await this.request("jobs", { repo: "nova-rey/example", branch, markdown_text: markdown })).job_id;
  }

  /** Waits until a job is in a state. @param {string} id @param {string} state */
  async waitForState(id, state) {
    await waitUntil(`job ${id} is ${state}`, async () => (await this.request(`jobs/${id}`)).state === state);
  }

  /** Lets the agent of a job print a text. @param {string} id @param {string | Buffer} text */
  print(id, text) {
    const file = path.join(this.root, "agent.print", id);
    fs.writeFileSync(`${file}.new`, text);
    fs.renameSync(`${file}.new`, file);
  }

  /** Lets the agent of a job end. @param {string} id @param {string} [outcome]  `fail` for an exit code other than 0 */
  finish(id, outcome = "succeed") {
    fs.writeFileSync(path.join(this.root, "agent.finish", id), outcome);
  }

  /** Creates the folder of a run, without a service. @param {object} record @param {{log?: string, prompt?: string, patch?: string}} [files] */
  addRun(record, { log, prompt, patch } = {}) {
    const dir = path.join(this.runs, record.job_id);
    fs.mkdirSync(dir);
    fs.writeFileSync(path.join(dir, "job.json"), JSON.stringify({ schema_version: 1, git_owner: "nova-rey", repo_name: "example", branch_name: "main", ...record }));
    if (log !== undefined) fs.writeFileSync(path.join(dir, "job.log"), log);
    if (prompt !== undefined) fs.writeFileSync(path.join(dir, "prompt.md"), prompt);
    if (patch !== undefined) fs.writeFileSync(path.join(dir, "changes.patch"), patch);
  }

  /** Opens a page that records its errors. */
  async page(options = {}) {
    const browser = await this.browser();
    const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
    context.setDefaultTimeout(TIMEOUT_MS);
    return recordErrors(await context.newPage());
  }

  async browser(args = []) {
    this.#browser ??= await chromium.launch({
      executablePath: process.env.CHROMIUM ?? which("chromium"),
      args: ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
        ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []), ...args],
    });
    return this.#browser;
  }

  async close() {
    await this.#browser?.close();
    // Jobs that still run end by themselves once their agents may.
    for (const id of fs.existsSync(this.runs) ? fs.readdirSync(this.runs) : []) if (!id.startsWith(".")) this.finish(id);
    for (const name of [...this.#running.keys()].reverse()) await this.stopService(name);
    await waitUntil("no supervisor is active in the root", () => !fs.existsSync(path.join(this.root, "work")) || fs.readdirSync(path.join(this.root, "work")).length === 0).catch(() => {});
    fs.rmSync(this.root, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

/** Records errors, dialogs and violations of the content security policy in a page. @param {import("playwright-core").Page} page */
export async function recordErrors(page) {
  /** @type {string[]} */
  const errors = [];
  page.on("pageerror", (error) => errors.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => {
    errors.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("console", (message) => {
    if (/content security policy|refused to/i.test(message.text())) errors.push(`console: ${message.text()}`);
  });
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  return Object.assign(page, { errors });
}

/** Takes a screenshot of a test. @param {import("playwright-core").Page} page @param {string} name */
export async function screenshot(page, name) {
  fs.mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: path.join(SCREENSHOTS, `${name}.png`) });
}

/** Waits until a condition holds, and returns its value. @param {string} what @param {() => unknown} condition */
export async function waitUntil(what, condition) {
  for (const end = Date.now() + TIMEOUT_MS; ; ) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`timed out: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {net.AddressInfo} */ (server.address());
  server.close();
  await once(server, "close");
  return port;
}

function which(name) {
  const found = (process.env.PATH ?? "").split(":").map((dir) => path.join(dir, name)).find((file) => fs.existsSync(file));
  if (!found) throw new Error(`no ${name} on the PATH: install it, or set CHROMIUM`);
  return found;
}

/** A job id with a known number. @param {number} n */
export function jobId(n) {
  return n.toString(16).padStart(32, "0");
}
