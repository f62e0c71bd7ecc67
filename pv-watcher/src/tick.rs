//! One round of the watcher: look at the inbox and the live runs, decide what is due for each job, do it.
//!
//! Synchronous and without a clock of its own: it takes the time, and starts supervisors through [`Launcher`], so that
//! tests drive it on the in-memory file system. Notifications only make a round come sooner; truth is the look.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io,
    time::Duration,
};

use camino::Utf8PathBuf;
use pv_lib::{
    Error, Result,
    fs::FsExt,
    job::{FailReason, JobId, JobRecord, JobState, Outcome, Phase},
    store::{InboxPrompt, InboxSnapshot, Observed, PromptLocation, StabilityTracker, Step, Store, decide},
    time::Timestamp,
};
use tracing::{info, warn};

use crate::{
    holds::AgentHolds,
    launch::Launcher,
    round::{TickReport, Tuning},
};

/// How often a supervisor may end before it wrote `running`, or before it ended a job that it took over, until the
/// watcher ends the job itself.
const MAX_LAUNCHES: u32 = 3;

/// Gives fresh job ids.
pub type Mint = Box<dyn FnMut() -> JobId + Send>;

/// The watcher's memory between rounds. All of it can be lost: a fresh one finds out again.
pub struct Reconciler<L> {
    store: Store,
    tuning: Tuning,
    launcher: L,
    mint: Mint,
    settling: StabilityTracker,
    over: HashSet<JobId>,
    missing: HashSet<JobId>,
    launches: HashMap<JobId, u32>,
    resumes: HashMap<JobId, u32>,
    reported: HashSet<String>,
    held: AgentHolds,
}

struct Startable {
    created: (Option<Timestamp>, JobId),
    repo: String,
    prompt: InboxPrompt,
}

impl<L: Launcher> Reconciler<L> {
    /// Makes a watcher that has seen nothing yet. `mint` gives fresh job ids.
    pub fn new(store: Store, tuning: Tuning, launcher: L, mint: Mint) -> Self {
        let held = AgentHolds::new(&tuning.default_agent);
        Self {
            store,
            tuning,
            launcher,
            mint,
            settling: StabilityTracker::default(),
            over: HashSet::new(),
            missing: HashSet::new(),
            launches: HashMap::new(),
            resumes: HashMap::new(),
            reported: HashSet::new(),
            held,
        }
    }

    /// Returns what starts the supervisors.
    pub fn launcher(&mut self) -> &mut L {
        &mut self.launcher
    }

    /// Does one round. `uptime` never goes back; `now` is the time of day.
    ///
    /// What goes wrong with one job is logged and tried again in the next round; it never stops the others.
    ///
    /// # Errors
    /// Where the inbox or the runs folder cannot be looked at.
    pub fn round(&mut self, uptime: Duration, now: Timestamp) -> Result<TickReport> {
        let look = self.store.scan_inbox()?;
        let damaged_holds = self.held.look(&self.store, now).unwrap_or_else(|problem| vec![problem.to_string()]);
        self.report_unusable(look.unusable.iter().chain(&damaged_holds));
        let active = self.launcher.active();
        self.fail_unstartable(&active, now);

        let mut round = TickReport::default();
        let mut by_id: BTreeMap<JobId, Vec<&InboxPrompt>> = BTreeMap::new();
        for prompt in &look.prompts {
            match &prompt.id {
                Some(id) => by_id.entry(id.clone()).or_default().push(prompt),
                None if prompt.claimed => self.orphan(prompt, now),
                None => self.adopt(prompt, false, uptime, now, &mut round),
            }
        }
        let mut ids: Vec<JobId> = self.store.run_ids()?.into_iter().filter(|id| !self.over.contains(id)).collect();
        ids.extend(by_id.keys().cloned());
        ids.sort();
        ids.dedup();

        let mut startable = Vec::new();
        let mut busy: HashMap<String, usize> = HashMap::new();
        for id in ids {
            let prompts = by_id.remove(&id).unwrap_or_default();
            let one = self.reconcile_job(&id, &prompts, active.contains(&id), &look, (uptime, now), &mut round);
            match one {
                Ok(JobStatus::Busy { repo }) => {
                    *busy.entry(repo).or_default() += 1;
                    round.running += 1;
                    round.live.push(id);
                }
                Ok(JobStatus::Startable(job)) => {
                    round.live.push(id);
                    startable.push(*job);
                }
                Ok(JobStatus::Nothing) => {}
                Err(error) => warn!(job = %id, "{error}; trying again in the next round"),
            }
        }
        self.start_what_fits(startable, busy, &mut round);
        self.settling.retain(|path| look.prompts.iter().any(|prompt| prompt.path == path));
        round.next_settled = self.settling.next(self.tuning.settle);
        Ok(round)
    }

