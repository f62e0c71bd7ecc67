/**
 * @file The shapes of the API's responses, as far as the page reads them. Types only: no code.
 *
 * Only the id and the state are in every record, and a record may have keys that are not listed here.
 */

/** @typedef {"created" | "running" | "succeeded" | "failed" | "aborted" | "unknown"} State */

/**
 * What was delivered of a job's work, and what is left of it in a checkout or an archive.
 * @typedef {object} Delivery
 * @property {string} [branch]
 * @property {string} [commit]
 * @property {"begun" | "refused" | "pushed"} [push]
 * @property {string} [push_log_path]
 * @property {string} [pr_url]
 * @property {string} [patch_path]
 * @property {string} [checkout_path]
 * @property {string} [checkout_reason]
 * @property {number} [checkout_bytes]
 * @property {string} [checkout_discarded_at]
 * @property {{files: number, bytes: number, archive_path?: string, cached_files: number}} [ignored]
 * @property {string} [error]
 */

/**
 * What one check came to.
 * @typedef {{name: string, command?: string, exit_code?: number, seconds?: number, timed_out?: boolean, error?: string}} Check
 */

/**
 * One run of a job's agent.
 * @typedef {{number: number, started_at?: string, finished_at?: string, exit_code?: number, session?: string, commit?: string,
 *     checks?: Check[]}} Attempt
 */

/**
 * A job: its record, and the fields that are derived from it.
 * @typedef {object} Job
 * @property {string} job_id
 * @property {State} state
 * @property {string} [git_owner]
 * @property {string} [repo_name]
 * @property {string} [branch_name]
 * @property {string} [inbox_file]
 * @property {string} [title]
 * @property {string} [created_at]
 * @property {string} [updated_at]
 * @property {string} [started_at]
 * @property {string} [heartbeat_at]
 * @property {string} [last_output_at]
 * @property {string} [finished_at]
 * @property {string} [host]
 * @property {number} [pid]
 * @property {number} [exit_code]
 * @property {string} [log_path]
 * @property {string} [phase]
 * @property {string} [waiting_for]
 * @property {{state: string, reason?: string, message?: string, unwritten_bytes?: number}} [pending_outcome]
 * @property {string} [reason]
 * @property {string} [message]
 * @property {string} [agent]
 * @property {string} [model]
 * @property {string} [retry_of]
 * @property {string} [same_file_as]
 * @property {boolean} [prompt_changed]
 * @property {string} [containment]
 * @property {string} [launcher]
 * @property {boolean} [changed]
 * @property {string} [last_message] Only where one job was asked for.
 * @property {Delivery} [delivery]
 * @property {Record<string, unknown>} [usage]
 * @property {Attempt[]} [attempts]
 * @property {Check[]} [checks]
 * @property {boolean} [verified]
 * @property {boolean} [checks_rerun]
 * @property {boolean} [checks_only]
 * @property {string[]} [checks_changed]
 * @property {boolean} [stalled]
 * @property {boolean} [quiet]
 * @property {boolean} [abort_requested]
 */

/** @typedef {{jobs: Job[], next_cursor?: string | null}} JobPage */

/** @typedef {{repo: string, branch: string, owner: string | null, full_repo: string, inbox_path: string}} Target */

/** @typedef {{job_id: string, inbox_path: string, created_at: string}} Receipt */

/** @typedef {{job_id: string, previous_state: string, abort_requested_at: string}} AbortReceipt */

/**
 * @typedef {object} Watcher
 * @property {boolean | null} [alive]
 * @property {number} [pid]
 * @property {string} [host]
 * @property {string} [version]
 * @property {string} [commit]
 * @property {string} [started_at]
 * @property {string} [beat_at]
 * @property {string} [page]
 * @property {number} [max_concurrent]
 * @property {number} [running]
 * @property {number} [waiting]
 * @property {number} [waiting_for_room]
 * @property {number} [blocked_for_room]
 * @property {number} [blocked_by_launcher]
 * @property {Hold[]} [holds]
 */

/**
 * @typedef {object} Status
 * @property {{tree_builder_root: string, runs_root: string, stall_threshold_seconds: number, bind_host: string,
 *     bind_port: number}} config
 * @property {{counts: Partial<Record<State, number>>, total: number, stalled_running: number}} jobs
 * @property {{count: number}} targets
 * @property {{tree_builder_root_exists: boolean, runs_root_exists: boolean}} roots
 * @property {Watcher} watcher
 * @property {{available_bytes: number | null, total_bytes: number | null, floor_bytes: number | null,
 *     full?: {path: string, shortage: string}[], reserve?: string | null}} disk
 * @property {Unusable} [unusable]
 * @property {KeptCheckout[]} [kept_checkouts]
 * @property {Mirrors} [mirrors]
 */

/**
 * Why the jobs of an agent wait. An older API has neither kind, nor state, nor remedy.
 * @typedef {{agent: string, until: string, message: string, job_id: string, kind?: string, since?: string,
 *     state?: string, remedy?: string}} Hold
 */

/**
 * The checkout of a job that is over.
 * @typedef {{job_id: string, path: string, bytes: number | null, reason: string}} KeptCheckout
 */

/**
 * The mirrors of repositories, as a watcher measured them last.
 * @typedef {{measured_at: string | null, count: number, bytes: number,
 *     largest: {repo: string, bytes: number, loose_objects: number, packs: number, problem: string | null}[]}} Mirrors
 */

/**
 * What cannot be used, problems first.
 * @typedef {{entries: {path: string, level: string, why: string, remedy: string}[], more: number}} Unusable
 */

export {};
