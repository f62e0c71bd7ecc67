//! Whether a launcher lets what it started wait: asked now and then, beside all else.

use std::{
    sync::mpsc::{Receiver, TryRecvError, sync_channel},
    thread,
    time::Duration,
};

use super::tools::Tools;
use crate::process::{TOOL_LIMIT, ToolEnd, run_tool};

/// The time from the start to the first question, and the shortest between two.
const FIRST: Duration = Duration::from_millis(300);

/// The longest time between two questions.
const LONGEST: Duration = Duration::from_secs(10);

/// For how long it is asked, after the start, whether it waits at all: a queue may not know of it at once.
const ASKED_FOR: Duration = Duration::from_secs(4);

/// What is known of the waiting.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    state: State,
    answer: Option<Receiver<ToolEnd>>,
}

/// What is known, and when to ask again: pure.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct State {
    /// Why it waits, where it does.
    reason: Option<String>,
    /// When to ask again.
    ask_at: Option<Duration>,
    pause: Duration,
    is_over: bool,
}

impl State {
    /// Tells whether it is time to ask.
    fn is_due(&self, at: Duration) -> bool {
        !self.is_over && at >= self.ask_at.unwrap_or(FIRST)
    }

    /// Notes an answer. One that is none changes nothing: what cannot be told is as it was.
    fn note(&mut self, at: Duration, end: &ToolEnd) {
        if end.code == Some(0) {
            let reason = end.output.lines().next().map(str::trim).filter(|line| !line.is_empty());
            // Once it has begun to work it does not wait again.
            self.is_over = reason.is_none() && (self.reason.is_some() || at >= ASKED_FOR);
            self.reason = reason.map(str::to_owned);
        }
        self.pause = (self.pause * 2).clamp(FIRST, LONGEST);
        self.ask_at = Some(at + self.pause);
    }
}

impl Waiting {
    /// Returns why what was started waits, as far as that is known now; asks where that is due.
    pub(super) fn look(&mut self, at: Duration, tools: &Tools) -> Option<&str> {
        let words = tools.waiting.as_ref()?;
        match self.answer.as_ref().map(Receiver::try_recv) {
            Some(Ok(end)) => {
                self.state.note(at, &end);
                self.answer = None;
            }
            Some(Err(TryRecvError::Disconnected)) => self.answer = None,
            Some(Err(TryRecvError::Empty)) => {}
            None if self.state.is_due(at) => {
                let (sender, receiver) = sync_channel(1);
                let (words, variables) = (words.clone(), tools.variables.clone());
                thread::spawn(move || drop(sender.send(run_tool(&words, &variables, TOOL_LIMIT, &mut || {}))));
                self.answer = Some(receiver);
            }
            None => {}
        }
        self.state.reason.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(code: Option<i32>, output: &str) -> ToolEnd {
        ToolEnd { code, output: output.into(), complaint: String::new() }
    }

    #[test]
    fn it_waits_for_as_long_as_the_launcher_says_so_and_is_then_asked_no_more() {
        let seconds = Duration::from_secs_f64;
        let mut state = State::default();
        assert!(!state.is_due(seconds(0.1)) && state.is_due(FIRST));
        // A queue that does not know of it yet says nothing.
        state.note(seconds(0.3), &end(Some(0), ""));
        assert_eq!((state.reason.as_deref(), state.is_over), (None, false));
        state.note(seconds(1.0), &end(Some(0), "PENDING (Resources)\n"));
        assert_eq!(state.reason.as_deref(), Some("PENDING (Resources)"));
        // A controller that does not answer is no news.
        state.note(seconds(30.0), &end(Some(1), ""));
        state.note(seconds(50.0), &end(None, "x"));
        assert_eq!((state.reason.as_deref(), state.pause), (Some("PENDING (Resources)"), seconds(2.4)));
        for at in [60.0, 70.0, 80.0, 90.0] {
            state.note(seconds(at), &end(Some(0), "PENDING (Priority)"));
        }
        assert_eq!((state.reason.as_deref(), state.pause), (Some("PENDING (Priority)"), LONGEST));
        assert!(!state.is_due(seconds(99.0)) && state.is_due(seconds(100.0)));
        state.note(seconds(100.0), &end(Some(0), ""));
        assert_eq!((state.reason.as_deref(), state.is_over), (None, true));
        assert!(!state.is_due(seconds(1e6)));
    }

    #[test]
    fn one_that_never_waited_is_soon_asked_no_more() {
        let (mut state, mut asked, mut at) = (State::default(), 0, Duration::ZERO);
        while at < Duration::from_secs(60) {
            if state.is_due(at) {
                state.note(at, &end(Some(0), ""));
                asked += 1;
            }
            at += Duration::from_millis(100);
        }
        assert!((3..=6).contains(&asked) && state.is_over, "{asked} {state:?}");
    }
}