    /// Removes checkouts of jobs that are over and whose work is saved; a crash between record and removal leaves such.
    /// Work that is nowhere else stays.
    ///
    /// # Errors
    /// Where the folder of checkouts cannot be looked at.
    pub fn sweep_checkouts(&mut self) -> Result<()> {
        let work = self.store.layout().work.clone();
        for entry in self.store.fs().list_or_empty(&work)? {
            // A `.git` beside the checkout is what its work was saved with.
            let name = entry.name.strip_suffix(".git").unwrap_or(&entry.name);
            let Some(id) = JobId::minted(name) else { continue };
            let needless = match self.store.read_run(&id) {
                Ok(run) => run.record().is_some_and(|record| {
                    record.state().is_terminal() && (name != entry.name || !record.may_hold_unsaved_work())
                }),
                Err(Error::JobNotFound(_)) => false,
                Err(error) => {
                    warn!(job = %id, "cannot tell whether its checkout is needed: {error}");
                    false
                }
            };
            if needless
                && !self.store.is_held(&id).unwrap_or(true)
                && let Err(error) = self.launcher.remove_checkout(&work.join(&entry.name))
            {
                warn!(job = %id, "cannot remove its checkout: {error}");
            }
        }
        Ok(())
    }

    fn reconcile_job(
        &mut self,
        id: &JobId,
        prompts: &[&InboxPrompt],
        active: bool,
        look: &InboxSnapshot,
        (uptime, now): (Duration, Timestamp),
        round: &mut TickReport,
    ) -> Result<JobStatus> {
        let record = match self.store.read_run(id) {
            Ok(run) => run.record().cloned(),
            Err(Error::JobNotFound(_)) => None,
            Err(error) => return Err(error),
        };
        let prompt = main_prompt(prompts, record.as_ref());
        for copy in prompts.iter().filter(|other| Some(**other) != prompt) {
            self.adopt(copy, false, uptime, now, round);
        }
        let place = prompt.map_or_else(|| self.confirm_missing(id, look), InboxPrompt::place);
        let seen = self.store.observe(id, place, active)?;
        self.record_observation(id, &seen);
        if seen.held && seen.abort {
            self.kill_if_hung(id, record.as_ref(), now)?;
        }
        if seen.held && seen.state.is_some_and(|state| !state.is_terminal()) {
            return Ok(JobStatus::Busy { repo: record.map(|record| record.full_repo()).unwrap_or_default() });
        }
        match (decide(&seen), prompt) {
            (Step::Nothing, _) => {}
            (Step::Adopt, Some(prompt)) => self.adopt(prompt, true, uptime, now, round),
            (Step::AdoptWithNewId, Some(prompt)) => self.adopt(prompt, false, uptime, now, round),
            (Step::ArchiveOrphan, Some(prompt)) => self.orphan(prompt, now),
            (Step::Start, Some(prompt)) => {
                let created = (record.as_ref().and_then(|record| record.created_at), id.clone());
                let repo = record.map(|record| record.full_repo()).unwrap_or_default();
                return Ok(JobStatus::Startable(Box::new(Startable { created, repo, prompt: prompt.clone() })));
            }
            (Step::Adopt | Step::AdoptWithNewId | Step::ArchiveOrphan | Step::Start, None) => {}
            (Step::AbortUnstarted, _) => {
                let message = Some("aborted before it started".to_owned());
                self.store.end_unstarted(id, Outcome::Aborted { message }, now)?;
                info!(job = %id, "aborted before it started");
            }
            (Step::Withdraw, _) => {
                if self.store.withdraw(id, now)? {
                    info!(job = %id, "withdrawn: its prompt was removed from the inbox");
                }
            }
            (Step::Resume, _) => {
                self.resume(id, now)?;
                return Ok(JobStatus::Busy { repo: record.map(|record| record.full_repo()).unwrap_or_default() });
            }
            (Step::Archive, _) => self.store.finish_archiving(id)?,
        }
        Ok(JobStatus::Nothing)
    }

