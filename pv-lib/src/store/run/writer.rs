//! Writing a record: whoever holds the run's lock may, and nobody else.

use std::io::ErrorKind;

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    Error, Result,
    fs::{FsExt, LockGuard, durable, durable::Durability, optional},
    job::{JobId, JobRecord, Outcome, Started},
    prompt::finished_name,
    store::{InboxPrompt, Place, Store, inbox::ending},
    time::Timestamp,
};

/// The longest prompt that is copied when `finished` lies on another file system: above any limit on prompts, since
/// those that are too long are archived too.
const ARCHIVE_LIMIT_BYTES: usize = 1 << 30;

/// How long the spares of a record are: longer than what records grow to, in bytes.
const RECORD_SPARE_BYTES: usize = 32 << 10;

/// The right to write one run's record. Exists only while the run's lock is held; the kernel drops the lock when its
/// holder dies, so that liveness needs no pid and no clock.
#[derive(Debug)]
pub struct RunWriter {
    store: Store,
    record: JobRecord,
    /// Whether one of the record's spares changed places with it, and may be too short since.
    has_used_spare: bool,
    _lock: LockGuard,
}

impl Store {
    /// Acquires the lock of a run and reads its record. Never waits: a caller that wants to, tries again, since asking
    /// whether a lock is held acquires it for an instant.
    ///
    /// # Errors
    /// [`Error::JobNotFound`]; [`Error::Locked`] while another process holds it; [`Error::Damaged`] and
    /// [`Error::NewerSchema`] for records that must not be rewritten.
    pub fn writer(&self, id: &JobId) -> Result<RunWriter> {
        self.read_run(id)?;
        let lock = self.with_reserve(|| self.try_lock_run(id))?.ok_or_else(|| Error::Locked(id.clone()))?;
        // Only now does nobody else write: what was read before the lock may be old.
        let record = self.read_run(id)?.into_record()?;
        if !record.is_writable() {
            return Err(Error::NewerSchema { id: id.clone(), schema: record.schema_version });
        }
        Ok(RunWriter { store: self.clone(), record, has_used_spare: false, _lock: lock })
    }

