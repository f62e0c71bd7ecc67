//! `pv wait`: waits until jobs are over, and ends as the worst of them.

use std::time::{Duration, Instant};

use pv_lib::{job::JobState, text::one_line, time::parse_duration};

use super::{
    job_args::JobArgs,
    job_words::{marked_state, paint},
    progress::Progress,
};
use crate::{
    backend::{self, ending, state, text},
    context::Context,
    exit::{Exit, Failure, Outcome},
    render::{Out, one_or_jobs},
    terminal::Style,
};

/// Arguments of `pv wait`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    jobs: JobArgs,
    /// Give up after this long, with exit code 5: seconds, or such as 90s, 30m, 2h
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    timeout: Option<Duration>,
}

/// Waits for each; without `--timeout` as long as it takes.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let backend = backend::open(context)?;
    let began = Instant::now();
    let ids = args.jobs.resolve(&*backend)?;
    let pv = context.command_with_api();
    let progress = Progress::begin(context, &ids, format!("what was waited for goes on: `{pv} list` shows it"))?;
    let mut jobs = Vec::with_capacity(ids.len());
    for id in &ids {
        let job = loop {
            let job = backend.job(id)?;
            if state(&job).is_none_or(JobState::is_terminal) {
                break job;
            }
            let left = args.timeout.map(|timeout| timeout.saturating_sub(began.elapsed()));
            if left.is_some_and(|left| left.is_zero()) {
                let sentence = format!("job {id} is still {}: wait longer, or `pv abort` it", marked_state(&job));
                return Err(Failure::new(Exit::Refused, sentence));
            }
            std::thread::sleep(left.map_or(backend.poll_interval(), |left| left.min(backend.poll_interval())));
        };
        jobs.push(job);
    }
    drop(progress);
    let mut worst = Exit::Done;
    for job in &jobs {
        worst = worst.or_worse(ending(job)?);
    }
    let mut out = Out::new();
    if context.json {
        out.json(&one_or_jobs(jobs))?;
    } else {
        for job in &jobs {
            let style = Style::of(out.terminal());
            out.line(&format!(
                "{}  {}",
                one_line(text(job, "job_id")),
                style.paint(paint(job), &one_line(text(job, "state")))
            ))?;
        }
        out.flush()?;
    }
    Ok(worst)
}
