//! Putting the holds that a job of an agent finds out about, and lifting those that it proves to be over.

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

use camino::Utf8Path;
use jiff::tz::TimeZone;
use pv_lib::{
    Error,
    job::{FailReason, HoldKind, JobId, Outcome},
    store::{AgentHold, Store},
    text::one_line,
    time::Timestamp,
};
use rustix::io::Errno;
use tracing::{info, warn};

use super::{
    hold::{HoldRequest, PreviousHold},
    log::AgentLog,
    report::Report,
};
use crate::process::{OutputSink, Source};

/// How long to wait while another process writes a hold.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// How much of the words of a launcher a hold has, in characters.
const LAUNCHER_WORDS_MAX: usize = 500;

/// The pause between two tries for its lock.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Writes the holds of one job's agent. Where that fails the job goes on: further jobs run into the same then, or wait
/// longer.
pub(super) struct HoldWriter<'a> {
    store: &'a Store,
    agent: &'a str,
    job_id: JobId,
    /// When the job was started: it knows nothing of a hold that was put later.
    started_at: Option<Timestamp>,
    /// The kinds that this job has not yet proved to be over.
    unproved: Vec<HoldKind>,
}

impl<'a> HoldWriter<'a> {
    pub(super) fn new(store: &'a Store, agent: &'a str, job_id: JobId, started_at: Option<Timestamp>) -> Self {
        let unproved = vec![HoldKind::Start, HoldKind::Quota, HoldKind::Auth];
        Self { store, agent, job_id, started_at, unproved }
    }

    /// Returns the hold that the agent's report asks for.
    fn request(&self, report: &Report, now: Timestamp) -> Option<HoldRequest> {
        let previous = self.previous(report.hold_kind()?);
        report.hold(now, &TimeZone::system(), previous.as_ref())
    }

    /// Returns the hold of this kind before, unless a job has lifted it since.
    fn previous(&self, kind: HoldKind) -> Option<PreviousHold> {
        let hold = self.store.hold(self.agent, kind).ok().flatten()?;
        Some(PreviousHold { until: hold.until, unknown_ends: hold.unknown_ends })
    }

    /// Lets further jobs of the agent wait.
    fn put(&self, request: HoldRequest, now: Timestamp) {
        let HoldRequest { kind, until, message, unknown_ends } = request;
        let (agent, job_id, since) = (self.agent.to_owned(), self.job_id.clone(), now);
        let hold = AgentHold { agent, kind, until, message, job_id, unknown_ends, since };
        let put = with_retry(|| {
            self.store.put_hold(&hold).and_then(|put| if put { Ok(()) } else { Err(Error::HoldsLocked) })
        });
        match put {
            Ok(()) => info!(job = %self.job_id, "further jobs of `{}` wait until {until} ({kind})", self.agent),
            Err(error) => warn!(job = %self.job_id, "cannot let further jobs of `{}` wait: {error}", self.agent),
        }
    }

    /// Lets further jobs of the agent wait, where its program cannot be started and none of them would start.
    pub(super) fn put_if_of_program(&self, error: &io::Error, command: &[String], workdir: &Utf8Path, now: Timestamp) {
        let Some(program) = command.first().filter(|program| is_of_program(error, program, workdir)) else { return };
        let message = format!("its program `{program}` cannot be started: {error}");
        let previous = self.previous(HoldKind::Start);
        self.put(HoldRequest::new(HoldKind::Start, message, None, now, previous.as_ref()), now);
    }

    /// Lets further jobs of the agent wait, where its launcher starts nothing.
    pub(super) fn put_of_launcher(&self, why: &str, now: Timestamp) {
        let message = one_line(why).chars().take(LAUNCHER_WORDS_MAX).collect();
        let previous = self.previous(HoldKind::Start);
        self.put(HoldRequest::new(HoldKind::Start, message, None, now, previous.as_ref()), now);
    }

    /// Does what is due when the job's agent has ended: puts the hold that it asks for, or lifts those that it proved to be
    /// over. An agent that tells nothing while it works proves that by an end that asks for none; one that speaks in events
    /// only where the job went well, unless it did before.
    pub(super) fn settle(
        &mut self,
        outcome: &Outcome,
        speaks_in_events: bool,
        report: Option<&Report>,
        now: Timestamp,
    ) {
        // What it said counts where that is why the job failed: not where somebody stopped it.
        let hold = match outcome {
            Outcome::Failed { reason: FailReason::Quota | FailReason::Auth, .. } => {
                report.and_then(|report| self.request(report, now))
            }
            _ => None,
        };
        if let Some(hold) = hold {
            return self.put(hold, now);
        }
        if proves_login(outcome, speaks_in_events) {
            self.lift(&[HoldKind::Quota, HoldKind::Auth]);
        }
    }

