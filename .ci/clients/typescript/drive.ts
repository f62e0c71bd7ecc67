// Submits, lists, follows and aborts jobs with the types that openapi-typescript generates, through openapi-fetch.
//
// usage: node built/drive.js BASE_URL OWNER/REPO BRANCH

import createClient from "openapi-fetch";

import type { components, paths } from "./description.js";

declare const process: { argv: string[] };

type Job = components["schemas"]["Job"];
type Refusal = components["schemas"]["ErrorDetail"];

const [baseUrl, repo, branch] = process.argv.slice(2);
if (baseUrl === undefined || repo === undefined || branch === undefined) throw new Error("usage: BASE_URL OWNER/REPO BRANCH");
const client = createClient<paths>({ baseUrl });

/** The answer that was hoped for; else ends with the service's own sentence. */
function expect<T>(what: string, { data, error }: { data?: T; error?: Refusal }): T {
  if (data === undefined) throw new Error(`${what}: ${JSON.stringify(error?.detail)}`);
  return data;
}

function check(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(`not so: ${what}`);
}

async function submit(markdown_text: string): Promise<string> {
  const body = { repo: repo!, branch: branch!, markdown_text, filename: "from typescript.md" };
  const receipt = expect("submit", await client.POST("/jobs", { body }));
  console.log(`typescript: submitted ${receipt.job_id} as ${receipt.inbox_path}`);
  return receipt.job_id;
}

/** Follows a log to the end of its job; asks for an abort after its first line, if that is wanted. */
async function follow(job_id: string, abort: boolean): Promise<{ lines: string[]; end: Partial<Job> }> {
  const params = { path: { job_id }, query: { end: true } };
  const stream = expect("follow", await client.GET("/jobs/{job_id}/log/stream", { params, parseAs: "stream" }));
  if (stream === null) throw new Error("no stream");
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  const lines: string[] = [];
  let [text, event, end]: [string, string, Partial<Job>] = ["", "", {}];
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    text += part.value;
    const whole = text.split("\n");
    text = whole.pop() ?? "";
    for (const line of whole) {
      if (line === "") event = "";
      else if (line.startsWith("event: ")) event = line.slice(7);
      else if (line.startsWith("data:") && event === "end") end = JSON.parse(line.slice(6));
      else if (line.startsWith("data:")) {
        lines.push(line.slice(6));
        if (abort && lines.length === 1) {
          const receipt = expect("abort", await client.POST("/jobs/{job_id}/abort", { params: { path: { job_id } } }));
          console.log(`typescript: abort of a ${receipt.previous_state} job asked for`);
        }
      }
    }
  }
  return { lines, end };
}

const finished = await submit("# Print three lines\n");
const first = await follow(finished, false);
check(JSON.stringify(first.lines) === '["one","","three"]', `${JSON.stringify(first)} has three lines`);
check(first.end.state === "succeeded", `${JSON.stringify(first)} succeeded`);

const stopped = await submit("# Work until you are stopped\n");
const second = await follow(stopped, true);
check(second.lines[0] === "one" && second.end.state === "aborted", `${JSON.stringify(second)} was aborted`);

const listed = expect("list", await client.GET("/jobs", { params: { query: { repo, limit: 10 } } }));
const states = new Map(listed.jobs.map((job) => [job.job_id, job.state]));
check(states.get(finished) === "succeeded" && states.get(stopped) === "aborted", JSON.stringify([...states]));

const again = await client.POST("/jobs/{job_id}/abort", { params: { path: { job_id: stopped } } });
check(again.response.status === 409 && typeof again.error?.detail === "string", "a second abort is refused");
console.log(`typescript: a second abort: ${String(again.error?.detail)}`);
const unread = await client.GET("/jobs", { params: { query: { limit: 0 } } });
check(Array.isArray(unread.error?.detail), "a value that cannot be used is in a list");
