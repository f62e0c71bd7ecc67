//! One round of the watcher: look at the inbox and the live runs, decide what is due for each job, do it.
//!
//! Synchronous and without a clock of its own: it takes the time, and starts supervisors through [`Launcher`], so that
//! tests drive it on the in-memory file system. Notifications only make a round come sooner; truth is the look.
//!
//! What cannot be read and what fails is noted, and stops nothing else: see [`Failing`].

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use camino::{Utf8Path, Utf8PathBuf};
use pv_lib::{
    Error, Result,
    fs::Stat,
    job::{JobId, JobRecord, JobState, Outcome},
    store::{
        InboxPrompt, InboxSnapshot, JobObservation, Place, PromptLocation, PromptsOfJob, Run, StabilityTracker, Step,
        Store, next_step,
    },
    time::Timestamp,
    unusable::{Severity, Unusable},
};
use tracing::info;

use crate::{
    watch::cgroup_sweep::CgroupSweep,
    watch::entries::{REPAIR, claimed_copy_entry, same_file_entry},
    watch::failing::{Attempt, Failing},
    watch::hold_decision::HoldDecision,
    watch::holds::AgentHolds,
    watch::known_branches::{BranchLookup, KnownBranches},
    watch::known_runs::KnownRuns,
    watch::launch::Launcher,
    watch::report::{TickReport, Tuning},
};

/// When the disks are measured again where one has too little room.
const ROOM_LOOK: Duration = Duration::from_secs(10);

/// Gives fresh job ids.
pub type Mint = Box<dyn FnMut() -> JobId + Send>;

/// The watcher's memory between rounds. All of it can be lost: a fresh one finds out again.
pub struct Reconciler<L> {
    pub(crate) store: Store,
    pub(crate) tuning: Tuning,
    pub(crate) launcher: L,
    pub(crate) mint: Mint,
    pub(crate) settling: StabilityTracker,
    runs: KnownRuns,
    missing: HashSet<JobId>,
    pub(crate) launches: HashMap<JobId, u32>,
    pub(crate) resumes: HashMap<JobId, u32>,
    pub(crate) failing: Failing,
    pub(crate) branches: KnownBranches,
    held: AgentHolds,
    folders: Vec<Utf8PathBuf>,
    pub(crate) cgroups_swept: Option<CgroupSweep>,
}

/// The time of a round: on a clock that never goes back, and of the day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    pub(crate) uptime: Duration,
    pub(crate) now: Timestamp,
}

struct Startable {
    created: (Option<Timestamp>, JobId),
    repo: String,
    prompt: InboxPrompt,
}

impl<L: Launcher> Reconciler<L> {
    /// Makes a watcher that has seen nothing yet. `mint` gives fresh job ids.
    pub fn new(store: Store, tuning: Tuning, launcher: L, mint: Mint) -> Self {
        let (held, failing) = (AgentHolds::new(&tuning.default_agent, &tuning.repos), Failing::new(tuning.retry_pause));
        Self {
            store,
            tuning,
            launcher,
            mint,
            settling: StabilityTracker::default(),
            runs: KnownRuns::default(),
            missing: HashSet::new(),
            launches: HashMap::new(),
            resumes: HashMap::new(),
            failing,
            branches: KnownBranches::default(),
            held,
            folders: Vec::new(),
            cgroups_swept: None,
        }
    }

    /// Sets how the branches of a repository are found out. Without it none are known, and every prompt that lies in a
    /// folder below that of a branch is for that branch.
    #[must_use]
    pub fn with_branches(self, lookup: BranchLookup) -> Self {
        Self { branches: KnownBranches::new(lookup), ..self }
    }

    /// Returns what starts the supervisors.
    pub fn launcher(&mut self) -> &mut L {
        &mut self.launcher
    }

    /// Returns the folders of the inbox that the last round could list.
    #[must_use]
    pub fn folders(&self) -> &[Utf8PathBuf] {
        &self.folders
    }

