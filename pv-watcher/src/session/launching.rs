//! Starting a command in the checkout, by the launcher of the job's agent, and proving that nothing of it is left.

use std::{
    cell::Cell,
    ffi::OsString,
    io,
    process::Command,
    sync::LazyLock,
    time::{Duration, Instant},
};

use pv_lib::{
    config::Launcher,
    host,
    supervise::{Closed, Closing, OBSERVE_INTERVAL, closing_pause},
};
use tracing::warn;

use super::{
    Session,
    command_start::{CommandStart, NotStarted},
    saving::Unfinished,
};
use crate::{
    launcher::{
        AgentPlaces, Hidden, Launch, LaunchFile, Launched, NotLaunched, Request, adapter, close_with, write_variables,
    },
    process::{Cgroup, JOB_ID_VARIABLE, Spawned, spawn, spawn_apart, sweep_leftovers},
};

/// How long the end of what a launcher started goes on before the record says so.
const SAID_AFTER: Duration = Duration::from_secs(5);

/// The launcher where none is set.
static LOCAL: LazyLock<Launcher> = LazyLock::new(Launcher::local);

impl<'a> Session<'a> {
    /// Returns the launcher of the job's agent, which runs setup and checks, too.
    pub(crate) fn launcher(&self) -> &'a Launcher {
        let agent = self.writer.record().agent.as_ref().and_then(|agent| self.plan.agents.get(agent));
        agent.and_then(|agent| self.plan.launchers.get(&agent.launcher)).unwrap_or(&LOCAL)
    }

    /// Starts a command. How what it starts elsewhere is ended is noted durably before that.
    ///
    /// # Errors
    /// [`NotStarted`]: nothing runs then.
    pub(crate) fn start_in_checkout(
        &mut self,
        start: CommandStart,
        cgroup: Option<&Cgroup>,
    ) -> Result<(Spawned, Launched<'a>), NotStarted> {
        let launcher = self.launcher();
        let is_joined = !start.is_apart;
        let launch =
            self.prepare(launcher, start.words, start.variables, start.agent, is_joined).map_err(|why| match why {
                NotLaunched::Program(error) => NotStarted::Program(error),
                NotLaunched::Other(why) => NotStarted::Launcher(why),
            })?;
        self.note_launch(launcher, &launch).map_err(NotStarted::Record)?;
        let mut words = launch.words.iter();
        let program = words.next().map(String::as_str).unwrap_or_default();
        let mut command = Command::new(program);
        command.args(words).current_dir(self.checkout_path()).stdin(start.stdin);
        command.env_clear().envs(launch.variables);
        let spawned = if start.is_apart { spawn_apart(command, cgroup) } else { spawn(command, None, cgroup) };
        match spawned {
            Ok(process) => Ok((process, Launched::new(launcher, launch.tools, is_joined))),
            Err(error) => {
                self.forget_launch();
                Err(if launcher.is_local() {
                    NotStarted::Program(error)
                } else {
                    NotStarted::Launcher(format!("the launcher's program `{program}` cannot be executed: {error}"))
                })
            }
        }
    }

    fn prepare(
        &self,
        launcher: &Launcher,
        words: Vec<String>,
        mut variables: Vec<(OsString, OsString)>,
        agent: AgentPlaces,
        is_joined: bool,
    ) -> Result<Launch, NotLaunched> {
        let (layout, id) = (self.store.layout(), self.id());
        if words.first().is_none_or(String::is_empty) {
            return Err(NotLaunched::Program(io::Error::new(io::ErrorKind::NotFound, "no command is configured")));
        }
        // By this what it leaves is found.
        variables.push((JOB_ID_VARIABLE.into(), id.as_str().into()));
        let (inbox, finished, runs) = (layout.inbox.clone(), layout.finished.clone(), layout.runs.clone());
        let hidden = Hidden {
            folders: vec![inbox, finished, runs, layout.repos.clone(), layout.work.clone()],
            files: self.plan.secret_files.clone(),
        };
        let request = Request {
            id,
            launch_id: format!("{id}.{}", launch_number()),
            words,
            variables,
            environment: &self.plan.environment,
            workdir: self.checkout_path(),
            run_dir: layout.run_path(id),
            mirror: self.mirror().map(|mirror| mirror.path),
            agent,
            is_joined,
            hidden: &hidden,
            env_file: layout.launch_variables_path(id),
        };
        adapter(launcher).prepare(launcher, &request)
    }

    fn note_launch(&mut self, launcher: &Launcher, launch: &Launch) -> Result<(), String> {
        let (fs, layout, id) = (self.store.fs(), self.store.layout(), self.writer.id());
        self.launch = LaunchFile::new(&launcher.name, adapter(launcher).proof(), &launch.tools, host::now());
        if let Some(file) = &self.launch {
            file.write(fs, layout, id).map_err(|error| format!("how it would be ended could not be noted: {error}"))?;
        }
        if let Some(text) = &launch.env_file {
            let written = write_variables(fs, layout, id, text);
            written.map_err(|error| format!("its variables could not be written to a file: {error}"))?;
        }
        Ok(())
    }

    /// Removes what is noted of a start: nothing is left of it.
    fn forget_launch(&mut self) {
        self.launch = None;
        if let Err(error) = LaunchFile::remove(self.store.fs(), self.store.layout(), self.id()) {
            warn!(job = %self.id(), "what is noted of its launcher could not be removed: {error}");
        }
    }

    /// Ends what a launcher started, whose client is gone, until it is proved that nothing is left; returns what contained
    /// it then, `None` where nothing proves that.
    pub(crate) fn end_launch(&mut self, launched: &Launched<'_>, is_clean: bool) -> Result<Option<String>, Unfinished> {
        let Some(file) = self.launch.take() else { return Ok(launched.proof().filter(|_| is_clean)) };
        let is_proved = self.prove_gone(&file, Closing::after_client()).inspect_err(|_| self.is_unfinished = true)?;
        Ok(launched.proof().filter(|_| is_clean && is_proved))
    }

    /// Tells whether the job is not over, whatever it came to: the next supervisor goes on with it.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.is_unfinished
    }

    /// Ends what an earlier supervisor of the job left: at its launcher by what was noted of that, and on this host.
    ///
    /// # Errors
    /// What the system says where this host cannot be swept; [`Unfinished`] inside where this process was told to end.
    pub(crate) fn end_left_behind(&mut self) -> io::Result<Result<(), Unfinished>> {
        let (store, id) = (self.store, self.id().clone());
        let mut tries = 0;
        let file = loop {
            match LaunchFile::read(store.fs(), store.layout(), &id) {
                Ok(file) => break file,
                Err(why) => match self.wait_for_proof(format!("what its launcher started: {why}"), tries) {
                    Ok(true) => break None,
                    Ok(false) => tries += 1,
                    Err(unfinished) => return Ok(Err(unfinished)),
                },
            }
        };
        if let Some(file) = file {
            match self.prove_gone(&file, Closing::after_crash()) {
                Ok(true) => self.update_unflushed(|patch| {
                    patch.containment = Some(format!("{} ({})", file.launcher, file.proof));
                }),
                Ok(false) => {}
                Err(unfinished) => return Ok(Err(unfinished)),
            }
        }
        sweep_leftovers(&id)?;
        Ok(Ok(()))
    }

    /// Ends what was started, again and again, until nothing is left by its launcher's own word; returns `false` where
    /// somebody gave it up. What cannot be told is not gone: the job is not over meanwhile, and says so.
    fn prove_gone(&mut self, file: &LaunchFile, mut closing: Closing) -> Result<bool, Unfinished> {
        let (id, limit) = (self.id().clone(), self.plan.closing_limit);
        for tries in 0.. {
            let (begun, given_up) = (Instant::now(), Cell::new(false));
            let mut beat = || {
                self.heartbeat_if_due();
                if begun.elapsed() >= SAID_AFTER && self.writer.record().waiting_for.is_none() {
                    self.note_waits(Some(file.unproven("it is being ended")));
                }
                given_up.set(self.store.forget_requested(&id).unwrap_or(false));
            };
            let why = match close_with(file, &id, closing, limit, &mut beat, &given_up) {
                Closed::Gone => {
                    self.note_waits(None);
                    self.forget_launch();
                    return Ok(true);
                }
                Closed::Unproven(why) => file.unproven(&why),
            };
            if self.wait_for_proof(why.clone(), tries)? {
                self.note_missing(format!("it was given up: there was no {why}"));
                self.forget_launch();
                return Ok(false);
            }
            closing = Closing::after_client();
        }
        Ok(false)
    }

    /// Says what there is no proof of, and waits before it is tried again; returns whether somebody gave it up meanwhile.
    fn wait_for_proof(&mut self, what: String, tries: u32) -> Result<bool, Unfinished> {
        if tries == 0 {
            warn!(job = %self.id(), "waits for {what}");
        }
        self.note_waits(Some(what));
        let (begun, pause) = (Instant::now(), closing_pause(tries));
        loop {
            if self.store.forget_requested(self.id()).unwrap_or(false) {
                self.note_waits(None);
                return Ok(true);
            }
            if self.poller.terminated() {
                return Err(Unfinished);
            }
            self.heartbeat_if_due();
            let left = pause.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Ok(false);
            }
            self.poller.wait(left.min(OBSERVE_INTERVAL).min(self.plan.heartbeat));
        }
    }

    fn note_waits(&mut self, what: Option<String>) {
        if self.writer.record().waiting_for != what {
            self.update_record(|patch| patch.waiting_for = Some(what));
        }
    }
}

/// Returns a number that no other start of a job has: the time, in the digits of names.
fn launch_number() -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let (mut left, mut text) = (since.as_millis(), String::new());
    while left > 0 {
        let digit = usize::try_from(left % 32).unwrap_or(0);
        text.insert(0, char::from(DIGITS[digit]));
        left /= 32;
    }
    text
}
