/**
 * @file All jobs, as the page knows them: loaded page by page, then updated by the API's events, or by polling where there
 * are no events. Dispatches `change`, at most once per animation frame, and `job` for each job of an event.
 */

import { onHidden, untilVisible } from "../lib/page_visibility.js";
import { parseTime } from "../lib/time.js";
import { access, ApiError, isAborted, LONG_TIMEOUT_MS, request, requestJson } from "./client.js";
import { health } from "./health.js";
import { supersedes } from "./job.js";
import { readEvents } from "./sse.js";

/** @typedef {import("./types.js").Job} Job */
/** @typedef {import("./types.js").JobPage} JobPage */

/** How many jobs a request asks for. */
const PAGE_SIZE = 200;
/** How many jobs are kept: the newest. */
export const MAX_JOBS = 20_000;
/** How often the newest jobs are polled where there are no events; less often while the page is hidden. */
const POLL_MS = 2000;
const HIDDEN_POLL_MS = 15_000;
/** Every so many polls all pages are loaded again. */
const POLLS_PER_RELOAD = 15;
/** A stream is idle for at most this long: the API sends a comment every 15 s. */
const IDLE_TIMEOUT_MS = 40_000;
/** Between changes that are dispatched while the page is hidden. */
const HIDDEN_NOTIFY_MS = 250;
/** Between two attempts to open the stream. */
const MIN_RETRY_MS = 500;
const MAX_RETRY_MS = 10_000;
/** How long polling goes on before the stream is tried again. */
const POLLING_PERIOD_MS = 60_000;

/** The status of an API that has no events, or has too many subscribers. */
const NO_EVENTS = [404, 405, 503];

/** The fields that a list needs: the rest would only use memory, ten thousand times. */
const LIST_FIELDS = /** @type {const} */ ([
  "job_id", "state", "git_owner", "repo_name", "branch_name", "title", "agent", "model", "phase", "reason", "message",
  "created_at", "updated_at", "started_at", "heartbeat_at", "last_output_at", "finished_at", "stalled", "quiet",
  "abort_requested", "changed", "verified",
]);

/** @param {Job} job @returns {Job} */
function listFields(job) {
  /** @type {Record<string, unknown>} */
  const fields = {};
  for (const key of LIST_FIELDS) if (job[key] !== undefined) fields[key] = job[key];
  if (job.delivery?.error) fields.delivery = { error: job.delivery.error };
  return /** @type {Job} */ (/** @type {unknown} */ (fields));
}

/** Returns when a job was made, as far as its record tells: what the API sorts by. @param {Job} job */
function knownSince(job) {
  return parseTime(job.created_at) ?? parseTime(job.started_at) ?? parseTime(job.updated_at) ?? parseTime(job.heartbeat_at) ?? 0;
}

/** Orders jobs: newest first, and within one second by descending id. @param {Job} a @param {Job} b */
function compare(a, b) {
  return knownSince(b) - knownSince(a) || (a.job_id < b.job_id ? 1 : -1);
}

export class JobStore extends EventTarget {
  /** @type {Map<string, Job>} */
  #jobs = new Map();
  /** @type {Job[] | null} */
  #sorted = [];
  #isNotifying = false;
  /** The ids that events named while pages are being loaded: the events are newer. @type {Set<string> | null} */
  #changedIds = null;
  /** @type {string | null} */
  #lastEventId = null;
  #loadNumber = 0;
  /** Called when the API has subscribed this page to its events. @type {() => void} */
  #onReady = () => {};
  /** Called when events were missed for good. @type {() => void} */
  #restart = () => {};
  /** How the jobs are kept up to date. @type {"starting" | "live" | "polling" | "offline"} */
  mode = "starting";
  /** Whether the first page has been loaded. */
  isLoaded = false;
  /** Whether all pages have been loaded. */
  isComplete = false;
  /** Whether there are older jobs than the kept ones. */
  isTruncated = false;
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

