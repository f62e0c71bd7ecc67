//! Waiting for room on a full disk, and going on by itself when there is some.

use std::time::Duration;

use pv_lib::{Error, ErrorKind, fs::durable, store::FullDisk, supervise::Cause};
use tracing::warn;

use super::Session;
use crate::{
    git::{Attendant, GitFailure, SaveFailure, says_full},
    process::Interruptible,
};

/// The first pause after something failed for want of room. It doubles with each further failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between two measurements of a disk that has too little room.
const MEASURE_PAUSE_MAX: Duration = Duration::from_secs(15);

/// The longest pause where the disk has room, and yet too little for what is tried: each try costs work.
const TRY_PAUSE_MAX: Duration = Duration::from_secs(600);

/// What a failure says about room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// It was for want of room.
    Room,
    /// It may have been: a full disk has many faces.
    Unknown,
    /// It was not.
    Nothing,
}

/// A failure of which it can be said whether it was for want of room.
pub(crate) trait OfRoom {
    /// Returns what it says about room.
    fn want(&self) -> Want;

    /// Returns it in words.
    fn words(&self) -> String;
}

/// How often something is tried that fails for want of room on a disk that has some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// So often. For what loses nothing by a failure.
    Tries(u32),
    /// Until it works, or the job is to stop. For work that is nowhere else.
    Endless,
}

/// Why something was not done.
#[derive(Debug)]
pub(crate) enum NotDone<E> {
    /// It failed, though there is room.
    Failed(E),
    /// Somebody asked for the job to be stopped while it waited for room, after this failure.
    Aborted(E),
    /// This process was signalled to end meanwhile.
    Terminated,
}

/// Decides whether to wait after the nth failure in a row, counted from 1, and for how long at first.
fn decide(want: Want, disk_is_full: bool, tries: u32, patience: Patience) -> Option<Duration> {
    let longest = match (want, disk_is_full) {
        (Want::Nothing, _) | (Want::Unknown, false) => return None,
        (Want::Room | Want::Unknown, true) => MEASURE_PAUSE_MAX,
        (Want::Room, false) => match patience {
            Patience::Tries(most) if tries >= most => return None,
            Patience::Tries(_) | Patience::Endless => TRY_PAUSE_MAX,
        },
    };
    let doubled = 1_u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX);
    Some(FIRST_PAUSE.saturating_mul(doubled).min(longest))
}

impl Session<'_> {
    /// Tries something until it works, or fails though there is room. Meanwhile the record says what is waited for: `what`
    /// goes on after "room", such as "to save its work".
    pub(crate) fn with_room<T, E: OfRoom>(
        &mut self,
        what: &str,
        patience: Patience,
        mut act: impl FnMut(&mut Self) -> Result<T, E>,
    ) -> Result<T, NotDone<E>> {
        let mut tries = 0;
        loop {
            let error = match act(self) {
                Ok(done) => {
                    self.note_waiting(None);
                    return Ok(done);
                }
                Err(error) => error,
            };
            tries += 1;
            let mut full = self.full_disk(error.want());
            let Some(mut pause) = decide(error.want(), full.is_some(), tries, patience) else {
                self.note_waiting(None);
                return Err(NotDone::Failed(error));
            };
            let words =
                full.as_ref().map_or_else(|| error.words(), |full| format!("{} has {}", full.path, full.shortage));
            warn!(job = %self.id(), "waits for room {what}: {words}");
            self.note_waiting(Some(format!("room {what}: {words}")));
            loop {
                match self.pause(pause, Interruptible::Yes) {
                    Ok(()) => {}
                    Err(Cause::Abort) => {
                        self.note_waiting(None);
                        return Err(NotDone::Aborted(error));
                    }
                    Err(_) => return Err(NotDone::Terminated),
                }
                if full.is_none() {
                    break;
                }
                // Trying is dear, and measuring is not.
                full = self.full_disk(error.want());
                pause = (pause * 2).min(MEASURE_PAUSE_MAX);
            }
        }
    }

    /// Waits until the disks have room for a job to begin on.
    pub(crate) fn wait_for_room(&mut self, what: &str) -> Result<(), NotDone<FullDisk>> {
        self.with_room(what, Patience::Endless, |session| {
            session.store.full_disks().into_iter().next().map_or(Ok(()), Err)
        })
    }

    /// Returns a disk of this job that has too little room, by what it says and by trying.
    fn full_disk(&self, want: Want) -> Option<FullDisk> {
        if want == Want::Nothing {
            return None;
        }
        let layout = self.store.layout();
        let run = layout.run_path(self.id());
        let folders = [run.as_path(), layout.work.as_path(), layout.repos.as_path()];
        let full = self.store.full_disks().into_iter().next();
        full.or_else(|| {
            self.store.probe_room(folders.into_iter().filter(|dir| dir.is_dir()), &format!("probe-{}", self.id()))
        })
    }

    fn note_waiting(&mut self, what: Option<String>) {
        if self.writer.record().waiting_for != what {
            self.update_record(|patch| patch.waiting_for = Some(what));
        }
    }
}

