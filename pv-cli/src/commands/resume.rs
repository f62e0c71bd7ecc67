//! `pv resume`: lets the jobs of a held agent start.

use pv_lib::{job::HoldKind, text::one_line};
use serde_json::json;

use crate::{
    backend::{self, text},
    context::Context,
    exit::{Exit, Failure, Outcome},
    render::Out,
};

/// Arguments of `pv resume`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The agent whose jobs wait
    #[arg(long)]
    agent: String,
    /// Lift every hold on it: a limit, a missing login, a program that could not be started. Required: there is no other
    /// kind of hold yet
    #[arg(long, required = true)]
    all: bool,
}

/// Lifts every hold on the agent, and says which.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let Args { agent, all: _ } = args;
    let backend = backend::open(context)?;
    let mut lifted: Vec<HoldKind> = Vec::new();
    for hold in backend.holds()?.iter().filter(|hold| text(hold, "agent") == agent) {
        // A kind that only a newer service knows is left to a newer command.
        let kind = text(hold, "kind").parse::<HoldKind>().map_err(|error| Failure::new(Exit::Refused, error))?;
        if backend.lift_hold(agent, kind)? {
            lifted.push(kind);
        }
    }
    if lifted.is_empty() {
        let why = format!("the agent `{}` is not held: `pv status` shows which are", one_line(agent));
        return Err(Failure::new(Exit::NotFound, why));
    }
    let mut out = Out::new();
    if context.json {
        out.json(&json!({ "agent": agent, "lifted": lifted }))?;
    } else {
        let kinds: Vec<&str> = lifted.iter().map(|kind| kind.as_str()).collect();
        out.line(&format!("lifted the holds on {} ({}): its jobs may start", one_line(agent), kinds.join(", ")))?;
        out.flush()?;
    }
    Ok(Exit::Done)
}
