//! `pv run`: does work on the repository one stands in, from nothing to a branch.
//!
//! What is there is found out and decided first; then the installation gets to know the clone, a watcher is started where
//! none runs, and the prompt is submitted. Killed before that, nothing runs; killed afterwards, the job goes on.

mod agent;
mod ending;
mod follow;
mod prompt;
mod watcher;

use std::sync::Arc;

use pv_lib::{
    config::Config,
    host,
    job::{JobId, JobRecord, JobState},
    prompt::{Source, Submission},
    store::Store,
    text::one_line,
};
use pv_watcher::{
    Decision, FoundClone, LocalWork, RegisterError, Registered, Wish, decide, is_of_this_user, name_clone,
    register_clone, take_local_start,
};
use serde_json::json;

use self::{
    agent::ChosenAgent,
    ending::Place,
    follow::{Followed, follow},
};
use super::{choice_args::ChoiceArgs, first_words, here, progress::Leaving};
use crate::{
    backend::short_ids,
    context::{Context, set_umask, store},
    exit::{Exit, Failure, Outcome},
    render::Out,
    services,
    terminal::{Style, Terminal, linked, width, wrapped},
};

/// Arguments of `pv run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The agent works in a checkout of its own and starts from the remote's branch; its work becomes a new branch of the remote.
With --local it starts from what is checked out here, and its work becomes a new branch of this clone.
The files, the index and the HEAD of this clone stay as they are. Ctrl-C leaves the job running.")]
pub(crate) struct Args {
    /// What is to be done: a text, a file, or `-` for standard input; without it, $EDITOR is opened
    #[arg(value_name = "TEXT|FILE|-")]
    what: Option<String>,
    /// Start from this branch of the remote [default: the one that belongs to what is checked out]
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
    /// Start from what is checked out here, and deliver a branch to this clone: no remote is needed
    #[arg(long)]
    local: bool,
    /// Take along what is changed here and not committed, in files that git knows
    #[arg(long, requires = "local")]
    dirty: bool,
    /// Take along files that git does not know, too; ignored ones never
    #[arg(long, requires = "dirty")]
    untracked: bool,
    /// Submit, say how to follow, and end
    #[arg(short, long)]
    detach: bool,
    #[command(flatten)]
    choices: ChoiceArgs,
}

/// Submits to what git says, starts a watcher where none runs, follows the log, and says what became of it.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    refuse_flags(args, context)?;
    let config = context.config()?;
    services::refuse_network_folders(&config)?;
    services::refuse_damaged_token(&config)?;
    let found = here::find()?;
    let wish = Wish { branch: args.branch.as_deref(), local: args.local, dirty: args.dirty, untracked: args.untracked };
    let decision = decide(&found, &wish).map_err(|why| Failure::new(Exit::Refused, why))?;
    let wanted = prompt::read(args.what.as_deref())?;
    let in_prompt = named_agent(&wanted.text)?;
    let named = args.choices.agent.as_deref().or(in_prompt.as_deref());
    let store = store(&config);
    let (git_host, environment) = (&config.git.host.value, here::environment());
    let refused = |error: RegisterError| Failure::new(Exit::Refused, error);
    let target = name_clone(&store, &found, &decision.branch, git_host, &environment).map_err(refused)?;
    let preferred = config.repos.of(&target.full_repo()).agent;
    let preferred = preferred.as_deref().unwrap_or(&config.default_agent.value);
    let agent = agent::choose(&config, preferred, named, &environment)?;
    let title = first_words::title(&wanted.text);
    let text =
        args.choices.put_into(wanted.text, in_prompt.is_none().then_some(agent.name.as_str()), title.as_deref())?;

    set_umask(&config);
    let registered = register_clone(&store, &found, &decision.branch, git_host, &environment).map_err(refused)?;
    let watcher = watcher::watcher(&store, &config, &agent.name, &environment, args.local, context)?;
    let target = &registered.target.target;
    let submission = Submission {
        repo: target.full_repo(),
        branch: target.branch().to_owned(),
        markdown: text,
        filename: wanted.file_name,
        source: Source::Cli,
        retry_of: None,
    };
    let id = host::new_job_id();
    if args.local {
        take_start(args, &store, &registered, &found, &id, &config)?;
    }
    let leaving = Leaving::new(&Arc::default())?;
    store.submit(&[submission], &mut || id.clone(), host::now())?;
    let job = Job { store: &store, id: &id, pv: context.command() };
    if context.json {
        let target = json!({ "repo": target.full_repo(), "branch": target.branch() });
        Out::new().json(&json!({ "job_id": id, "agent": agent.name, "target": target, "watcher": watcher }))?;
        return Ok(Exit::Done);
    }
    introduce(&found, &decision, &registered, &agent, &watcher, &job);
    if args.detach {
        return Ok(Exit::Done);
    }
    match follow(&store, &id, &agent.name, &leaving)? {
        Followed::Over(record) => {
            let remote = found.remote.as_ref().filter(|_| !args.local);
            let place = remote.map_or(Place::Here, |remote| Place::Remote(&remote.name));
            print_ending(&record, &ending::lines(&record, place, &job.short_id(), &job.pv))?;
            Ok(Exit::of(Some(record.state())))
        }
        Followed::Left(signal) => job.leave(signal),
    }
}

