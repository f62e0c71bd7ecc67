//! Whether a silent process works: some buffer all that they write, and compute or write files meanwhile.

use std::{
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use camino::Utf8Path;
use pv_lib::{job::JobId, time::Timestamp};
use rustix::fs::FileType;

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

/// What is known of a process's work.
pub(super) struct Activity {
    /// Whose processes are meant.
    job: JobId,
    /// Where they work; `None` where that does not matter.
    folder: Option<PathBuf>,
    /// The file of their cgroup that says how long they have computed; without one they are looked for.
    cpu_stat: Option<PathBuf>,
    /// When that file was read after the last output, what it said, and when the output was.
    sample: Option<(Instant, Duration, Option<Timestamp>)>,
}

impl Activity {
    pub(super) fn new(job: &JobId, folder: Option<&Utf8Path>, cgroup: Option<&Cgroup>) -> Self {
        let folder = folder.map(|folder| folder.as_std_path().to_owned());
        Self { job: job.clone(), folder, cpu_stat: cgroup.map(Cgroup::cpu_stat_path), sample: None }
    }

    /// Notes how long they have computed, where something was written since that was noted last and a cgroup says it.
    pub(super) fn sample(&mut self, last_output_at: Option<Timestamp>) {
        if self.folder.is_some()
            && self.cpu_stat.is_some()
            && self.sample.is_none_or(|(_, _, output)| output != last_output_at)
        {
            self.sample = self.computed().map(|computed| (Instant::now(), computed, last_output_at));
        }
    }

    /// Tells whether files in their folder are newer than `last_output_at`, or they have computed more than a twentieth of
    /// the time since: of the next half second, where no cgroup says what they did before.
    pub(super) fn since(&mut self, last_output_at: Option<Timestamp>) -> bool {
        let Some(folder) = &self.folder else { return false };
        let since = last_output_at.map_or(i64::MIN, Timestamp::unix_seconds);
        has_newer(folder, since) || self.is_busy()
    }

    fn is_busy(&mut self) -> bool {
        let Some(now) = self.computed() else { return false };
        let (begun, before) = match self.sample {
            Some((at, computed, _)) => (at, computed),
            None => {
                let begun = Instant::now();
                thread::sleep(WINDOW);
                (begun, now)
            }
        };
        let now = self.computed().unwrap_or(now);
        let elapsed = begun.elapsed();
        // Next time it is measured from here.
        self.sample = self.sample.map(|(_, _, output)| (Instant::now(), now, output));
        now.saturating_sub(before).as_micros() * 100 > elapsed.as_micros() * BUSY_PERCENT
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

/// Tells whether a folder has a file that was changed after that second, those of a repository's own included.
fn has_newer(folder: &std::path::Path, since: i64) -> bool {
    let (mut found, mut seen) = (false, 0);
    walk(folder, &mut |entry| {
        seen += 1;
        let is_file = entry.kind != FileType::Directory;
        found |= is_file && entry.stat().is_ok_and(|stat| stat.st_mtime > since);
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
        assert!(!has_newer(dir.path(), 1_000), "folders are no work");
        let file = fs::File::create(deep.join("index")).unwrap();
        let at = |seconds| std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        for (changed, found) in [(999, false), (1_000, false), (1_001, true)] {
            file.set_modified(at(changed)).unwrap();
            assert_eq!(has_newer(dir.path(), 1_000), found, "{changed}");
        }
        assert!(!has_newer(&dir.path().join("none"), 0));
    }
}
