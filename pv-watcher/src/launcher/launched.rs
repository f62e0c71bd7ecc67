//! What was started by a launcher, while it runs.

use std::{thread, time::Duration};

use pv_lib::{config::Launcher, job::FailReason, supervise::Exit, text::one_line};
use rustix::process::Signal;

use super::{
    client::{ClientEnd, Head},
    known::adapter,
    tools::{AskBy, Tools},
    waiting::Waiting,
};
use crate::process::{Source, TOOL_LIMIT, run_tool};

/// How long it is asked again what came of it while the answer is that it is just ending.
const OUTCOME_LIMIT: Duration = Duration::from_secs(20);

/// The pause between two such questions.
const OUTCOME_PAUSE: Duration = Duration::from_millis(200);

/// What the launcher says while it is not decided.
const UNDECIDED: [&str; 2] = ["COMPLETING", "RUNNING"];

/// What was started by a launcher.
pub(crate) struct Launched<'a> {
    launcher: &'a Launcher,
    tools: Tools,
    is_joined: bool,
    head: Head,
    waiting: Waiting,
    outcome: Option<Result<String, String>>,
}

impl<'a> Launched<'a> {
    pub(crate) fn new(launcher: &'a Launcher, tools: Tools, is_joined: bool) -> Self {
        let (head, waiting) = (Head::default(), Waiting::default());
        Self { launcher, tools, is_joined, head, waiting, outcome: None }
    }

    /// Notes what was written; of the beginning it is kept.
    pub(crate) fn note_output(&mut self, source: Source, bytes: &[u8]) {
        if !self.launcher.is_local() {
            self.head.add(!self.is_joined && source == Source::Output, bytes);
        }
    }

    /// Tells whether what was started said anything, so that it was started.
    pub(crate) fn has_spoken(&self) -> bool {
        self.head.has_spoken(self.is_joined, adapter(self.launcher).own_words())
    }

    /// Asks it to end by a command, where it is asked so; returns the signal for the client's group.
    pub(crate) fn ask(&self, own: Signal) -> Option<Signal> {
        match &self.tools.ask {
            AskBy::OwnSignal => Some(own),
            AskBy::Signal(signal) => Some(*signal),
            AskBy::Command(commands) => {
                let name = if own == Signal::INT {
                    "INT"
                } else if own == Signal::HUP {
                    "HUP"
                } else {
                    "TERM"
                };
                let words = commands.iter().find(|(known, _)| *known == name)?.1.clone();
                let variables = self.tools.variables.clone();
                // The grace goes on meanwhile.
                thread::spawn(move || run_tool(&words, &variables, TOOL_LIMIT, &mut || {}));
                None
            }
        }
    }

    /// Ends it by name; before that it is asked what came of it, where its client ended by itself.
    pub(crate) fn stop(&mut self, exit: Option<Exit>, beat: &mut dyn FnMut()) {
        if matches!(exit, Some(Exit::Code(_))) {
            self.ask_outcome(beat);
        }
        if let Some(words) = &self.tools.stop {
            // Whether it worked is looked at later.
            let _ = run_tool(words, &self.tools.variables, TOOL_LIMIT, beat);
        }
    }

    fn ask_outcome(&mut self, beat: &mut dyn FnMut()) {
        let Some(words) = &self.tools.outcome else { return };
        let begun = std::time::Instant::now();
        loop {
            let end = run_tool(words, &self.tools.variables, TOOL_LIMIT, beat);
            let answer = if end.code == Some(0) { Ok(end.output) } else { Err(end.complaint) };
            let is_undecided = matches!(&answer, Ok(said) if UNDECIDED.contains(&said.as_str()));
            self.outcome = Some(answer);
            if !is_undecided || begun.elapsed() >= OUTCOME_LIMIT {
                return;
            }
            thread::sleep(OUTCOME_PAUSE);
            beat();
        }
    }

    /// Returns why it waits, as far as that is known.
    pub(crate) fn waits(&mut self, at: Duration) -> Option<String> {
        let Self { waiting, tools, launcher, .. } = self;
        waiting.look(at, tools).map(|reason| format!("`{}`: {reason}", launcher.name))
    }

    /// Returns why it was not started at all, in the client's own words.
    pub(crate) fn why_not_started(&self, exit: Exit) -> Option<String> {
        let said = self.head.text();
        let outcome = self.outcome.as_ref().and_then(|outcome| outcome.as_deref().ok());
        let end = ClientEnd { exit, said: &said, has_spoken: self.has_spoken(), outcome };
        let why = adapter(self.launcher).why_not_started(&end)?;
        Some(why.lines().map(str::trim).filter(|line| !line.is_empty()).map(one_line).collect::<Vec<_>>().join("; "))
    }

    /// Returns what speaks against a client that exited with 0.
    pub(crate) fn why_not_succeeded(&self) -> Option<String> {
        let name = &self.launcher.name;
        match self.outcome.as_ref()? {
            Ok(said) if *said == self.tools.succeeds => None,
            Ok(said) if said.is_empty() => Some(format!("the launcher `{name}` does not know what came of it")),
            Ok(said) => Some(format!("the launcher `{name}` says that it came to {said}")),
            Err(why) => Some(format!("what came of it cannot be told by the launcher `{name}`: {why}")),
        }
    }

    /// Returns why the launcher itself ended it, where that has a reason of its own.
    pub(crate) fn reason(&self) -> Option<FailReason> {
        reason_of(self.outcome.as_ref()?.as_deref().ok()?)
    }

    /// Returns what contained it, once it is proved that nothing is left.
    pub(crate) fn proof(&self) -> Option<String> {
        adapter(self.launcher).proof().map(|proof| format!("{} ({proof})", self.launcher.name))
    }
}

/// Returns the reason that is meant by what a launcher says came of a job, in the words of Slurm.
fn reason_of(outcome: &str) -> Option<FailReason> {
    match outcome {
        "OUT_OF_MEMORY" => Some(FailReason::Memory),
        "TIMEOUT" | "DEADLINE" => Some(FailReason::Timeout),
        _ => None,
    }
}