/// Takes what is checked out here as the start of the job.
fn take_start(
    args: &Args,
    store: &Store,
    registered: &Registered,
    found: &FoundClone,
    id: &JobId,
    config: &Config,
) -> Result<(), Failure> {
    let work = match (args.dirty, args.untracked) {
        (false, _) => LocalWork::Head,
        (true, false) => LocalWork::Changed,
        (true, true) => LocalWork::ChangedAndNew,
    };
    let author = (config.delivery.author_name.value.as_str(), config.delivery.author_email.value.as_str());
    if !is_of_this_user(store) {
        let why = "--local needs an installation of your own: this one's watcher is another user's and may not write to this \
                   clone; --root DIR names another";
        return Err(Failure::new(Exit::Refused, why));
    }
    let (target, environment) = (&registered.target.target, here::environment());
    let taken = take_local_start(store, target, found, id, work, author, &environment);
    taken.map(drop).map_err(|why| Failure::new(Exit::Refused, why))
}

/// A job that was submitted.
struct Job<'a> {
    store: &'a Store,
    id: &'a JobId,
    /// How the person calls this program.
    pv: String,
}

impl Job<'_> {
    /// Returns the id as short as it may be.
    fn short_id(&self) -> String {
        let ids = self.store.unsorted_run_ids().unwrap_or_default();
        short_ids(&ids, std::iter::once(self.id.as_str())).values().map(|id| (*id).to_owned()).collect()
    }

    /// Returns its address on the page, where the watcher that runs serves one.
    fn page(&self) -> Option<String> {
        let watcher = self.store.watcher_status().ok()?.filter(|watcher| watcher.is_alive(host::now()))?;
        watcher.page.map(|page| format!("{page}#/jobs/{}", self.id))
    }

    /// Says how to come back to a job that goes on, and ends as this process was asked to.
    fn leave(&self, signal: i32) -> Outcome {
        let (pv, id) = (&self.pv, self.short_id());
        eprintln!("pv: the job goes on: `{pv} log -f {id}` follows it, `{pv} abort {id}` stops it");
        // A shell that runs a script stops where a command ended by Ctrl-C.
        signal_hook::low_level::emulate_default_handler(signal)?;
        Ok(Exit::Done)
    }
}

fn refuse_flags(args: &Args, context: &Context) -> Result<(), Failure> {
    if context.api.is_some() {
        return Err(Failure::usage(
            "`pv run` works on a clone of this host: `pv submit --api URL` asks an API elsewhere",
        ));
    } else if context.json && !args.detach {
        return Err(Failure::usage("the log as it comes is no JSON: leave out --json, or add --detach"));
    }
    Ok(())
}

/// Returns the agent that a prompt names itself.
fn named_agent(text: &[u8]) -> Result<Option<String>, Failure> {
    let parsed = pv_lib::prompt::check(text, u64::MAX);
    Ok(parsed.map_err(Failure::from)?.settings.agent)
}

/// Prints what became of the job: the first line in the colour of its state.
fn print_ending(record: &JobRecord, lines: &[(&str, String)]) -> Result<(), Failure> {
    let mut out = Out::new();
    let (terminal, style) = (out.terminal(), Style::of(out.terminal()));
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    out.line("")?;
    for (at, (name, value)) in lines.iter().enumerate() {
        let padded = format!("{name:width$}");
        let shown = match (at, record.state()) {
            (0, JobState::Succeeded) => style.good(&padded),
            (0, _) => style.bad(&padded),
            _ => style.label(&padded),
        };
        let address = ending::address(name, record);
        // What is to be typed is not taken apart: the terminal wraps it, and it is copied whole.
        let is_typed = ["look", "take over", "switch", "log", "again"].contains(name);
        let parts = if is_typed { vec![value.clone()] } else { beside(value, width + 2, terminal) };
        for (at, part) in parts.iter().enumerate() {
            let before = if at == 0 { shown.clone() } else { " ".repeat(width) };
            out.line(&format!("{before}  {}", linked(terminal, part, &address)))?;
        }
    }
    out.flush()
}

/// Returns the lines of a text that stands beside something: on a terminal wrapped, elsewhere one.
fn beside(text: &str, taken: usize, terminal: Terminal) -> Vec<String> {
    terminal.width.map_or_else(|| vec![text.to_owned()], |width| wrapped(text, width.saturating_sub(taken)))
}

/// Says what was found and decided.
fn introduce(
    found: &FoundClone,
    decision: &Decision,
    registered: &Registered,
    agent: &ChosenAgent,
    watcher: &str,
    job: &Job<'_>,
) {
    let address = found.remote.as_ref().map(|remote| format!(" ({})", remote.address)).unwrap_or_default();
    let mut lines = vec![
        ("repository", format!("{}{address}", registered.target.target.full_repo())),
        ("starts from", decision.from.clone()),
        ("agent", format!("{} ({})", agent.name, agent.why)),
        ("watcher", watcher.to_owned()),
        ("job", job.id.to_string()),
    ];
    lines.extend(job.page().map(|page| ("page", page)));
    let (terminal, style) = (Terminal::stderr(), Style::of(Terminal::stderr()));
    let print = |name: &str, label: String, value: &str| {
        let taken = 3 + width(name);
        for (at, part) in beside(&one_line(value), taken, terminal).iter().enumerate() {
            let before = if at == 0 { label.clone() } else { " ".repeat(width(name)) };
            eprintln!("  {before} {}", linked(terminal, part, value));
        }
    };
    for (name, value) in lines {
        let name = format!("{name:<12}");
        print(&name, style.label(&name), &value);
    }
    for note in &decision.notes {
        print("note:", style.note("note:"), note);
    }
    let state = job.store.read_run(job.id).ok().and_then(|run| run.state());
    if state.is_none_or(|state| !JobState::is_terminal(state)) {
        let (pv, id) = (&job.pv, job.short_id());
        let come_back = format!("`{pv} log -f {id}` follows it from anywhere, `{pv} abort {id}` stops it");
        beside(&come_back, 2, terminal).iter().for_each(|part| eprintln!("  {part}"));
        eprintln!();
    }
}
