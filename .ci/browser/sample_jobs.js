// Sample jobs, as run folders: a working day of an installation, for screenshots and accessibility tests.
import { jobId } from "./fixture.js";

const TITLES = [
  "Tidy the parser", "Write the release notes", "Fix the flaky socket test", "Update dependencies", "Move settings to YAML",
  "Speed up the index", "Translate the guide", "Remove dead code",
];
const JOBS = 46;
/** A job that runs, one that waits, and one that is stalled. */
export const [RUNNING, WAITING, STALLED] = [jobId(0xfff1), jobId(0xfff2), jobId(0xfff4)];
/** A job that failed, and one that succeeded. */
export const [FAILED, SUCCEEDED] = [jobId(0xf004), jobId(0xf000)];

/** What the agent of the job that succeeded left in no commit. */
const LEFT = {
  checkout_path: `/srv/prompt-valet/work/${SUCCEEDED}`, checkout_bytes: 48_302_115, checkout_reason: "it holds files that git does not take (vendor/cache)",
  ignored: { files: 17, bytes: 2_310_044, archive_path: `/srv/prompt-valet/runs/${SUCCEEDED}/ignored.tar.zst`, cached_files: 5120 },
};

/** A log with colours. @param {number} steps */
export function agentLog(steps) {
  const line = (/** @type {number} */ i) => {
    const clock = `\x1b[2m12:${String(Math.floor(i / 60) % 60).padStart(2, "0")}:${String(i % 60).padStart(2, "0")}\x1b[0m`;
    const action = ["\x1b[36mread\x1b[0m  ", "\x1b[33medit\x1b[0m  ", "\x1b[35mtest\x1b[0m  "][i % 3];
    const error = i % 23 === 11 ? `\n${clock} \x1b[1;31merror[E0308]\x1b[0m: mismatched types \x1b[41m here \x1b[0m` : "";
    return `${clock} ${action} src/\x1b[1m${["parser", "lexer", "tree", "print"][i % 4]}.rs\x1b[0m ${i % 3 === 2 ? `\x1b[32m${i * 3} passed\x1b[0m, 0 failed` : `lines ${i * 7} to ${i * 7 + 40}`}${error}\n`;
  };
  return Array.from({ length: steps }, (_, i) => line(i)).join("");
}

export const PROMPT = `# Tidy the parser

Split \`parse\` into **three** functions, one for each kind of token, and keep the public interface.

- [x] read \`src/parser.rs\` and its tests
- [ ] split it
- [ ] run \`cargo test\`

> Ask before deleting a test.

| file | what |
|---|---|
| \`src/parser.rs\` | to be split |
| \`src/lexer.rs\` | stays as it is |

\`\`\`rust
pub fn parse(text: &str) -> Result<Tree, Error>
\`\`\`

See <https://example.com/parsers>.
`;

export const PATCH = `diff --git a/src/parser.rs b/src/parser.rs
index 3f1c2a9..8d20e41 100644
--- a/src/parser.rs
+++ b/src/parser.rs
@@ -12,6 +12,8 @@ pub fn parse(text: &str) -> Result<Tree, Error> {
     let mut tokens = lex(text);
-    let tree = parse_everything(&mut tokens, 0, true, None)?;
-    tokens.end()?;
+    let head = parse_head(&mut tokens)?;
+    let body = parse_body(&mut tokens)?;
+    let tree = Tree { head, body };
+    tokens.end()?;
     Ok(tree)
 }
 
diff --git a/src/head.rs b/src/head.rs
new file mode 100644
index 0000000..51f6c3d
--- /dev/null
+++ b/src/head.rs
@@ -0,0 +1,3 @@
+//! The head of a document.
+
+pub(crate) fn parse_head(tokens: &mut Tokens) -> Result<Head, Error> { tokens.head() }
`;

/**
 * Adds the sample jobs. With `live`, also jobs that wait and run, which only stay so without a watcher.
 * @param {import("./fixture.js").Fixture} fixture
 * @param {{live?: boolean}} [options]
 */
export function addSampleJobs(fixture, { live = false } = {}) {
  const now = Date.now();
  const at = (/** @type {number} */ minutes) => new Date(now - minutes * 60_000).toISOString().replace(/\.\d+Z/, "Z");
  for (let n = 0; n < JOBS; n += 1) {
    const begin = 9 + n * 7.7;
    const end = Math.max(0.5, begin - 3 - ((n * 37) % 29));
    const state = n % 9 === 4 ? "failed" : n % 11 === 7 ? "aborted" : "succeeded";
    const message = { failed: "the agent exited with code 1: see the end of the log", aborted: "stopped on request", succeeded: "delivered as a pull request" }[state];
    fixture.addRun({
      job_id: jobId(0xf000 + n), state, message, git_owner: n % 3 === 1 ? "acme" : "nova-rey", repo_name: ["example", "tools", "site"][n % 3], branch_name: n % 5 ? "main" : "next",
      title: TITLES[n % TITLES.length], agent: ["codex", "codex", "claude", "opencode"][n % 4], model: n % 2 ? "gpt-5" : undefined, containment: "cgroup", phase: state === "succeeded" ? "delivering" : "agent",
      created_at: at(begin + 1), started_at: at(begin), finished_at: at(end), updated_at: at(end), exit_code: state === "failed" ? 1 : 0, reason: state === "failed" ? "exit" : undefined,
      delivery: state === "succeeded" ? { branch: `codex/tidy-${n}`, commit: "4f2a9c1be0d35c7781aa", pr_url: `https://example.com/nova-rey/example/pull/${n + 100}`, ...(n === 0 ? LEFT : {}) } : undefined,
      usage: { input_tokens: 184_213, output_tokens: 9120, cost_usd: 0.41 },
    }, { log: agentLog(40), prompt: PROMPT, patch: PATCH });
  }
  if (!live) return;
  const running = { state: "running", phase: "agent", agent: "codex", model: "gpt-5", containment: "cgroup", pid: 4711 };
  fixture.addRun({ ...running, job_id: RUNNING, title: TITLES[0], created_at: at(6.5), started_at: at(6), heartbeat_at: at(0), last_output_at: at(0), updated_at: at(0) }, { log: agentLog(412), prompt: PROMPT });
  fixture.addRun({ ...running, job_id: STALLED, repo_name: "site", title: "Rebuild the search page", created_at: at(15), started_at: at(14), heartbeat_at: at(9), last_output_at: at(9), updated_at: at(9) }, { log: agentLog(9), prompt: PROMPT });
  for (const [i, title] of ["Sort the imports", "Check the links of the guide"].entries()) {
    fixture.addRun({ job_id: jobId(0xfff2 + i), state: "created", repo_name: ["example", "tools"][i], title, created_at: at(2 - i) }, {});
  }
}