  /** Keeps the jobs up to date for as long as the page is open. */
  async run() {
    access.addEventListener("token", () => this.#wake());
    health.addEventListener("change", () => health.now.state === "up" && this.#wake());
    // Shows the newest jobs soon; they are loaded again once the stream is ready.
    void this.#loadFirstPage();
    let retryMs = MIN_RETRY_MS;
    for (;;) {
      try {
        await untilVisible();
        await this.#subscribe().catch((error) => {
          if (error instanceof ApiError && NO_EVENTS.includes(error.status)) return this.#poll();
          throw error;
        });
        retryMs = MIN_RETRY_MS;
      } catch (error) {
        // Closed by this page, because it is hidden.
        if (isAborted(error)) continue;
        this.#setOffline(error);
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
  #setOffline(error) {
    this.error = error;
    this.mode = "offline";
    if (!(error instanceof ApiError)) health.checkSoon();
    this.#notify();
  }

  async #subscribe() {
    // Without a complete list there is nothing to resume from.
    if (!this.isComplete) this.#lastEventId = null;
    const resumes = this.#lastEventId !== null;
    /** @type {Record<string, string>} */
    const headers = this.#lastEventId === null ? {} : { "Last-Event-ID": this.#lastEventId };
    const ready = new Promise((resolve) => (this.#onReady = () => resolve(undefined)));
    const missed = new Promise((resolve) => (this.#restart = () => resolve(undefined)));
    const stop = new AbortController();
    const unwatch = onHidden(() => stop.abort());
    try {
      const response = await request("/events", { headers, signal: stop.signal });
      const reading = readEvents(response, (events) => this.#applyEvents(events), IDLE_TIMEOUT_MS);
      // A list that is loaded once the stream is ready misses nothing. If it cannot be loaded, the stream is closed too, and
      // both are retried.
      const loading = resumes ? Promise.resolve() : ready.then(() => this.#load(stop.signal));
      // The one that is not awaited below may reject without consequence.
      reading.catch(() => {});
      loading.catch(() => {});
      await Promise.race([reading, loading.then(() => this.#setLive()).then(() => reading), missed]);
    } finally {
      unwatch();
      stop.abort();
      this.#changedIds = null;
    }
  }

  #setLive() {
    this.mode = "live";
    this.error = null;
    this.#notify();
  }

  async #poll() {
    const until = Date.now() + POLLING_PERIOD_MS;
    for (let polls = 0; Date.now() < until; polls += 1) {
      if (polls % POLLS_PER_RELOAD === 0) await this.#load();
      else for (const job of (await this.#page(null)).jobs) this.#upsert(job);
      this.mode = "polling";
      this.error = null;
      this.#notify();
      await this.#sleep(document.hidden ? HIDDEN_POLL_MS : POLL_MS);
    }
  }

  /**
   * @param {string | null} cursor
   * @param {AbortSignal} [signal]
   * @returns {Promise<JobPage>}
   */
  async #page(cursor, signal) {
    const query = new URLSearchParams({ limit: String(PAGE_SIZE) });
    if (cursor !== null) query.set("cursor", cursor);
    return requestJson(`/jobs?${query}`, { signal, timeoutMs: LONG_TIMEOUT_MS });
  }

  async #loadFirstPage() {
    const { jobs } = await this.#page(null).catch(() => ({ jobs: [] }));
    if (this.isLoaded || jobs.length === 0) return;
    for (const job of jobs) if (!this.#jobs.has(job.job_id) && !this.#changedIds?.has(job.job_id)) this.#upsert(job);
    this.isLoaded = true;
    this.#notify();
  }

  /** Loads all pages. Jobs that are in none of them are removed, unless an event named them meanwhile. @param {AbortSignal} [signal] */
  async #load(signal) {
    const changedIds = (this.#changedIds = new Set());
    this.#loadNumber += 1;
    const number = this.#loadNumber;
    /** @type {Set<string>} */
    const seen = new Set();
    /** @type {string | null} */
    let cursor = null;
    do {
      /** @type {JobPage} */
      const page = await this.#page(cursor, signal);
      // A later load replaces this one.
      if (number !== this.#loadNumber) return;
      for (const job of page.jobs) {
        seen.add(job.job_id);
        if (!changedIds.has(job.job_id)) this.#upsert(job);
      }
      cursor = page.next_cursor ?? null;
      this.isLoaded = true;
      this.#notify();
    } while (cursor !== null && seen.size < MAX_JOBS);
    this.isTruncated = cursor !== null;
    for (const id of this.#jobs.keys()) if (!seen.has(id) && !changedIds.has(id)) this.#remove(id);
    this.#changedIds = null;
    this.isComplete = true;
    this.#notify();
  }

  /** @param {import("./sse.js").ServerEvent[]} events */
  #applyEvents(events) {
    for (const { event, data, id } of events) {
      if (event === "ready") this.#onReady();
      else if (event === "reset") {
        // The missed events cannot be had any more: subscribe and load again.
        this.isComplete = false;
        this.#loadNumber += 1;
        this.#restart();
      } else if (event === "job" || event === "gone") {
        const job = JSON.parse(data);
        this.#changedIds?.add(job.job_id);
        if (event === "gone") this.#remove(job.job_id);
        else {
          this.#upsert(job);
          this.dispatchEvent(new CustomEvent("job", { detail: job }));
        }
      }
      if (id !== null) this.#lastEventId = id;
    }
    this.#notify();
  }

  /** @param {Job} job */
  #upsert(job) {
    const old = this.#jobs.get(job.job_id);
    if (old && !supersedes(job, old)) return;
    const entry = listFields(job);
    this.#jobs.set(job.job_id, entry);
    this.#updateOrder(old, entry);
    if (this.#jobs.size > MAX_JOBS) {
      const oldest = this.all().at(-1);
      if (oldest) this.#remove(oldest.job_id);
      this.isTruncated = true;
    }
  }

  /**
   * Keeps the sorted list where that is cheap: most changes leave the order as it is, and pages append at the end.
   * @param {Job | undefined} old
   * @param {Job} entry
   */
  #updateOrder(old, entry) {
    const sorted = this.#sorted;
    if (!sorted) return;
    const last = sorted.at(-1);
    const index = old && !this.#changedIds ? sorted.indexOf(old) : -1;
    if (index >= 0 && old && knownSince(old) === knownSince(entry)) sorted[index] = entry;
    else if (!old && (!last || compare(last, entry) < 0)) sorted.push(entry);
    else this.#sorted = null;
  }

  /** @param {string} id */
  #remove(id) {
    if (this.#jobs.delete(id)) this.#sorted = null;
  }

  /** Dispatches `change` in the next animation frame; by a timer while the page is hidden, where there are no frames. */
  #notify() {
    if (this.#isNotifying) return;
    this.#isNotifying = true;
    const dispatch = () => {
      this.#isNotifying = false;
      this.dispatchEvent(new Event("change"));
    };
    if (document.hidden) setTimeout(dispatch, HIDDEN_NOTIFY_MS);
    else requestAnimationFrame(dispatch);
  }
}

export const store = new JobStore();
