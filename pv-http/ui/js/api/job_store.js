/**
 * @file All jobs, as the page knows them: read page by page, then kept true by the API's events; where there are no
 * events, by asking again. Views hear `change`, at most once for each picture that is drawn.
 */

import { access, isCancelled, json, LONG_TIMEOUT_MS, open, Refused } from "./client.js";
import { attention, onInattention } from "../lib/page_visibility.js";
import { health } from "./health.js";
import { supersedes } from "./job.js";
import { readEvents } from "./sse.js";
import { parseTime } from "../lib/time.js";

/** @typedef {import("./types.js").Job} Job */
/** @typedef {import("./types.js").JobPage} JobPage */

/** How many jobs are asked for at once. */
const PAGE_JOBS = 200;
/** How many jobs are kept: the newest. */
export const MAX_JOBS = 20_000;
/** How often the newest jobs are asked for where there are no events; slower while nobody looks. */
const POLL_MS = 2000;
const HIDDEN_POLL_MS = 15_000;
/** Every so many polls all pages are read again. */
const POLLS_PER_RELOAD = 15;
/** After how much silence a stream is given up; the API sends a comment every 15 s. */
const SILENCE_MS = 40_000;
/** Between two attempts to open the stream. */
const MIN_RETRY_MS = 500;
const MAX_RETRY_MS = 10_000;
/** How long polling goes on before the stream is tried again. */
const POLLING_SPELL_MS = 60_000;

/** How an API refuses that knows no events, or has no room for another reader of them. */
const NO_EVENTS = [404, 405, 503];

const KEPT = /** @type {const} */ ([
  "job_id", "state", "git_owner", "repo_name", "branch_name", "title", "agent", "model", "phase", "reason", "message",
  "created_at", "updated_at", "started_at", "heartbeat_at", "last_output_at", "finished_at", "stalled", "quiet",
  "abort_requested",
]);

/** What a list needs of a job; the rest would only take room, ten thousand times. @param {Job} job @returns {Job} */
function slim(job) {
  /** @type {Record<string, unknown>} */
  const kept = {};
  for (const key of KEPT) if (job[key] !== undefined) kept[key] = job[key];
  if (job.delivery?.error) kept.delivery = { error: job.delivery.error };
  return /** @type {Job} */ (/** @type {unknown} */ (kept));
}

/** Newest first; of two of one second, the one with the greater id. @param {Job} a @param {Job} b */
function compare(a, b) {
  return (parseTime(b.created_at) ?? 0) - (parseTime(a.created_at) ?? 0) || (a.job_id < b.job_id ? 1 : -1);
}

export class JobStore extends EventTarget {
  /** @type {Map<string, Job>} */
  #jobs = new Map();
  /** @type {Job[] | null} */
  #sorted = [];
  #isAnnounced = false;
  /** Jobs that events told of while pages were being read: what they said is newer. @type {Set<string> | null} */
  #told = null;
  /** @type {string | null} */
  #lastEvent = null;
  #loads = 0;
  /** Told when the stream stands. @type {() => void} */
  #ready = () => {};
  /** Told when the stream cannot say all that happened. @type {() => void} */
  #startOver = () => {};
  /** How the jobs are kept true. @type {"starting" | "live" | "polling" | "offline"} */
  mode = "starting";
  /** Whether the first page has been read. */
  isLoaded = false;
  /** Whether all pages have been read. */
  isWhole = false;
  /** Whether older jobs than the kept ones exist. */
  isCut = false;
  /** @type {unknown} */
  error = null;

  /** Returns all jobs, newest first. */
  all() {
    this.#sorted ??= [...this.#jobs.values()].sort(compare);
    return this.#sorted;
  }

  /** @param {string} id */
  get(id) {
    return this.#jobs.get(id);
  }

  /** Keeps the jobs true for as long as the page is open. */
  async run() {
    access.addEventListener("token", () => this.#wake());
    health.addEventListener("change", () => health.now.state === "up" && this.#wake());
    // The newest jobs are soon there to be seen; they are read again once the stream stands.
    void this.#glance();
    let retryMs = MIN_RETRY_MS;
    for (;;) {
      try {
        await attention();
        await this.#follow().catch((error) => {
          if (error instanceof Refused && NO_EVENTS.includes(error.status)) return this.#poll();
          throw error;
        });
        retryMs = MIN_RETRY_MS;
      } catch (error) {
        // Given back by ourselves.
        if (isCancelled(error)) continue;
        this.#fail(error);
      }
      await this.#sleep(retryMs);
      retryMs = Math.min(MAX_RETRY_MS, retryMs * 2);
    }
  }

  /** @type {() => void} */
  #wake = () => {};