impl OfRoom for FullDisk {
    fn want(&self) -> Want {
        Want::Room
    }

    fn words(&self) -> String {
        format!("{} has {}", self.path, self.shortage)
    }
}

impl OfRoom for Error {
    fn want(&self) -> Want {
        match self {
            Self::Fs { source } if durable::is_full(source) => Want::Room,
            _ if self.kind() == ErrorKind::Full => Want::Room,
            _ => Want::Nothing,
        }
    }

    fn words(&self) -> String {
        self.to_string()
    }
}

impl OfRoom for GitFailure {
    fn want(&self) -> Want {
        match self {
            Self::Failed(words) => want_of(words),
            Self::Stopped(_) => Want::Nothing,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Failed(words) => words.clone(),
            Self::Stopped(_) => "git was stopped".to_owned(),
        }
    }
}

impl OfRoom for SaveFailure {
    fn want(&self) -> Want {
        want_of(&self.why)
    }

    fn words(&self) -> String {
        self.why.clone()
    }
}

/// Of something that says why in a sentence.
impl OfRoom for String {
    fn want(&self) -> Want {
        want_of(self)
    }

    fn words(&self) -> String {
        self.clone()
    }
}

impl OfRoom for std::io::Error {
    fn want(&self) -> Want {
        match self.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Want::Room,
            _ => Want::Nothing,
        }
    }

    fn words(&self) -> String {
        self.to_string()
    }
}

/// Returns what the words of a program say about room.
pub(crate) fn want_of(words: &str) -> Want {
    if says_full(words) { Want::Room } else { Want::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_disk_what_fails_for_want_of_room_is_tried_again_and_what_does_not_is_not() {
        use Patience::{Endless, Tries};
        use Want::{Nothing, Room, Unknown};
        let check = |want, full, tries, patience, expected: Option<u64>| {
            let pause = decide(want, full, tries, patience).map(|pause| pause.as_secs());
            assert_eq!(pause, expected, "{want:?} {full} {tries} {patience:?}");
        };
        for patience in [Endless, Tries(3)] {
            // A disk that is full is measured again and again, however long that takes.
            for (tries, pause) in [(1, 1), (2, 2), (4, 8), (5, 15), (40, 15), (u32::MAX, 15)] {
                check(Room, true, tries, patience, Some(pause));
                check(Unknown, true, tries, patience, Some(pause));
            }
            // What fails on a disk with room fails.
            check(Unknown, false, 1, patience, None);
            check(Nothing, false, 1, patience, None);
            check(Nothing, true, 1, patience, None);
        }
        // A disk that has room, and yet too little: work is not given up, and what loses nothing is.
        for (tries, pause) in [(1, 1), (5, 16), (10, 512), (11, 600), (99, 600)] {
            check(Room, false, tries, Endless, Some(pause));
        }
        check(Room, false, 2, Tries(3), Some(2));
        check(Room, false, 3, Tries(3), None);
    }

    #[test]
    fn full_disk_a_programs_words_are_a_hint() {
        for words in [
            "error: unable to write file x: No space left on device\nfatal: cannot store",
            "fatal: write error: Disk quota exceeded",
        ] {
            assert_eq!(want_of(words), Want::Room);
            assert_eq!(GitFailure::Failed(words.into()).want(), Want::Room);
        }
        assert_eq!(want_of("fatal: bad object"), Want::Unknown);
        assert_eq!(GitFailure::stopped(Cause::Abort).want(), Want::Nothing);
        assert_eq!(std::io::Error::from(std::io::ErrorKind::StorageFull).want(), Want::Room);
        assert_eq!(std::io::Error::from(std::io::ErrorKind::PermissionDenied).want(), Want::Nothing);
        let full = |kind: std::io::ErrorKind| Error::Fs {
            source: pv_lib::fs::FsError { verb: "create", path: "/x".into(), source: kind.into() },
        };
        assert_eq!(full(std::io::ErrorKind::QuotaExceeded).want(), Want::Room);
        assert_eq!(full(std::io::ErrorKind::ReadOnlyFilesystem).want(), Want::Nothing);
    }
}