    /// Does one round. `uptime` never goes back; `now` is the time of day.
    ///
    /// What cannot be read, and what goes wrong with one job, is reported in the round and tried again in later ones, after
    /// longer and longer pauses; it never stops the others.
    pub fn round(&mut self, uptime: Duration, now: Timestamp) -> TickReport {
        let at = At { uptime, now };
        let mut look = self.store.scan_inbox(now);
        let mut round = TickReport { unusable: std::mem::take(&mut look.unusable), ..TickReport::default() };
        self.folders = std::mem::take(&mut look.folders);
        let full = self.store.full_disks();
        round.is_full = !full.is_empty();
        if round.is_full {
            round.is_due_at(uptime + ROOM_LOOK);
        }
        full.into_iter().for_each(|full| round.unusable.push(full.into()));
        self.held.look(&self.store, now).into_iter().for_each(|entry| round.unusable.push(entry));
        let active = self.launcher.active();
        self.fail_unstartable(&active, at);

        let mut by_id: BTreeMap<JobId, Vec<&InboxPrompt>> = BTreeMap::new();
        for prompt in &look.prompts {
            match &prompt.id {
                Some(id) => by_id.entry(id.clone()).or_default().push(prompt),
                None if prompt.claimed => self.orphan(prompt, at),
                None => self.adopt(prompt, false, &look.prompts, at, &mut round),
            }
        }
        let mut startable = Vec::new();
        let mut busy: HashMap<String, usize> = HashMap::new();
        for id in self.live_ids(&by_id, uptime, &mut round) {
            let prompts = by_id.remove(&id).unwrap_or_default();
            match self.reconcile_job(&id, &prompts, active.contains(&id), &look, at, &mut round) {
                JobStatus::Busy { repo } => {
                    *busy.entry(repo).or_default() += 1;
                    round.running += 1;
                    round.live.push(id);
                }
                JobStatus::Startable(job) => {
                    round.live.push(id);
                    startable.push(*job);
                }
                JobStatus::Nothing => {}
            }
        }
        self.start_what_fits(startable, busy, at, &mut round);
        self.settling.retain(|path| look.prompts.iter().any(|prompt| prompt.path == path));
        round.next_settled = self.settling.next(uptime, self.tuning.settle);
        round.retrying = self.failing.end_round(&mut round.unusable, uptime);
        self.failing.next_due().into_iter().for_each(|due| round.is_due_at(due));
        let at_work = self.launcher.active();
        self.sweep_cgroups(at_work, uptime);
        round
    }

    /// Returns the jobs to look at: those of prompts, and those that have a run and are not over as far as is known.
    fn live_ids(
        &mut self,
        by_id: &BTreeMap<JobId, Vec<&InboxPrompt>>,
        uptime: Duration,
        round: &mut TickReport,
    ) -> Vec<JobId> {
        if let Err(Error::Fs { source }) = self.runs.look(&self.store, uptime) {
            round.unusable.push(Unusable::unread(&source));
        }
        self.runs.note(by_id.keys());
        let mut ids: Vec<JobId> = self.runs.not_over().chain(by_id.keys()).cloned().collect();
        ids.sort();
        ids.dedup();
        ids
    }