    fn start_what_fits(
        &mut self,
        mut startable: Vec<Startable>,
        mut busy: HashMap<String, usize>,
        round: &mut TickReport,
    ) {
        startable.sort_by(|a, b| a.created.cmp(&b.created));
        for job in startable {
            let id = &job.created.1;
            let of_repo = busy.get(&job.repo).copied().unwrap_or(0);
            let room = round.running < self.tuning.max_concurrent
                && self.tuning.max_per_repo.is_none_or(|limit| of_repo < limit);
            if !room {
                round.waiting += 1;
                continue;
            }
            if self.held.is_held(&self.store, id, &job.prompt) {
                round.held += 1;
                continue;
            }
            match self.start(id, &job.prompt) {
                Ok(true) => {
                    *busy.entry(job.repo).or_default() += 1;
                    round.running += 1;
                }
                Ok(false) => round.again = true,
                Err(error) => {
                    round.waiting += 1;
                    warn!(job = %id, "cannot start it: {error}; trying again in the next round");
                }
            }
        }
    }

    fn start(&mut self, id: &JobId, prompt: &InboxPrompt) -> io::Result<bool> {
        if !self.store.claim(prompt, id).map_err(io::Error::other)? {
            return Ok(false);
        }
        self.launcher.launch(id)?;
        *self.launches.entry(id.clone()).or_default() += 1;
        info!(job = %id, target = %prompt.target, "started");
        Ok(true)
    }

    /// Gives a running job a supervisor again, since its own is gone; after several that could not end it either, it is
    /// ended here, its checkout left as it is.
    fn resume(&mut self, id: &JobId, now: Timestamp) -> Result<()> {
        let tries = self.resumes.entry(id.clone()).or_default();
        if *tries < MAX_LAUNCHES {
            self.launcher.launch(id).map_err(|source| launch_error("start a supervisor for", id, source))?;
            *tries += 1;
            warn!(job = %id, "its supervisor is gone: another one brings it to its end");
            return Ok(());
        }
        let ended =
            self.launcher.kill_orphans(id).map_err(|source| launch_error("end the processes of", id, source))?;
        let delivering =
            self.store.read_run(id)?.record().is_some_and(|record| record.phase == Some(Phase::Delivering));
        let kept = if delivering {
            format!("`pv retry {id}` delivers its work")
        } else {
            format!("what its agent did is still in {}", self.store.layout().checkout_path(id))
        };
        let message = format!(
            "its supervisor ended before the job did, and {MAX_LAUNCHES} more could not end it: the watcher's log says \
             why; {kept}"
        );
        self.store.interrupt(id, &message, now)?;
        warn!(job = %id, ended, "interrupted: no supervisor could bring it to its end");
        Ok(())
    }

    /// A job whose supervisor ended again and again before it wrote `running` is failed, instead of tried for ever.
    fn fail_unstartable(&mut self, active: &HashSet<JobId>, now: Timestamp) {
        let tired: Vec<JobId> = self
            .launches
            .iter()
            .filter(|(id, count)| **count >= MAX_LAUNCHES && !active.contains(*id))
            .map(|(id, _)| id.clone())
            .collect();
        for id in tired {
            let message = format!(
                "its supervisor ended {MAX_LAUNCHES} times before it could start the job: the watcher's log says why"
            );
            match self.store.end_unstarted(&id, Outcome::Failed { reason: FailReason::Start, message }, now) {
                Ok(()) | Err(Error::Illegal(_) | Error::JobNotFound(_)) => drop(self.launches.remove(&id)),
                Err(error) => warn!(job = %id, "{error}"),
            }
        }
    }

