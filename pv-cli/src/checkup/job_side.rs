//! As whom jobs run: as the watcher tells that lives on this host, else as whoever asks.

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
};

use pv_lib::{
    host,
    store::{RunsAs, WatcherStatus},
    time::Timestamp,
};
use rustix::fs::{FileType, stat};

use super::identity::{Identity, Permission, Want};
use crate::background::environment_of;

/// As whom jobs run, and what they find.
#[derive(Debug, Clone)]
pub(super) struct JobSide {
    /// What the watcher told, else what is true of this process.
    pub(super) runs_as: RunsAs,
    /// The process id of the watcher that told it; `None` where this process stands in.
    pub(super) watcher: Option<u32>,
    /// The user.
    pub(super) identity: Identity,
}

/// Where a program is that jobs would run.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// This file is run.
    At(PathBuf),
    /// None that they may run.
    None,
    /// Perhaps this one: this process cannot see whether they may.
    Unknown(PathBuf),
}

impl JobSide {
    /// Finds out as whom jobs run, from the status that a watcher wrote last.
    pub(super) fn find(watcher: Option<&WatcherStatus>, now: Timestamp) -> Self {
        let alive = watcher.filter(|watcher| watcher.is_alive(now) && watcher.host == host::name());
        let told = alive.and_then(|watcher| Some((watcher.pid, watcher.runs_as.clone()?)));
        let (watcher, runs_as) = match told {
            Some((pid, runs_as)) => (Some(pid), runs_as),
            None => (None, pv_watcher::runs_as(&own_environment())),
        };
        Self { identity: Identity::of(&runs_as), runs_as, watcher }
    }

    /// Names who runs jobs, in a sentence for people.
    pub(super) fn who(&self) -> String {
        match self.watcher {
            Some(_) => format!("the watcher, which runs as {} with the PATH {}", self.runs_as.user, self.runs_as.path),
            None => "this user".to_owned(),
        }
    }

    /// Finds a program as a job would.
    pub(super) fn find_program(&self, program: &str) -> Program {
        let mut unknown = None;
        for path in host::program_candidates(program, OsStr::new(&self.runs_as.path)) {
            let is_file = stat(&path).map(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
            match self.identity.may(Want::Execute, &path) {
                Permission::Yes if is_file == Ok(true) => return Program::At(path),
                Permission::Unknown(_) => unknown = unknown.or(Some(path)),
                Permission::Yes | Permission::No(_) => {}
            }
        }
        unknown.map_or(Program::None, Program::Unknown)
    }

    /// Returns the environment that agents are given the allowed part of, as far as names tell.
    pub(super) fn variables(&self) -> Vec<(OsString, OsString)> {
        self.runs_as.variables.iter().map(|name| (name.into(), "1".into())).collect()
    }

    /// Returns the environment that git is given: the watcher's where this process may read it, else its own with the
    /// watcher's `PATH`.
    pub(super) fn environment(&self) -> Vec<(OsString, OsString)> {
        let path = ("PATH".into(), OsString::from(&self.runs_as.path));
        let of_watcher = self.watcher.and_then(environment_of);
        // Another process may have that number by now.
        if let Some(of_watcher) = of_watcher.filter(|environment| environment.contains(&path)) {
            return of_watcher;
        }
        let mut own: Vec<_> = own_environment();
        if self.watcher.is_some() {
            own.retain(|(name, _)| name != "PATH");
            own.push(path);
        }
        own
    }
}

fn own_environment() -> Vec<(OsString, OsString)> {
    std::env::vars_os().collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use pv_lib::unusable::UnusableList;

    use super::*;

    #[test]
    fn c24_a_watcher_that_lives_on_this_host_tells_as_whom_jobs_run() {
        let temp = tempfile::tempdir().unwrap();
        let tool = temp.path().join("pv-test-tool");
        fs::write(&tool, "").unwrap();
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
        let now = Timestamp::from_unix_seconds(1_800_000_000);
        let own = pv_watcher::runs_as(&[("PATH".into(), temp.path().into())]);
        let status = |host: &str, beat_at, runs_as| WatcherStatus {
            pid: 4711,
            host: host.to_owned(),
            version: "1".into(),
            commit: None,
            started_at: beat_at,
            beat_at,
            max_concurrent: 1,
            running: 0,
            waiting: 0,
            waiting_for_room: 0,
            blocked_for_room: 0,
            blocked_by_launcher: 0,
            unusable: UnusableList::default(),
            mirrors: None,
            page: None,
            runs_as,
        };
        let alive = status(&host::name(), now, Some(own.clone()));
        let side = JobSide::find(Some(&alive), now);
        assert_eq!((side.watcher, side.find_program("pv-test-tool")), (Some(4711), Program::At(tool)));
        assert_eq!(side.find_program("sh"), Program::None, "its PATH counts");
        assert!(side.who().contains(temp.path().to_str().unwrap()), "{}", side.who());
        let others = [
            status("another.example", now, Some(own.clone())),
            status(&host::name(), Timestamp::from_unix_seconds(0), Some(own)),
            status(&host::name(), now, None),
        ];
        for other in others.iter().map(Some).chain([None]) {
            let side = JobSide::find(other, now);
            assert_eq!(side.watcher, None, "{other:?}");
            assert_eq!(side.find_program("pv-test-tool"), Program::None);
        }
    }
}