    fn reconcile_job(
        &mut self,
        id: &JobId,
        prompts: &[&InboxPrompt],
        active: bool,
        look: &InboxSnapshot,
        at: At,
        round: &mut TickReport,
    ) -> JobStatus {
        let record = match self.store.read_run(id) {
            Ok(Run::Job(record)) => Some(*record),
            Ok(Run::Damaged { damage, .. }) => {
                // Whether it is over, and which of the prompts is its own, nobody knows.
                let whole = |why: &str| Unusable::new(self.store.layout().run_path(id), Severity::Problem, why, REPAIR);
                let entry = self.store.unread_run(id).or((!prompts.is_empty()).then(|| whole(&damage.to_string())));
                entry.into_iter().for_each(|entry| round.unusable.push(entry));
                return if active { JobStatus::Busy { repo: String::new() } } else { JobStatus::Nothing };
            }
            Err(Error::JobNotFound(_)) => None,
            Err(error) => return self.unknown(id, active, at, &error),
        };
        let PromptsOfJob { own, old_name, copies, claimed_copies } =
            self.store.classify_prompts(record.as_ref(), prompts, &look.unread);
        copies.into_iter().for_each(|copy| self.adopt(copy, false, &look.prompts, at, round));
        claimed_copies.iter().for_each(|copy| round.unusable.push(claimed_copy_entry(copy, id, record.as_ref())));
        let live = record.as_ref().filter(|record| !record.state().is_terminal());
        live.and_then(|record| same_file_entry(record, own)).into_iter().for_each(|entry| round.unusable.push(entry));
        let run = self.store.layout().run_path(id);
        if let Some(old_name) = old_name {
            let claim = |this: &mut Self| this.store.claim(old_name, id);
            self.attempt(&old_name.path, "claim it", Some(old_name.stat), at, claim);
        }
        let place = own.map_or_else(|| self.confirm_missing(id, record.as_ref(), look), InboxPrompt::place);
        let seen = match self.store.observe(id, place, active) {
            Ok(seen) => seen,
            Err(error) => return self.unknown(id, active, at, &error),
        };
        self.record_observation(id, &seen);
        let repo = record.as_ref().map(JobRecord::full_repo).unwrap_or_default();
        let counts = |waits: fn(&JobRecord) -> bool| usize::from(seen.held && record.as_ref().is_some_and(waits));
        round.blocked_for_room += counts(JobRecord::waits_for_room);
        round.blocked_by_launcher += counts(JobRecord::waits_for_launcher);
        if seen.held && seen.abort {
            let due = self.kill_if_hung(id, record.as_ref(), at);
            due.into_iter().for_each(|due| round.is_due_at(due));
        }
        if seen.held && seen.state.is_some_and(|state| !state.is_terminal()) {
            self.held.note_live(&self.store, id, record.as_ref(), own);
            return JobStatus::Busy { repo };
        }
        // Whether its prompt can be archived is not known before its supervisor is gone.
        round.finishing += usize::from(seen.held && own.is_some());
        match (next_step(&seen), own) {
            (Step::Adopt, Some(prompt)) => self.adopt(prompt, true, &look.prompts, at, round),
            (Step::AdoptWithNewId, Some(prompt)) => self.adopt(prompt, false, &look.prompts, at, round),
            (Step::ArchiveOrphan, Some(prompt)) => self.orphan(prompt, at),
            (Step::Start, Some(prompt)) => {
                // One that was moved: the record follows it before it is claimed.
                let is_recorded =
                    record.as_ref().is_none_or(|record| self.store.place_of(record, prompt) == Place::Recorded);
                let follow = |this: &mut Self| this.store.writer(id)?.follow_prompt(prompt);
                if is_recorded || self.attempt(&run, "write its record", None, at, follow).is_some() {
                    let created = (record.as_ref().and_then(JobRecord::known_since), id.clone());
                    return JobStatus::Startable(Box::new(Startable { created, repo, prompt: prompt.clone() }));
                }
            }
            (Step::AbortUnstarted, _) => {
                let outcome = Outcome::Aborted { message: Some("aborted before it started".to_owned()) };
                let end = |this: &mut Self| this.store.end_unstarted(id, &outcome, at.now);
                if self.attempt(&run, "abort it", own.map(|own| own.stat), at, end).is_some() {
                    info!(job = %id, "aborted before it started");
                }
            }
            (Step::Withdraw, _) => {
                let withdraw = |this: &mut Self| this.store.withdraw(id, at.now);
                if self.attempt(&run, "withdraw it", None, at, withdraw) == Some(true) {
                    info!(job = %id, "withdrawn: its prompt was removed from its folder in the inbox");
                }
            }
            (Step::Resume, _) => {
                if self.attempt(&run, "resume it", None, at, |this| this.resume(id, at.now)).is_some() {
                    return JobStatus::Busy { repo };
                }
            }
            (Step::Archive, _) => {
                let archive = |this: &mut Self| this.store.finish_archiving(id);
                self.attempt(&run, "archive its prompt", own.map(|own| own.stat), at, archive);
            }
            (Step::Nothing | Step::Adopt | Step::AdoptWithNewId | Step::ArchiveOrphan | Step::Start, _) => {}
        }
        JobStatus::Nothing
    }

    /// Notes that nothing is known of a job in this round; one with a supervisor of ours is busy all the same.
    fn unknown(&mut self, id: &JobId, active: bool, at: At, error: &Error) -> JobStatus {
        let attempt = Attempt { path: self.store.layout().run_path(id), doing: "look at it" };
        self.failing.failed(attempt, None, at.uptime, error);
        if active { JobStatus::Busy { repo: String::new() } } else { JobStatus::Nothing }
    }

