//! `pv list`: shows jobs, newest first.

use pv_lib::{
    job::{JobFilter, JobState, ListedState},
    text::one_line,
};
use serde_json::Value;

use crate::{
    backend::{self, short_ids, state, text},
    context::Context,
    exit::{Exit, Outcome},
    render::{self, Out},
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
    let list = backend.list(&filter)?;
    // Short ids are unique among all jobs, not only among those that are shown.
    let all_ids = if filter == JobFilter::default() {
        list.jobs.iter().map(|job| text(job, "job_id").to_owned()).collect()
    } else {
        backend.ids()?
    };
    let short = short_ids(all_ids, list.jobs.iter().map(|job| text(job, "job_id")));
    let row = |job: &Value| {
        let id = text(job, "job_id");
        [
            (*short.get(id).unwrap_or(&id)).to_owned(),
            marked_state(job),
            one_line(&repo(job)),
            one_line(text(job, "branch_name")),
            one_line(text(job, "agent")),
            job.get("age_seconds").and_then(Value::as_u64).map(render::age).unwrap_or_default(),
            title(job),
        ]
    };
    let rows = list.jobs.iter().map(row).collect();
    out.table(["ID", "STATE", "REPO", "BRANCH", "AGENT", "AGE", "TITLE"], rows)?;
    Ok(Exit::Done)
}

/// Returns the state with what else matters of it: `running, stalled`.
pub(super) fn marked_state(job: &Value) -> String {
    let is = |key: &str| job.get(key).and_then(Value::as_bool).unwrap_or(false);
    let is_live = state(job).is_some_and(|state| !state.is_terminal());
    let is_unchanged = state(job) == Some(JobState::Succeeded) && job.get("changed") == Some(&Value::Bool(false));
    let waits = text(job, "waiting_for");
    let marks = [
        (is("stalled"), ", stalled"),
        (is("quiet") && !is("stalled"), ", quiet"),
        (is("abort_requested") && is_live, ", abort requested"),
        (waits.starts_with("room ") && is_live, ", waits for room"),
        (!waits.is_empty() && !waits.starts_with("room ") && is_live, ", waits"),
        (is_unchanged, ", no changes"),
        (is("verified"), ", verified"),
    ];
    let marks: String = marks.iter().filter(|(has, _)| *has).map(|(_, mark)| *mark).collect();
    format!("{}{marks}", one_line(text(job, "state")))
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
