//! The watcher's loop: look when there is a hint, and every few seconds anyway, until it is stopped.

use std::{
    collections::BTreeMap,
    future::Future,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use pv_lib::{
    host,
    store::{RunsAs, Store, WatcherLock, WatcherStatus},
    time::Timestamp,
    unusable::UnusableList,
};
use tokio::{sync::Notify, task::JoinSet, time};
use tracing::{debug, info, warn};

use crate::{
    watch::hints::Hints,
    watch::inbox_tree::{TreeSettings, branch_lookup, keep_tree},
    watch::launch::{SupervisorCommand, Supervisors},
    watch::mirrors::{MirrorSettings, SharedMirrors, keep_mirrors, maintain_mirrors},
    watch::reconcile::Reconciler,
    watch::report::{TickReport, Tuning},
    watch::timing::{BEAT, STATUS_PAUSE, is_beat_due, is_older, next_round, pause_until, rest_after},
};

/// For how long the watcher says that it lives while it is at one thing.
const BUSY_MAX: Duration = Duration::from_secs(300);

/// How long nothing more is said after it was said that it cannot.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// How young a temporary file must be to belong to a submission that is under way.
const TEMPORARY_IS_YOUNG: Duration = Duration::from_secs(3600);

/// How many looks may follow one another at once because each found something new.
const MAX_IMMEDIATE_ROUNDS: u32 = 64;

/// What a watcher needs to know.
#[derive(Debug, Clone)]
pub struct WatchSettings {
    /// How much at once.
    pub tuning: Tuning,
    /// How long between looks when nothing hints at a change.
    pub poll: Duration,
    /// How the inbox tree is kept; `None` where it is left to people.
    pub tree: Option<TreeSettings>,
    /// How the mirrors are kept small; `None` where they are left as they are.
    pub mirrors: Option<MirrorSettings>,
    /// As whom it runs, which it tells.
    pub runs_as: RunsAs,
    /// How a supervisor is started.
    pub supervisor: SupervisorCommand,
    /// The version that `status` tells.
    pub version: String,
    /// The commit that the program was built from, where that is known.
    pub commit: Option<String>,
    /// The address of the page that this process serves beside it, which `status` tells.
    pub page: Option<String>,
}

/// Until when a watcher works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Until it is stopped.
    Forever,
    /// Until what is there has settled, run and ended. Jobs whose agent is held stay, since that may be for days.
    Once,
}

/// What a watcher that ended by itself left undone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Left {
    /// How many jobs wait because their agent is held.
    pub held: usize,
    /// What cannot be used, and what failed again and again.
    pub unusable: UnusableList,
}

/// Why a watcher could not work.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// Its folders could not be made, or another watcher has them.
    #[error(transparent)]
    Store(#[from] pv_lib::Error),
    /// A part of it ended by itself.
    #[error("the watcher ended by itself")]
    Ended(#[source] io::Error),
}

/// Watches until `stop` resolves, and returns nothing left then; or, with [`Mode::Once`], until there is nothing more to
/// do, and returns what is left. Running jobs are left to their supervisors, which outlive this.
///
/// Calls `ready` once, when the folders are this watcher's.
///
/// # Errors
/// [`WatchError::Store`] where another watcher has this root, or a folder cannot be made.
pub async fn watch(
    store: Store,
    settings: WatchSettings,
    mode: Mode,
    ready: impl FnOnce(),
    stop: impl Future<Output = ()>,
) -> Result<Left, WatchError> {
    let guard = store.acquire_watcher_lock()?;
    let (now, clock) = (host::now(), Instant::now());
    let notify = Arc::new(Notify::new());
    let launcher = Supervisors::new(settings.supervisor.clone(), store.layout().clone(), Arc::clone(&notify));
    let ticker = Reconciler::new(store.clone(), settings.tuning.clone(), launcher, Box::new(host::new_job_id));
    let mut ticker = ticker.with_branches(branch_lookup(store.clone()));
    let mirrors = SharedMirrors::default();
    let mut last_status = LastStatus::new(store.clone(), guard, &settings, Arc::clone(&mirrors), now, clock);
    let sweeping = store.clone();
    let sweep = move || {
        let swept = sweeping.sweep_temporaries(before(now, TEMPORARY_IS_YOUNG));
        ticker.sweep_checkouts();
        (ticker, swept)
    };
    let swept;
    (last_status, (ticker, swept)) = last_status.beating_during(sweep).await?;
    swept.unusable.entries.iter().for_each(|entry| warn!("{entry}"));
    let mut wake = Hints::new(store.clone(), Arc::clone(&notify));
    // What it holds ends when this function does.
    let mut beside = JoinSet::new();
    if let Some(tree) = settings.tree.clone().filter(|_| mode == Mode::Forever) {
        beside.spawn(keep_tree(store.clone(), tree));
    }
    if let Some(settings) = settings.mirrors.filter(|_| mode == Mode::Forever) {
        beside.spawn(keep_mirrors(store.clone(), settings, Arc::clone(&mirrors)));
    }
    info!(inbox = %store.layout().inbox, runs = %store.layout().runs, swept = swept.found.len(), "watching");
    ready();

    let mut immediate = 0;
    tokio::pin!(stop);
    'rounds: loop {
        let begun = Instant::now();
        let work = move || {
            let round = ticker.round(clock.elapsed(), host::now());
            wake.follow_inbox(ticker.folders());
            wake.follow_holds();
            wake.follow(&round.live);
            (ticker, wake, round)
        };
        let round;
        (last_status, (ticker, wake, round)) = last_status.beating_during(work).await?;
        last_status = last_status.published(Some(round.clone())).await?;

        if mode == Mode::Once && !round.again && !round.goes_on() {
            if let Some(settings) = settings.mirrors {
                last_status.end_with(settings, &mut stop).await;
            }
            last_status.end();
            return Ok(Left { held: round.held, unusable: round.unusable });
        }
        if round.again && immediate < MAX_IMMEDIATE_ROUNDS {
            immediate += 1;
            continue;
        }
        immediate = 0;
        tokio::select! {
            () = &mut stop => break 'rounds,
            () = time::sleep(rest_after(begun.elapsed())) => {}
        }
        let due = next_round(clock.elapsed(), settings.poll, &round);
        while let Some(pause) = pause_until(clock.elapsed(), due) {
            tokio::select! {
                () = &mut stop => break 'rounds,
                () = notify.notified() => break,
                () = time::sleep(if last_status.is_behind { pause.min(STATUS_PAUSE) } else { pause }) => {}
            }
            last_status = last_status.published(None).await?;
        }
    }
    last_status.end();
    info!(running = ticker.launcher().count(), "stopping; running jobs go on under their supervisors");
    Ok(Left::default())
}