  /** @param {number} ms */
  #sleep(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
    });
  }

  /** @param {unknown} error */
  #fail(error) {
    this.error = error;
    this.mode = "offline";
    if (!(error instanceof Refused)) health.askSoon();
    this.#announce();
  }

  async #follow() {
    // Without a whole list there is nothing to resume.
    if (!this.isWhole) this.#lastEvent = null;
    const resumes = this.#lastEvent !== null;
    /** @type {Record<string, string>} */
    const headers = this.#lastEvent === null ? {} : { "Last-Event-ID": this.#lastEvent };
    const isReady = new Promise((resolve) => (this.#ready = () => resolve(undefined)));
    const isLost = new Promise((resolve) => (this.#startOver = () => resolve(undefined)));
    const stop = new AbortController();
    const unwatch = onInattention(() => stop.abort());
    try {
      const response = await open("/events", { headers, signal: stop.signal });
      const reading = readEvents(response, (events) => this.#take(events), SILENCE_MS);
      // A list that is read once the stream is ready misses nothing. If it cannot be read, the stream ends too: both are
      // tried again as a whole.
      const loading = resumes ? Promise.resolve() : isReady.then(() => this.#load(stop.signal));
      // Whichever is not waited for may fail unheard.
      reading.catch(() => {});
      loading.catch(() => {});
      await Promise.race([reading, loading.then(() => this.#live()).then(() => reading), isLost]);
    } finally {
      unwatch();
      stop.abort();
      this.#told = null;
    }
  }

  #live() {
    this.mode = "live";
    this.error = null;
    this.#announce();
  }

  async #poll() {
    const until = Date.now() + POLLING_SPELL_MS;
    for (let polls = 0; Date.now() < until; polls += 1) {
      if (polls % POLLS_PER_RELOAD === 0) await this.#load();
      else for (const job of (await this.#page(null)).jobs) this.#put(job);
      this.mode = "polling";
      this.error = null;
      this.#announce();
      await this.#sleep(document.hidden ? HIDDEN_POLL_MS : POLL_MS);
    }
  }

  /**
   * @param {string | null} cursor
   * @param {AbortSignal} [signal]
   * @returns {Promise<JobPage>}
   */
  async #page(cursor, signal) {
    const query = new URLSearchParams({ limit: String(PAGE_JOBS) });
    if (cursor !== null) query.set("cursor", cursor);
    return json(`/jobs?${query}`, { signal, timeoutMs: LONG_TIMEOUT_MS });
  }

  async #glance() {
    const { jobs } = await this.#page(null).catch(() => ({ jobs: [] }));
    if (this.isLoaded || jobs.length === 0) return;
    for (const job of jobs) if (!this.#jobs.has(job.job_id) && !this.#told?.has(job.job_id)) this.#put(job);
    this.isLoaded = true;
    this.#announce();
  }

  /** Reads all pages. What is kept and not in them is gone, unless an event told of it. @param {AbortSignal} [signal] */
  async #load(signal) {
    const told = (this.#told = new Set());
    this.#loads += 1;
    const load = this.#loads;
    /** @type {Set<string>} */
    const seen = new Set();
    /** @type {string | null} */
    let cursor = null;
    do {
      /** @type {JobPage} */
      const page = await this.#page(cursor, signal);
      // A later load has begun: it will end what this one began.
      if (load !== this.#loads) return;
      for (const job of page.jobs) {
        seen.add(job.job_id);
        if (!told.has(job.job_id)) this.#put(job);
      }
      cursor = page.next_cursor ?? null;
      this.isLoaded = true;
      this.#announce();
    } while (cursor !== null && seen.size < MAX_JOBS);
    this.isCut = cursor !== null;
    for (const id of this.#jobs.keys()) if (!seen.has(id) && !told.has(id)) this.#remove(id);
    this.#told = null;
    this.isWhole = true;
    this.#announce();
  }

  /** @param {import("./sse.js").ServerEvent[]} events */
  #take(events) {
    for (const { event, data, id } of events) {
      if (event === "ready") this.#ready();
      else if (event === "reset") {
        // What is missed is missed for good: stream and list begin anew, as often as it takes.
        this.isWhole = false;
        this.#loads += 1;
        this.#startOver();
      } else if (event === "job" || event === "gone") {
        const job = JSON.parse(data);
        this.#told?.add(job.job_id);
        if (event === "gone") this.#remove(job.job_id);
        else {
          this.#put(job);
          this.dispatchEvent(new CustomEvent("job", { detail: job }));
        }
      }
      if (id !== null) this.#lastEvent = id;
    }
    this.#announce();
  }

  /** @param {Job} job */
  #put(job) {
    const old = this.#jobs.get(job.job_id);
    if (old && !supersedes(job, old)) return;
    const row = slim(job);
    this.#jobs.set(job.job_id, row);
    this.#place(old, row);
    if (this.#jobs.size > MAX_JOBS) {
      const oldest = this.all().at(-1);
      if (oldest) this.#remove(oldest.job_id);
      this.isCut = true;
    }
  }

  /**
   * Puts a row where it belongs. Most changes leave the order as it is, and pages add at the end.
   * @param {Job | undefined} old
   * @param {Job} row
   */
  #place(old, row) {
    const sorted = this.#sorted;
    if (!sorted) return;
    const last = sorted.at(-1);
    const index = old && !this.#told ? sorted.indexOf(old) : -1;
    if (index >= 0 && old?.created_at === row.created_at) sorted[index] = row;
    else if (!old && (!last || compare(last, row) < 0)) sorted.push(row);
    else this.#sorted = null;
  }

  /** @param {string} id */
  #remove(id) {
    if (this.#jobs.delete(id)) this.#sorted = null;
  }

  /** Tells the views before the next picture is drawn; at once where none is drawn. */
  #announce() {
    if (this.#isAnnounced) return;
    this.#isAnnounced = true;
    const tell = () => {
      this.#isAnnounced = false;
      this.dispatchEvent(new Event("change"));
    };
    if (document.hidden) setTimeout(tell, 250);
    else requestAnimationFrame(tell);
  }
}

export const store = new JobStore();