    /// Lifts the holds of these kinds, which this job has proved to be over; once for each kind.
    pub(super) fn lift(&mut self, kinds: &[HoldKind]) {
        let Some(started_at) = self.started_at else { return };
        for kind in kinds {
            if !self.unproved.contains(kind) {
                continue;
            }
            self.unproved.retain(|unproved| unproved != kind);
            match with_retry(|| self.store.lift_hold_proved_over(self.agent, *kind, started_at)) {
                Ok(true) => info!(job = %self.job_id, "further jobs of `{}` may start again ({kind})", self.agent),
                Ok(false) => {}
                Err(error) => warn!(job = %self.job_id, "cannot lift the hold on `{}` ({kind}): {error}", self.agent),
            }
        }
    }
}

/// The log of an agent, as it is written; the first event that proves that the agent is logged in and at no limit lifts
/// the holds that say otherwise.
pub(super) struct LiftingOutput<'l, 'a, W> {
    pub(super) log: &'l mut AgentLog<W>,
    pub(super) holds: &'l mut HoldWriter<'a>,
    /// Whether what comes on the standard output proves that the agent was started.
    pub(super) proves_start: bool,
}

impl<W: Write> OutputSink for LiftingOutput<'_, '_, W> {
    fn append(&mut self, source: Source, bytes: &[u8]) {
        self.log.append(source, bytes);
        if self.proves_start && source == Source::Output && !bytes.is_empty() {
            self.holds.lift(&[HoldKind::Start]);
        }
        if self.log.has_proved_login() {
            self.holds.lift(&[HoldKind::Quota, HoldKind::Auth]);
        }
    }

    fn is_done(&self) -> bool {
        self.log.is_done()
    }
}

/// Tells whether an error of starting an agent's program would befall every job of that agent: its program is missing, or
/// the interpreter that its first line names, or it cannot be executed. Not where the checkout is the cause, nor where the
/// program is named by a path inside it.
pub(super) fn is_of_program(error: &io::Error, program: &str, workdir: &Utf8Path) -> bool {
    let code = error.raw_os_error().map(Errno::from_raw_os_error);
    let is_named_outside = !program.contains('/') || program.starts_with('/');
    // What is asked of the folder is what the start needs: that it can be entered.
    let is_enterable = fs_err::metadata(workdir.join(".")).is_ok_and(|found| found.is_dir());
    let is_of_program = [Errno::NOENT, Errno::ACCESS, Errno::NOEXEC, Errno::NOTDIR].map(Some).contains(&code);
    is_of_program && is_named_outside && is_enterable
}

/// Tells whether the end of an agent that asks for no hold proves that it is logged in and at no limit.
fn proves_login(outcome: &Outcome, speaks_in_events: bool) -> bool {
    match outcome {
        Outcome::Succeeded { .. } => true,
        // It was stopped, or ended by something else than its own work.
        Outcome::Aborted { .. } => false,
        Outcome::Failed { reason, .. } => *reason == FailReason::Exit && !speaks_in_events,
    }
}

/// Does something for which no other process may write a hold, again and again for a while.
fn with_retry<T>(mut act: impl FnMut() -> pv_lib::Result<T>) -> pv_lib::Result<T> {
    let begun = Instant::now();
    loop {
        match act() {
            Err(Error::HoldsLocked) if begun.elapsed() < LOCK_WAIT => std::thread::sleep(LOCK_PAUSE),
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, process::Command};

    use camino::Utf8PathBuf;

    use super::*;

    /// Starts a program in a folder, and tells whether the error would befall every job.
    fn check(program: &str, workdir: &Utf8Path) -> (io::ErrorKind, bool) {
        let error = Command::new(program).current_dir(workdir).spawn().expect_err("it does not start");
        (error.kind(), is_of_program(&error, program, workdir))
    }

    #[test]
    fn c02_a_program_that_cannot_be_started_is_told_from_a_checkout_that_is_gone() {
        use io::ErrorKind::{NotFound, PermissionDenied};
        let dir = tempfile::TempDir::new().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        let program = |name: &str, text: &str, mode| {
            let path = root.join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path.into_string()
        };
        let work = root.join("work");
        fs::create_dir(&work).unwrap();
        let no_mode = program("no-mode", "#!/bin/sh\n", 0o644);
        let no_interpreter = program("no-interpreter", "#!/nowhere/sh\n", 0o755);
        let below_file = format!("{no_mode}/agent");
        for (program, kind) in [
            ("no-such-program-of-anybody", NotFound),
            ("/nowhere/agent", NotFound),
            (&no_mode, PermissionDenied),
            (&no_interpreter, NotFound),
            (&below_file, io::ErrorKind::NotADirectory),
        ] {
            assert_eq!(check(program, &work), (kind, true), "{program}");
            assert!(!check(program, &root.join("gone")).1, "{program}: the checkout is gone");
        }
        assert_eq!(check("/bin/sh", &root.join("gone")), (NotFound, false));
        assert_eq!(check("./agent.sh", &work), (NotFound, false), "it is this repository's");
        let wrong_format = program("wrong-format", "\x7fELF nothing", 0o755);
        assert!(check(&wrong_format, &work).1, "{wrong_format}");
        for code in [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::TOOBIG] {
            let error = io::Error::from_raw_os_error(code.raw_os_error());
            assert!(!is_of_program(&error, "/bin/sh", &work), "{error}");
        }
        assert!(!is_of_program(&NotFound.into(), "/bin/sh", &work), "the system did not say so");
    }
}
