//! `pv list`: shows jobs, newest first.

use pv_lib::{
    host,
    job::{JobFilter, JobState, ListedState},
    text::one_line,
};
use serde_json::Value;

use super::job_words::{paint, state_in_words, why_it_waits};
use crate::{
    backend::{self, short_ids, state, text},
    context::Context,
    exit::{Exit, Outcome},
    render::{self, Cell, Out},
    terminal::{Column, Paint},
};

/// The longest title that is shown whole, in characters.
const MAX_TITLE_CHARS: usize = 60;

/// Arguments of `pv list`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only jobs in this state: created, running, succeeded, failed, aborted, unknown; may be repeated
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    state: Vec<ListedState>,
    /// Only jobs of this repository: a name, or OWNER/REPO
    #[arg(long, value_name = "REPO")]
    repo: Option<String>,
    /// Only jobs for this branch
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
    /// Only running jobs whose supervisor is silent
    #[arg(long)]
    stalled: bool,
    /// Only jobs whose work is verified; `--verified=false`: only those whose checks failed
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    verified: Option<bool>,
    /// At most so many, the newest
    #[arg(short = 'n', long, value_name = "LIMIT", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
}

/// Prints the jobs that match.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let filter = JobFilter {
        states: args.state.clone(),
        repo: args.repo.clone(),
        branch: args.branch.clone(),
        stalled: args.stalled.then_some(true),
        verified: args.verified,
        limit: args.limit.map(|limit| limit as usize),
    };
    let backend = backend::open(context)?;
    let mut out = Out::new();
    if context.json {
        backend.write_list(&filter, &mut |bytes| out.bytes(bytes))?;
        out.line("")?;
        out.flush()?;
        return Ok(Exit::Done);
    }
    // Short ids are unique among all jobs, not only among those that are shown.
    let (list, all_ids) = backend.list_with_ids(&filter)?;
    let short = short_ids(&all_ids, list.jobs.iter().map(|job| text(job, "job_id")));
    let waits = list.jobs.iter().any(|job| state(job) == Some(JobState::Created));
    // What cannot be told is left out; the list is there all the same.
    let status = if waits { backend.status().unwrap_or_default() } else { Value::Null };
    let rows = rows(&list.jobs, &status, &|id| short.get(id).map(|short| (*short).to_owned()));
    out.table(COLUMNS, &rows)?;
    Ok(Exit::Done)
}

/// The columns of a list of jobs.
pub(super) const COLUMNS: [Column; 7] = [
    Column::whole("ID"),
    Column::cut("STATE", 21),
    Column::cut("REPO", 16),
    Column::cut("BRANCH", 6).optional(),
    Column::cut("AGENT", 5).optional(),
    Column::whole("AGE"),
    Column::cut("TITLE", 20),
];

/// Returns the row of each job; `status` tells why jobs wait, `short` knows shorter ids.
pub(super) fn rows(
    jobs: &[Value],
    status: &Value,
    short: &dyn Fn(&str) -> Option<String>,
) -> Vec<[Cell; COLUMNS.len()]> {
    let now = host::now();
    let row = |job: &Value| {
        let id = text(job, "job_id");
        let age = job.get("age_seconds").and_then(Value::as_u64).map(render::age).unwrap_or_default();
        [
            Cell::painted(short(id).unwrap_or_else(|| id.to_owned()), Paint::Plain),
            Cell::painted(state_in_words(job, &|job| why_it_waits(job, status, now)), paint(job)),
            one_line(&repo(job)).into(),
            one_line(text(job, "branch_name")).into(),
            one_line(text(job, "agent")).into(),
            age.into(),
            title(job).into(),
        ]
    };
    jobs.iter().map(row).collect()
}

/// Returns `owner/repo`, or the repository alone where no owner is known.
pub(super) fn repo(job: &Value) -> String {
    match (text(job, "git_owner"), text(job, "repo_name")) {
        ("", repo) => repo.to_owned(),
        (owner, repo) => format!("{owner}/{repo}"),
    }
}

/// Returns the title; where there is none, as for a damaged record or a prompt that cannot be read, what is said of the job.
fn title(job: &Value) -> String {
    let title = [text(job, "title"), text(job, "message")].into_iter().find(|text| !text.is_empty());
    let title = one_line(title.unwrap_or_default());
    match title.char_indices().nth(MAX_TITLE_CHARS) {
        Some((end, _)) => format!("{}…", &title[..end]),
        None => title,
    }
}