    fn start_what_fits(
        &mut self,
        mut startable: Vec<Startable>,
        mut busy: HashMap<String, usize>,
        at: At,
        round: &mut TickReport,
    ) {
        startable.sort_by(|a, b| a.created.cmp(&b.created));
        if round.is_full {
            round.no_room += startable.len();
            return;
        }
        for job in startable {
            let id = &job.created.1;
            let of_repo = busy.get(&job.repo).copied().unwrap_or(0);
            let room = round.running < self.tuning.max_concurrent
                && self.tuning.max_per_repo.is_none_or(|limit| of_repo < limit);
            if !room {
                round.waiting += 1;
                continue;
            }
            if self.held.decide(&self.store, id, &job.prompt, at.now) != HoldDecision::Start {
                round.held += 1;
                continue;
            }
            if self.is_unstartable(id) {
                round.stuck += 1;
                continue;
            }
            let run = self.store.layout().run_path(id);
            let start = |this: &mut Self| this.start(id, &job.prompt);
            if self.attempt(&run, "start it", Some(job.prompt.stat), at, start).is_some() {
                self.held.note_started(&self.store, id, &job.prompt);
                *busy.entry(job.repo).or_default() += 1;
                round.running += 1;
            } else {
                round.stuck += 1;
            }
        }
    }

    fn start(&mut self, id: &JobId, prompt: &InboxPrompt) -> Result<()> {
        self.store.check_readable(prompt)?;
        if !self.store.claim(prompt, id)? {
            let taken = "its claimed name is taken, or somebody else was quicker";
            let source = std::io::Error::new(std::io::ErrorKind::AlreadyExists, taken);
            return Err(failed("claim", prompt.path.clone(), source));
        }
        self.launcher.launch(id).map_err(|source| failed("start a supervisor for", id.as_str().into(), source))?;
        *self.launches.entry(id.clone()).or_default() += 1;
        info!(job = %id, target = %prompt.target, "started");
        Ok(())
    }

    /// Tries something, unless it failed and its pause is not over. Returns what it answers; `None` where it was not tried
    /// or failed, which is noted.
    pub(crate) fn attempt<T>(
        &mut self,
        path: &Utf8Path,
        doing: &'static str,
        stat: Option<Stat>,
        at: At,
        act: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Option<T> {
        let attempt = Attempt { path: path.to_owned(), doing };
        if !self.failing.is_due(&attempt, stat, at.uptime) {
            return None;
        }
        match act(self) {
            Ok(done) => {
                self.failing.succeeded(&attempt);
                Some(done)
            }
            Err(error) => {
                self.failing.failed(attempt, stat, at.uptime, &error);
                None
            }
        }
    }

    /// A prompt that is not in the inbox counts as gone only when it was missing in the look before, too, and not where it
    /// may be in what could not be read.
    fn confirm_missing(&mut self, id: &JobId, record: Option<&JobRecord>, look: &InboxSnapshot) -> PromptLocation {
        if !look.present || record.is_some_and(|record| self.store.may_be_unread(record, &look.unread)) {
            return PromptLocation::NotFound;
        }
        if self.missing.insert(id.clone()) { PromptLocation::NotFound } else { PromptLocation::Gone }
    }

    fn record_observation(&mut self, id: &JobId, seen: &JobObservation) {
        if seen.state.is_some_and(JobState::is_terminal) {
            self.runs.end(id);
            self.launches.remove(id);
            self.resumes.remove(id);
        }
        if seen.state == Some(JobState::Running) {
            self.launches.remove(id);
        }
        if !matches!(seen.prompt, PromptLocation::Gone | PromptLocation::NotFound) || self.runs.has_ended(id) {
            self.missing.remove(id);
        }
    }
}

enum JobStatus {
    Nothing,
    Busy { repo: String },
    Startable(Box<Startable>),
}

/// Makes the error of something that is no verb of the file system.
pub(crate) fn failed(verb: &'static str, path: Utf8PathBuf, source: std::io::Error) -> Error {
    Error::Fs { source: pv_lib::fs::FsError { verb, path, source } }
}
