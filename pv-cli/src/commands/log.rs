//! `pv log`: prints what the agent wrote, and follows it; or what was said about a push that failed.

use pv_lib::text::one_line;
use serde_json::json;

use super::{job_args::JobArg, progress::Progress};
use crate::{
    backend::{self, Backend, ending},
    context::Context,
    exit::{Exit, Failure, Outcome},
    render::{LogOut, Out},
};

/// Arguments of `pv log`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    job: JobArg,
    /// Only the last lines
    #[arg(short = 'n', long, value_name = "LINES", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    lines: u32,
    /// Go on until the job is over, and end as the job ends
    #[arg(short, long)]
    follow: bool,
    /// What git and the remote said about the push of its branch, where that failed
    #[arg(long, conflicts_with_all = ["follow", "lines"])]
    push: bool,
}

/// Prints the end of the log; following, also what comes.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    if args.follow {
        refuse_json(context)?;
    }
    let backend = backend::open(context)?;
    let (id, lines) = (args.job.resolve(&*backend)?, args.lines as usize);
    if args.follow {
        return follow_to_end(&*backend, &id, Some(lines), context);
    }
    let (log, key) = match args.push {
        true => (backend.push_log(&id)?, "push_log"),
        false => (backend.log(&id, lines)?, "log"),
    };
    if context.json {
        Out::new().json(&json!({ "job_id": id, key: String::from_utf8_lossy(&log) }))?;
        return Ok(Exit::Done);
    }
    let mut out = LogOut::new();
    out.take(&log)?;
    out.finish()?;
    Ok(Exit::Done)
}

/// Prints a log until the job is over; returns how the job ended.
pub(super) fn follow_to_end(backend: &dyn Backend, id: &str, lines: Option<usize>, context: &Context) -> Outcome {
    let mut out = LogOut::new();
    let pv = context.command_with_api();
    let leave = format!("the job goes on: `{pv} log -f {id}` follows it, `{pv} abort {id}` stops it");
    let progress = Progress::begin(context, &[id.to_owned()], leave)?;
    match backend.follow(id, lines, &mut |bytes| progress.print(|| out.take(bytes))) {
        // A job that ended before its agent began has no log; how it ended is what counts.
        Err(failure) if failure.exit == Exit::NotFound && lines.is_none() => {}
        followed => followed?,
    }
    drop(progress);
    out.finish()?;
    let job = backend.job(id)?;
    let exit = ending(&job)?;
    let message = backend::text(&job, "message");
    if exit != Exit::Done && !message.is_empty() {
        let state = one_line(backend::text(&job, "state"));
        eprintln!("pv: job {id} {state}: {}", one_line(message));
    }
    Ok(exit)
}

/// Refuses to follow with `--json`: a log that goes on is no document.
pub(super) fn refuse_json(context: &Context) -> Result<(), Failure> {
    if context.json {
        return Err(Failure::usage("-f prints the log as it comes, which is no JSON: leave out --json or -f"));
    }
    Ok(())
}
