//! Whether a silent process works: some buffer all that they write, and compute or write files meanwhile.

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime},
};

use camino::Utf8Path;
use pv_lib::job::JobId;
use rustix::fs::{FileType, Stat};

use super::{
    Cgroup,
    folder_walk::{Visit, walk},
    sweep::{self, Selector},
};

/// How much of a core counts as work, in percent.
const BUSY_PERCENT: u128 = 5;

/// How many entries of its folder are looked at.
const ENTRIES_MAX: usize = 1_000_000;

/// For how long the computing time is measured where no earlier measure is there.
const WINDOW: Duration = Duration::from_millis(500);

/// What is known of the work of a job's processes.
pub(super) struct Activity {
    /// Whose processes are meant.
    job: JobId,
    /// Where they work.
    folder: PathBuf,
    /// The file of their cgroup that says how long they have computed; without one they are looked for.
    cpu_stat: Option<PathBuf>,
    begun: SystemTime,
    /// Since when an answer was last given, counted from the beginning.
    answered: Duration,
    sample: Option<Sample>,
}

/// How long they had computed at some time.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    computed: Duration,
    /// The last output before it, counted from the beginning.
    last_output: Duration,
}

impl Activity {
    pub(super) fn new(job: &JobId, folder: &Utf8Path, cgroup: Option<&Cgroup>) -> Self {
        Self {
            job: job.clone(),
            folder: folder.as_std_path().to_owned(),
            cpu_stat: cgroup.map(Cgroup::cpu_stat_path),
            begun: SystemTime::now(),
            answered: Duration::ZERO,
            sample: None,
        }
    }

    /// Notes how long they have computed, where something was written since that was noted last and a cgroup says it.
    pub(super) fn sample(&mut self, last_output: Duration) {
        let is_old = self.sample.is_none_or(|sample| sample.last_output != last_output);
        if self.cpu_stat.is_some() && is_old {
            self.sample = self.computed().map(|computed| Sample { at: Instant::now(), computed, last_output });
        }
    }

    /// Tells whether they have worked since their last output, or since this was asked last: whether files in their folder
    /// are newer, or they have computed more than a twentieth of the time. Where no cgroup says what they did before, the next
    /// half second counts for that.
    ///
    /// `now` and `last_output` are counted from the beginning.
    pub(super) fn was_any(&mut self, now: Duration, last_output: Duration) -> bool {
        let since = self.begun + self.answered.max(last_output);
        let is_active = has_newer(&self.folder, since) || self.is_busy(last_output);
        self.answered = now;
        is_active
    }

    fn is_busy(&mut self, last_output: Duration) -> bool {
        let Some(computed) = self.computed() else { return false };
        let now = Sample { at: Instant::now(), computed, last_output };
        let before = self.sample.replace(now).filter(|_| self.cpu_stat.is_some());
        let (before, now) = match before {
            Some(before) => (before, now),
            None => {
                thread::sleep(WINDOW);
                let Some(computed) = self.computed() else { return false };
                (now, Sample { at: Instant::now(), computed, last_output })
            }
        };
        let elapsed = now.at - before.at;
        // Less than before is of processes that came to their end, which is a sign of life as well.
        now.computed
            .checked_sub(before.computed)
            .is_none_or(|computed| computed.as_micros() * 100 > elapsed.as_micros() * BUSY_PERCENT)
    }

    fn computed(&self) -> Option<Duration> {
        let Some(cpu_stat) = &self.cpu_stat else {
            return sweep::computed(&Selector { marker: &self.job, descendants: true }).ok();
        };
        let stat = fs_err::read_to_string(cpu_stat).ok()?;
        let micros = stat.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
        micros.trim().parse().ok().map(Duration::from_micros)
    }
}

/// Tells whether a folder has a file that was changed after that time, those of a repository's own included.
fn has_newer(folder: &Path, since: SystemTime) -> bool {
    let since = since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (mut found, mut seen) = (false, 0);
    walk(folder, &mut |entry| {
        seen += 1;
        let is_newer = |stat: Stat| {
            let nanos = u32::try_from(stat.st_mtime_nsec).unwrap_or(0);
            u64::try_from(stat.st_mtime).is_ok_and(|seconds| Duration::new(seconds, nanos) > since)
        };
        found |= entry.kind != FileType::Directory && entry.stat().is_ok_and(is_newer);
        if found || seen > ENTRIES_MAX { Visit::Stop } else { Visit::Enter }
    });
    found
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_that_are_newer_are_found_at_any_depth_and_folders_alone_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b/.git");
        fs::create_dir_all(&deep).unwrap();
        let at = |millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        assert!(!has_newer(dir.path(), at(1_000)), "folders are no work");
        let file = fs::File::create(deep.join("index")).unwrap();
        for (changed, found) in [(999, false), (1_000, false), (1_001, true), (5_000, true)] {
            file.set_modified(at(changed)).unwrap();
            assert_eq!(has_newer(dir.path(), at(1_000)), found, "{changed}");
        }
        assert!(!has_newer(dir.path(), SystemTime::now()));
        assert!(!has_newer(&dir.path().join("none"), at(0)));
    }

    #[test]
    fn c18_an_answer_counts_what_is_new_since_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(dir.path()).unwrap();
        fs::write(folder.join("old"), "").unwrap();
        thread::sleep(Duration::from_millis(20));
        let id = "0190f5c2a7b97c31b1c5b1d1a1e1f101".parse().unwrap();
        let mut activity = Activity::new(&id, folder, None);
        let second = Duration::from_secs(1);
        let file = fs::File::create(folder.join("new")).unwrap();
        let mut ask = |now: u32, changed: u32, last_output: u32| {
            file.set_modified(activity.begun + changed * second / 2).unwrap();
            activity.was_any(now * second, last_output * second)
        };
        assert!(ask(2, 1, 0), "it is newer than the beginning");
        assert!(!ask(4, 1, 0), "and was there at the last answer");
        assert!(ask(6, 9, 0));
        assert!(!ask(8, 13, 7), "the output came later");
        let mut activity = Activity::new(&id, &folder.join("none"), None);
        assert!(!activity.was_any(second, Duration::ZERO), "no folder, and nothing computes");
    }
}
