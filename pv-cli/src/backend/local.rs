//! The operations on jobs, on the files of this host.

use std::time::Duration;

use pv_lib::{
    Error,
    api::{HoldList, JobDetail, JobList, Status, StatusSettings, TargetItem},
    config::Config,
    host,
    job::{HoldKind, JobFilter, JobId, JobState},
    layout::InboxMode,
    prompt::{Source, Submission},
    store::{InboxTarget, Store},
    target::Target,
    text::one_line,
};
use pv_watcher::{Synced, default_branch, sync_tree};
use serde_json::{Value, json};

use super::{
    operations::{Backend, Prompt, Sink, SyncedTargets},
    streamed_list::StreamedList,
};
use crate::{
    context::store,
    exit::{Exit, Failure},
    services::block_on,
};

/// How often a log or a job that is followed is read again.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// How much of a log or a patch is read at once.
const BLOCK_BYTES: usize = 64 << 10;
/// How much of a log's end is shown at most, in bytes; following has no such limit.
const MAX_TAIL_BYTES: usize = 16 << 20;

/// The files of this host.
#[derive(Debug)]
pub(super) struct Local {
    config: Config,
    store: Store,
}

impl Local {
    pub(super) fn new(config: Config) -> Self {
        Self { store: store(&config), config }
    }

    fn is_over(&self, id: &JobId) -> Result<bool, Failure> {
        Ok(self.store.read_run(id)?.state().is_none_or(JobState::is_terminal))
    }

    /// Returns the target for a repository and a branch, as a person names them.
    fn target(&self, repo: &str, branch: &str) -> Result<Target, Failure> {
        let (owner, name) = match repo.split_once('/') {
            Some((owner, name)) => (Some(owner), name),
            None => (self.config.git.owner.value.as_deref(), repo),
        };
        match (&self.store.layout().inbox_mode, owner) {
            (InboxMode::MultiOwner, None) => {
                return Err(Failure::usage(format!("`{repo}` has no owner: write OWNER/REPO, or set git_owner")));
            }
            (InboxMode::SingleOwner { owner: Some(only) }, Some(owner)) if only != owner => {
                return Err(Failure::usage(format!(
                    "the inbox has one owner, `{only}` (git_owner): set inbox_mode: multi_owner for several"
                )));
            }
            _ => {}
        }
        Target::new(owner, name, branch).map_err(Failure::usage)
    }

    /// Returns the default branch of a repository's clone; `main` where there is no clone.
    fn default_branch(&self, repo: &str) -> Result<String, Failure> {
        let target = self.target(repo, "main")?;
        let name = (target.owner(), target.repo());
        let clones = self.store.clones().found;
        let clone = clones.iter().find(|clone| (clone.owner.as_deref(), clone.repo.as_str()) == name);
        let Some(clone) = clone else { return Ok(target.branch().to_owned()) };
        let known = block_on(async { Ok(default_branch(&clone.dir).await) })?;
        Ok(known.unwrap_or_else(|| target.branch().to_owned()))
    }