    /// Tells whether a run's lock is held, which is what being alive means for a supervisor.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn is_held(&self, id: &JobId) -> Result<bool> {
        if self.fs().stat_opt(&self.layout().lock_path(id))?.is_none() {
            return Ok(false);
        }
        Ok(self.try_lock_run(id)?.is_none())
    }

    fn try_lock_run(&self, id: &JobId) -> Result<Option<LockGuard>> {
        let path = self.layout().lock_path(id);
        let mut locked = self.fs().try_lock(&path);
        if locked.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            durable::ensure_dir(self.fs(), &self.layout().locks_path())?;
            locked = self.fs().try_lock(&path);
        }
        match locked {
            Ok(lock) => Ok(Some(lock)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl RunWriter {
    /// Returns the record, as it is on disk.
    #[must_use]
    pub fn record(&self) -> &JobRecord {
        &self.record
    }

    /// Returns the job's id.
    #[must_use]
    pub fn id(&self) -> &JobId {
        &self.record.job_id
    }

    /// Moves the job from `created` to `running`, durably: from then on it counts as started, and its agent is never
    /// started again by itself. Before that its spares are made, so that further changes of the record need no room.
    ///
    /// # Errors
    /// [`Error::Illegal`] when it is not `created`; [`Error::Fs`], and the record is unchanged then, or changed.
    pub fn start(&mut self, started: Started) -> Result<()> {
        let mut record = self.record.clone();
        record.start(started)?;
        self.make_spares()?;
        if let Ok(Some(prompt)) = self.find_prompt() {
            record.inbox_file = Some(prompt.path.into());
        }
        self.write(record, Durability::Full)
    }

    /// Makes the spares of the record where there are none, as for a job that an earlier version started, or where they are
    /// too short, as after a disk was full.
    ///
    /// # Errors
    /// [`Error::Fs`].
    pub fn make_spares(&self) -> Result<()> {
        Ok(durable::make_spares(self.store.fs(), &self.store.layout().record_path(self.id()), RECORD_SPARE_BYTES)?)
    }

    /// Changes keys of the record that are no change of state: its phase, its pid, its heartbeat. On a full disk a spare
    /// takes the new record.
    ///
    /// # Errors
    /// [`Error::Fs`], and the record is unchanged then, or changed.
    pub fn update(&mut self, durability: Durability, change: impl FnOnce(&mut JobRecord)) -> Result<()> {
        let mut record = self.record.clone();
        change(&mut record);
        self.write(record, durability)
    }

    /// Moves the job to a terminal state, durably, and changes further keys of the record in the same write. The record names
    /// the place where its prompt is about to go: [`RunWriter::archive`] moves it there. A full disk is no obstacle: a spare takes the record, and where it cannot
    /// the reserve makes room.
    ///
    /// # Errors
    /// [`Error::Illegal`] when the job is over already, or cannot end that way; [`Error::Fs`].
    pub fn finish_with(&mut self, change: impl FnOnce(&mut JobRecord), outcome: Outcome, now: Timestamp) -> Result<()> {
        let mut record = self.record.clone();
        change(&mut record);
        record.finish(outcome, now)?;
        if let Ok(Some(prompt)) = self.find_prompt()
            && let Ok(place) = self.store.finished_place(&prompt, &record)
        {
            record.inbox_file = Some(place.into());
        }
        let store = self.store.clone();
        store.with_reserve(|| self.write(record.clone(), Durability::Full))
    }

    /// Moves the job to a terminal state, as [`RunWriter::finish_with`] does.
    ///
    /// # Errors
    /// As there.
    pub fn finish(&mut self, outcome: Outcome, now: Timestamp) -> Result<()> {
        self.finish_with(|_| (), outcome, now)
    }

    /// Lets the record name the place of a prompt that was moved before the job started, durably: it may be claimed
    /// only then, since a claimed file that the record does not name is never executed.
    ///
    /// # Errors
    /// [`Error::Fs`].
    pub fn follow_prompt(&mut self, prompt: &InboxPrompt) -> Result<()> {
        if self.store.place_of(&self.record, prompt) == Place::Recorded {
            return Ok(());
        }
        self.update(Durability::Full, |record| record.inbox_file = Some(prompt.path.to_string()))
    }

    fn find_prompt(&self) -> Result<Option<InboxPrompt>> {
        self.store.find_prompt_of(self.id(), Some(&self.record))
    }

    /// Copies the job's prompt from the inbox to its run folder, once, durably, and returns its bytes: the exact bytes
    /// that are run. Called again, it returns the copy.
    ///
    /// # Errors
    /// [`Error::PromptNotFound`]; [`Error::TooLarge`]; [`Error::Unusable`] where it may be in what cannot be read;
    /// [`Error::Fs`].
    pub fn write_prompt(&self) -> Result<Vec<u8>> {
        let (fs, layout, id) = (self.store.fs(), self.store.layout(), self.id());
        let limit = self.store.prompt_bytes_max();
        let copy = layout.prompt_path(id);
        if let Some(bytes) = optional(fs.read(&copy, limit))? {
            return Ok(bytes);
        }
        let prompt = self.find_prompt()?.ok_or_else(|| Error::PromptNotFound(id.clone()))?;
        let bytes = match fs.read(&prompt.path, limit) {
            Err(error) if error.kind() == ErrorKind::FileTooLarge => {
                return Err(Error::TooLarge { len: prompt.stat.len, limit: self.store.limits().prompt_bytes });
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(Error::PromptNotFound(id.clone())),
            read => read?,
        };
        durable::write_temp(fs, &copy, &bytes)?;
        durable::publish(fs, &copy)?;
        Ok(bytes)
    }

    /// Moves the prompt of a job that is over to the finished folder, under its original name. Safe to repeat
    /// after a crash at any point; nothing to do where the prompt is no longer in the inbox.
    ///
    /// # Errors
    /// [`Error::NotTerminal`]; [`Error::Unusable`] where it may be in what cannot be read; [`Error::Fs`].
    pub fn archive(&mut self) -> Result<()> {
        if !self.record.state().is_terminal() {
            return Err(Error::NotTerminal(self.record.state()));
        }
        let layout = self.store.layout();
        for path in [layout.record_path(self.id()), layout.abort_path(self.id())] {
            // One that stays is no harm.
            let _ = durable::remove_spares(self.store.fs(), &path);
        }
        let store = self.store.clone();
        store.with_reserve(|| self.archive_prompt())
    }

    fn archive_prompt(&mut self) -> Result<()> {
        let Some(prompt) = self.find_prompt()? else {
            return Ok(());
        };
        let place = self.store.finished_place(&prompt, &self.record)?;
        if self.record.prompt_changed.is_none() && self.has_changed(&prompt) {
            self.update(Durability::OldOrNew, |record| record.prompt_changed = Some(true))?;
        }
        match self.move_to(&prompt, &place) {
            // Another file got that name since: the one with the id is ours alone.
            Err(Error::Fs { source }) if source.kind() == ErrorKind::AlreadyExists => {
                self.move_to(&prompt, &self.store.finished_place_with_id(&prompt, &self.record))
            }
            moved => moved,
        }
    }

    /// Tells whether a prompt is another text than the one that was read for the agent: who wrote it may have paused for so
    /// long that it counted as complete.
    fn has_changed(&self, prompt: &InboxPrompt) -> bool {
        let (fs, copy) = (self.store.fs(), self.store.layout().prompt_path(self.id()));
        let Ok(Some(read)) = fs.stat_opt(&copy) else { return false };
        let Ok(Some(now)) = fs.stat_opt(&prompt.path) else { return false };
        let text = |path: &Utf8Path| fs.read(path, self.store.prompt_bytes_max()).ok();
        now.len != read.len || text(&copy).is_some_and(|copy| text(&prompt.path).is_some_and(|prompt| prompt != copy))
    }

    /// The record names the place before the prompt is there: a crash in the middle of the move finds it again.
    fn move_to(&mut self, prompt: &InboxPrompt, place: &Utf8Path) -> Result<()> {
        if self.record.inbox_file.as_deref() != Some(place.as_str()) {
            self.update(Durability::Full, |record| record.inbox_file = Some(place.to_string()))?;
        }
        let fs = self.store.fs();
        if let Some(folder) = place.parent() {
            durable::ensure_dir(fs, folder)?;
        }
        Ok(durable::archive(fs, &prompt.path, place, ARCHIVE_LIMIT_BYTES)?)
    }

    fn write(&mut self, record: JobRecord, durability: Durability) -> Result<()> {
        let (fs, path, bytes) = (self.store.fs(), self.store.layout().record_path(&record.job_id), record.to_bytes());
        match durable::replace(fs, &path, &bytes, durability) {
            Err(error) if durable::is_full(&error) => {
                durable::replace_in_place(fs, &path, &bytes).map_err(|_| error)?;
                self.has_used_spare = true;
            }
            Ok(()) if self.has_used_spare && !record.state().is_terminal() => {
                // There is room again. Where that is too little for the spares, the next time may do.
                self.has_used_spare = durable::make_spares(fs, &path, RECORD_SPARE_BYTES).is_err();
            }
            written => written?,
        }
        self.record = record;
        Ok(())
    }
}

impl Store {
    /// Returns where a prompt goes when its job is over: the same relative folder under `finished`, the name that it
    /// had, or the one with its id where that exists. A place that the record names already stays: a crash may
    /// have left the prompt there and in the inbox.
    fn finished_place(&self, prompt: &InboxPrompt, record: &JobRecord) -> Result<Utf8PathBuf> {
        let plain = self.finished_folder(prompt).join(finished_name(&prompt.stem, ending(record), None));
        let with_id = self.finished_place_with_id(prompt, record);
        let planned = |place: &Utf8PathBuf| record.inbox_file.as_deref() == Some(place.as_str());
        if planned(&plain) || (!planned(&with_id) && self.fs().stat_opt(&plain)?.is_none()) {
            Ok(plain)
        } else {
            Ok(with_id)
        }
    }

    fn finished_place_with_id(&self, prompt: &InboxPrompt, record: &JobRecord) -> Utf8PathBuf {
        let name = finished_name(&prompt.stem, ending(record), Some(&record.job_id));
        self.finished_folder(prompt).join(name)
    }

    fn finished_folder(&self, prompt: &InboxPrompt) -> Utf8PathBuf {
        let folder = prompt.path.parent().and_then(|dir| self.layout().finished_folder_path(dir));
        folder.unwrap_or_else(|| self.layout().finished.clone())
    }
}
