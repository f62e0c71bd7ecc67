// A whole Prompt Valet for one test file: a throw-away root with a scripted agent, `pv api`, `pv watcher` and `pv ui` on
// free loopback ports, and a browser. Whatever was started is ended by its id when the tests of the file are over.
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
/** Where screenshots go: build output. */
export const SHOTS = process.env.PV_SHOTS ?? path.join(TARGET, "browser");
/** How long anything may take that the tests wait for, in milliseconds. */
export const PATIENCE_MS = 30_000;

/* What it is told to say it says; it ends when it is told to, as it is told. */
const AGENT = `#!/bin/sh
cat >prompt.txt
echo "agent at work"
speak() {
    [ -e "$0.say/$PV_JOB_ID" ] || return 0
    mv "$0.say/$PV_JOB_ID" "$0.said.$PV_JOB_ID"
    cat "$0.said.$PV_JOB_ID"
}
tries=0
while [ ! -e "$0.go/$PV_JOB_ID" ] && ! grep -q 'at once' prompt.txt; do
    speak
    tries=$((tries + 1))
    [ $tries -lt 20000 ] || exit 9
    sleep 0.03
done
speak
rm prompt.txt
printf 'one\\ntwo\\nthree\\n' >notes.txt
echo "agent is done"
if grep -q fail "$0.go/$PV_JOB_ID" 2>/dev/null; then exit 3; fi
`;

export class House {
  root = fs.mkdtempSync(path.join(os.tmpdir(), "pv-browser-"));
  /** @type {Map<string, import("node:child_process").ChildProcess>} */
  #running = new Map();
  /** @type {import("playwright-core").Browser | undefined} */
  #browser;
  env = {};

  /**
   * Builds a root and starts the services.
   * @param {{env?: Record<string, string>, services?: string[], settings?: string}} [options]
   */
  static async build({ env = {}, services = ["api", "watcher", "ui"], settings = "" } = {}) {
    const house = new House();
    house.env = env;
    house.port = await freePort();
    house.uiPort = await freePort();
    house.#furnish(settings);
    for (const name of services) await house.start(name);
    return house;
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

  #furnish(settings) {
    for (const name of ["home", "config", "runs", "finished", "work", "inbox/nova-rey/example/main", "inbox/nova-rey/example/next", "inbox/acme/tools/main", "agent.go", "agent.say"]) {
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

  /** Starts a service, and waits until it answers. @param {string} name */
  async start(name) {
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
    if (url) await until(`pv ${name} answers`, async () => (await fetch(url).catch(() => null))?.ok);
    else await until("the watcher watches", () => fs.readFileSync(path.join(this.root, `${name}.out`), "utf8").includes("watching"));
  }

  /** Ends a service by its id. @param {string} name @param {NodeJS.Signals} [signal] */
  async stop(name, signal = "SIGTERM") {
    const child = this.#running.get(name);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill(signal);
    await gone;
  }

  /** Asks the API, and returns its JSON. @param {string} what @param {object} [body] */
  async ask(what, body) {
    const init = body ? { method: "POST", headers: { "content-type": "application/json", ...this.#auth() }, body: JSON.stringify(body) } : { headers: this.#auth() };
    const response = await fetch(`${this.api}/api/v1/${what}`, init);
    return response.json();
  }
  #auth() {
    return this.env.PV_API_TOKEN ? { authorization: `Bearer ${this.env.PV_API_TOKEN}` } : {};
  }

  /** Submits a prompt, and returns the id of its job. @param {string} markdown */
  async submit(markdown, branch = "main") {
    return (await this.ask("jobs", { repo: "nova-rey/example", branch, markdown_text: markdown })).job_id;
  }

  /** Waits until a job is in a state. @param {string} id @param {string} state */
  async state(id, state) {
    await until(`job ${id} is ${state}`, async () => (await this.ask(`jobs/${id}`)).state === state);
  }

  /** Has the agent of a job say something. @param {string} id @param {string | Buffer} text */
  say(id, text) {
    const place = path.join(this.root, "agent.say", id);
    fs.writeFileSync(`${place}.new`, text);
    fs.renameSync(`${place}.new`, place);
  }

  /** Lets the agent of a job come to its end. @param {string} id */
  finish(id, how = "well") {
    fs.writeFileSync(path.join(this.root, "agent.go", id), how);
  }

  /** Makes the folder of a run as an installation holds it. @param {object} record @param {{log?: string, prompt?: string, patch?: string}} [files] */
  furnishRun(record, { log, prompt, patch } = {}) {
    const dir = path.join(this.runs, record.job_id);
    fs.mkdirSync(dir);
    fs.writeFileSync(path.join(dir, "job.json"), JSON.stringify({ schema_version: 1, git_owner: "nova-rey", repo_name: "example", branch_name: "main", ...record }));
    if (log !== undefined) fs.writeFileSync(path.join(dir, "job.log"), log);
    if (prompt !== undefined) fs.writeFileSync(path.join(dir, "prompt.md"), prompt);
    if (patch !== undefined) fs.writeFileSync(path.join(dir, "changes.patch"), patch);
  }

  /** Opens a page that keeps account of what went wrong in it. */
  async page(options = {}) {
    const browser = await this.browser();
    const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    return watched(await context.newPage());
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
    // Whatever still runs comes to its end by itself once its supervisor is asked.
    for (const id of fs.existsSync(this.runs) ? fs.readdirSync(this.runs) : []) if (!id.startsWith(".")) this.finish(id);
    for (const name of [...this.#running.keys()].reverse()) await this.stop(name);
    await until("no supervisor works in the root", () => !fs.existsSync(path.join(this.root, "work")) || fs.readdirSync(path.join(this.root, "work")).length === 0).catch(() => {});
    fs.rmSync(this.root, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

/** Keeps account of errors, dialogs and violations of the content security policy. @param {import("playwright-core").Page} page */
export async function watched(page) {
  /** @type {string[]} */
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => {
    wrong.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("console", (message) => {
    if (/content security policy|refused to/i.test(message.text())) wrong.push(`console: ${message.text()}`);
  });
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  return Object.assign(page, { wrong });
}

/** Takes a screenshot, as build output. @param {import("playwright-core").Page} page @param {string} name */
export async function shot(page, name) {
  fs.mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: path.join(SHOTS, `${name}.png`) });
}

/** Waits until something is so. @param {string} what @param {() => unknown} is */
export async function until(what, is) {
  for (const end = Date.now() + PATIENCE_MS; ; ) {
    const answer = await is();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`${what}: not in time`);
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

/** An id as the API mints them, but told. @param {number} n */
export function jobId(n) {
  return n.toString(16).padStart(32, "0");
}