fn before(now: Timestamp, age: Duration) -> Timestamp {
    let seconds = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_unix_seconds(now.unix_seconds().saturating_sub(seconds))
}

/// Says that the watcher lives, when something changed and every few seconds.
struct LastStatus {
    store: Store,
    guard: WatcherLock,
    clock: Instant,
    patch: WatcherStatus,
    mirrors: SharedMirrors,
    last: Option<Duration>,
    /// Whether what it says is behind, since it was said a moment ago.
    is_behind: bool,
    /// When it was last said that this fails.
    complained: Option<Duration>,
}

impl LastStatus {
    fn new(
        store: Store,
        guard: WatcherLock,
        settings: &WatchSettings,
        mirrors: SharedMirrors,
        now: Timestamp,
        clock: Instant,
    ) -> Self {
        let patch = WatcherStatus {
            pid: std::process::id(),
            host: host::name(),
            version: settings.version.clone(),
            commit: settings.commit.clone(),
            started_at: now,
            beat_at: now,
            page: settings.page.clone(),
            max_concurrent: settings.tuning.max_concurrent,
            running: 0,
            waiting: 0,
            waiting_for_room: 0,
            blocked_for_room: 0,
            blocked_by_launcher: 0,
            unusable: UnusableList::default(),
            mirrors: None,
            runs_as: Some(settings.runs_as.clone()),
        };
        Self { store, guard, clock, patch, mirrors, last: None, is_behind: false, complained: None }
    }

    /// Looks after the mirrors once, when no job is left that could need the time, and says what they are.
    async fn end_with(&mut self, settings: MirrorSettings, stop: impl Future<Output = ()>) {
        let mut problems = BTreeMap::new();
        tokio::select! {
            status = maintain_mirrors(&self.store, &settings, &mut problems) => {
                *self.mirrors.lock() = Some(status);
                self.publish(None);
            }
            () = stop => {}
        }
    }

    /// Says no more that the watcher lives: it ends in order.
    fn end(&mut self) {
        (self.patch.pid, self.patch.page, self.patch.unusable) = (0, None, UnusableList::default());
        if let Err(problem) = self.store.write_watcher_status(&self.guard, &self.patch) {
            warn!("cannot say that the watcher ends: {problem}");
        }
    }

    /// Does something that blocks on another thread, heartbeats meanwhile. Not for ever: a watcher that has been at one
    /// thing for that long works on nothing else, and is to look like it.
    async fn beating_during<T: Send + 'static>(
        mut self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<(Self, T), WatchError> {
        let begun = Instant::now();
        let mut work = tokio::task::spawn_blocking(work);
        loop {
            self = self.published(None).await?;
            tokio::select! {
                done = &mut work => return Ok((self, done.map_err(ended)?)),
                () = time::sleep(BEAT), if begun.elapsed() < BUSY_MAX => {}
            }
        }
    }

    /// Writes the status where that is due, on another thread.
    async fn published(mut self, round: Option<TickReport>) -> Result<Self, WatchError> {
        let publish = move || {
            self.publish(round.as_ref());
            self
        };
        tokio::task::spawn_blocking(publish).await.map_err(ended)
    }

    fn publish(&mut self, round: Option<&TickReport>) {
        let uptime = self.clock.elapsed();
        let before = self.patch.clone();
        if let Some(round) = round {
            self.patch.running = round.running;
            self.patch.waiting = round.waiting + round.held + round.stuck + round.no_room;
            (self.patch.waiting_for_room, self.patch.blocked_for_room) = (round.no_room, round.blocked_for_room);
            self.patch.blocked_by_launcher = round.blocked_by_launcher;
            self.patch.unusable.clone_from(&round.unusable);
        }
        self.patch.mirrors = self.mirrors.lock().clone();
        self.is_behind |= before != self.patch;
        if !(self.is_behind && is_older(self.last, uptime, STATUS_PAUSE) || is_beat_due(self.last, uptime)) {
            return;
        }
        self.patch.beat_at = host::now();
        if let Err(error) = self.store.keep_reserve(&self.guard) {
            debug!("no reserve is kept: {error}");
        }
        // Where that fails it is tried again with the next change, and when the next sign of life is due.
        self.is_behind = false;
        match self.store.write_watcher_status(&self.guard, &self.patch) {
            Ok(()) => self.last = Some(uptime),
            Err(problem) if self.complained.is_none_or(|at| uptime.saturating_sub(at) >= COMPLAIN_EVERY) => {
                self.complained = Some(uptime);
                warn!("cannot say that the watcher lives: {problem}");
            }
            Err(_) => {}
        }
    }
}

fn ended(error: tokio::task::JoinError) -> WatchError {
    WatchError::Ended(io::Error::other(error))
}