    /// Returns where following begins: the offset of the last `lines` lines, 0 where there is no log yet.
    fn start_offset(&self, id: &JobId, lines: Option<usize>) -> Result<u64, Failure> {
        let is_over = self.is_over(id)?;
        match self.store.log_tail_at(id, lines.unwrap_or(0), MAX_TAIL_BYTES) {
            Ok((at, _)) => Ok(if lines.is_some() { at } else { 0 }),
            Err(Error::LogNotFound(_)) if !is_over => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}

impl Backend for Local {
    fn submit(&self, repo: &str, branch: &str, prompts: Vec<Prompt>) -> Result<Vec<Value>, Failure> {
        let submission = |prompt: Prompt| Submission {
            repo: repo.to_owned(),
            branch: branch.to_owned(),
            markdown: prompt.bytes,
            filename: prompt.name,
            source: Source::Cli,
            retry_of: None,
        };
        let submissions: Vec<_> = prompts.into_iter().map(submission).collect();
        let receipts = self.store.submit(&submissions, &mut host::new_job_id, host::now())?;
        Ok(receipts.iter().map(|receipt| json!(receipt)).collect())
    }

    fn list(&self, filter: &JobFilter) -> Result<JobList, Failure> {
        let jobs = self.store.select(filter, host::now(), self.config.thresholds())?;
        Ok(JobList::new(&jobs, None))
    }

    fn write_list(&self, filter: &JobFilter, sink: Sink<'_>) -> Result<(), Failure> {
        let (store, thresholds) = (&self.store, self.config.thresholds());
        StreamedList { store, filter, now: host::now(), thresholds }.write(sink)
    }

    fn list_with_ids(&self, filter: &JobFilter) -> Result<(JobList, Vec<JobId>), Failure> {
        let ids = self.store.unsorted_run_ids()?;
        let jobs = self.store.select_among(&ids, filter, host::now(), self.config.thresholds())?;
        Ok((JobList::new(&jobs, None), ids))
    }

    fn resolve(&self, prefix: &str) -> Result<String, Failure> {
        Ok(self.store.resolve(prefix)?.to_string())
    }

    fn job(&self, id: &str) -> Result<Value, Failure> {
        let job = JobDetail::read(&self.store, &job_id(id)?, host::now(), self.config.thresholds())?;
        Ok(Value::Object(job.to_json()))
    }

    fn log(&self, id: &str, lines: usize) -> Result<Vec<u8>, Failure> {
        let id = job_id(id)?;
        self.store.read_run(&id)?;
        Ok(self.store.log_tail(&id, lines, MAX_TAIL_BYTES)?)
    }

    fn follow(&self, id: &str, lines: Option<usize>, sink: Sink<'_>) -> Result<(), Failure> {
        let id = job_id(id)?;
        let mut at = self.start_offset(&id, lines)?;
        loop {
            // Asked before reading: what was written before the end is read after it.
            let is_over = self.is_over(&id)?;
            loop {
                let block = match self.store.read_log(&id, at, BLOCK_BYTES) {
                    Err(Error::LogNotFound(_)) => Vec::new(),
                    read => read?,
                };
                if block.is_empty() {
                    break;
                }
                at += block.len() as u64;
                sink(&block)?;
            }
            if is_over {
                return Ok(());
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    fn push_log(&self, id: &str) -> Result<Vec<u8>, Failure> {
        Ok(self.store.push_log(&job_id(id)?)?)
    }

    fn last_message(&self, id: &str) -> Result<Option<Vec<u8>>, Failure> {
        match self.store.last_message(&job_id(id)?) {
            Err(Error::LastMessageNotFound(_) | Error::LastMessageNotYet(_)) => Ok(None),
            read => Ok(Some(read?)),
        }
    }

    fn patch(&self, id: &str, sink: Sink<'_>) -> Result<(), Failure> {
        let id = job_id(id)?;
        let (end, mut at) = (self.store.patch_len(&id)?, 0);
        while at < end {
            let block = self.store.read_patch(&id, at, BLOCK_BYTES)?;
            if block.is_empty() {
                break;
            }
            at += block.len() as u64;
            sink(&block)?;
        }
        Ok(())
    }

    fn abort(&self, id: &str, forget: bool) -> Result<Value, Failure> {
        let (id, now) = (job_id(id)?, host::now());
        Ok(json!(if forget { self.store.request_forget(&id, now)? } else { self.store.request_abort(&id, now)? }))
    }

    fn retry(&self, id: &str, checks_only: bool) -> Result<Value, Failure> {
        let (id, new, now) = (job_id(id)?, host::new_job_id(), host::now());
        let store = &self.store;
        Ok(json!(if checks_only { store.retry_checks(&id, &new, now)? } else { store.retry(&id, &new, now)? }))
    }

    fn holds(&self) -> Result<Vec<Value>, Failure> {
        let list = HoldList::read(&self.store, host::now())?;
        Ok(list.holds.iter().map(|hold| json!(hold)).collect())
    }

    fn lift_hold(&self, agent: &str, kind: HoldKind) -> Result<bool, Failure> {
        Ok(self.store.lift_hold(agent, kind)?)
    }

    fn status(&self) -> Result<Value, Failure> {
        let (config, now) = (&self.config, host::now());
        let settings = StatusSettings {
            thresholds: config.thresholds(),
            bind_host: config.api.bind_host.value.clone(),
            bind_port: config.api.bind_port.value,
        };
        // A runs folder that cannot be read is among what cannot be used.
        let counts = self.store.counts(now, settings.thresholds).unwrap_or_default();
        Ok(json!(Status::read(&self.store, settings, counts, now)))
    }

    fn targets(&self) -> Result<Vec<Value>, Failure> {
        let targets = self.store.targets();
        for entry in &targets.unusable.entries {
            eprintln!("pv: warning: {}", one_line(&entry.to_string()));
        }
        Ok(targets.found.iter().map(target_item).collect())
    }

    fn add_target(&self, repo: &str, branch: Option<&str>) -> Result<Value, Failure> {
        let branch = branch.map_or_else(|| self.default_branch(repo), |branch| Ok(branch.to_owned()))?;
        let target = self.target(repo, &branch)?;
        let dir = self.store.add_target(&target)?;
        Ok(target_item(&InboxTarget { target, dir }))
    }

    fn sync_targets(&self, is_trial: bool) -> Result<SyncedTargets, Failure> {
        let synced = block_on(async { Ok(sync_tree(&self.store, &self.config.tree_rules(), is_trial).await) })?;
        let Synced { made, left_out, problems } = synced;
        Ok(SyncedTargets { made: made.iter().map(target_item).collect(), left_out, problems })
    }

    fn poll_interval(&self) -> Duration {
        POLL_INTERVAL
    }
}

fn job_id(id: &str) -> Result<JobId, Failure> {
    id.parse().map_err(|error| Failure::new(Exit::NotFound, error))
}

fn target_item(target: &InboxTarget) -> Value {
    json!(TargetItem::from(target))
}