    /// Adopts a file once it has settled.
    fn adopt(&mut self, prompt: &InboxPrompt, keep_id: bool, uptime: Duration, now: Timestamp, round: &mut TickReport) {
        if !self.settling.is_stable(&prompt.path, prompt.stat, uptime, self.tuning.settle) {
            round.settling += usize::from(prompt.stat.len > 0);
            return;
        }
        match self.store.adopt(prompt, keep_id, &mut self.mint, now) {
            Ok(Some(id)) => {
                info!(job = %id, prompt = %prompt.path, "adopted");
                round.again = true;
            }
            Ok(None) => round.again = true,
            Err(error) => {
                round.settling += 1;
                warn!(prompt = %prompt.path, "cannot adopt it: {error}; trying again in the next round");
            }
        }
    }

    fn orphan(&mut self, prompt: &InboxPrompt, now: Timestamp) {
        match self.store.archive_orphan(prompt, &mut self.mint, now) {
            Ok(id) => {
                warn!(job = %id, prompt = %prompt.path, "marked as running, but without a run: not started again");
            }
            Err(error) => warn!(prompt = %prompt.path, "cannot archive it: {error}; trying again in the next round"),
        }
    }

    /// Ends a supervisor that has not answered an abort for so long that it must be stopped or hung. One that saves or
    /// hands over does not answer until that is done, and shows by its heartbeat that it lives.
    fn kill_if_hung(&mut self, id: &JobId, record: Option<&JobRecord>, now: Timestamp) -> Result<()> {
        let asked = self.store.abort_requested_at(id)?;
        let beat = record.and_then(|record| record.heartbeat_at);
        let silent_since = asked.map(|asked| beat.map_or(asked, |beat| asked.max(beat)));
        if silent_since.is_some_and(|since| now.since(since) > self.tuning.hung_after) {
            match self.launcher.kill_hung(&self.store.layout().lock_path(id)) {
                Ok(()) => warn!(job = %id, "its supervisor did not answer an abort, and was ended"),
                Err(error) => warn!(job = %id, "its supervisor does not answer an abort: {error}"),
            }
        }
        Ok(())
    }

    /// A prompt that is not in the inbox counts as gone only when it was missing in the look before, too.
    fn confirm_missing(&mut self, id: &JobId, look: &InboxSnapshot) -> PromptLocation {
        if !look.present {
            return PromptLocation::Unseen;
        }
        if self.missing.insert(id.clone()) { PromptLocation::Unseen } else { PromptLocation::Gone }
    }

    fn record_observation(&mut self, id: &JobId, seen: &Observed) {
        if seen.state.is_some_and(JobState::is_terminal) {
            self.over.insert(id.clone());
            self.launches.remove(id);
            self.resumes.remove(id);
        }
        if seen.state == Some(JobState::Running) {
            self.launches.remove(id);
        }
        if !matches!(seen.prompt, PromptLocation::Gone | PromptLocation::Unseen) || self.over.contains(id) {
            self.missing.remove(id);
        }
    }

    /// Says each line when it is new, and again when it comes back.
    fn report_unusable<'a>(&mut self, lines: impl Iterator<Item = &'a String>) {
        let lines: HashSet<String> = lines.cloned().collect();
        lines.difference(&self.reported).for_each(|line| warn!("{line}"));
        self.reported = lines;
    }
}

enum JobStatus {
    Nothing,
    Busy { repo: String },
    Startable(Box<Startable>),
}

/// Of several files that carry one id, the claimed one is the job's; else the one that its record names; else the
/// first. The others are copies that somebody made.
fn main_prompt<'a>(prompts: &[&'a InboxPrompt], record: Option<&JobRecord>) -> Option<&'a InboxPrompt> {
    let named = record.and_then(|record| record.inbox_file.as_deref()).map(Utf8PathBuf::from);
    let claimed = prompts.iter().find(|prompt| prompt.claimed);
    let recorded = prompts.iter().find(|prompt| Some(&prompt.path) == named.as_ref());
    claimed.or(recorded).or(prompts.first()).copied()
}

fn launch_error(verb: &'static str, id: &JobId, source: io::Error) -> Error {
    Error::Fs { source: pv_lib::fs::FsError { verb, path: id.as_str().into(), source } }
}
