//! Heartbeats that do not reach the record: said once when that begins, and once when it is over.

use pv_lib::{Error, job::JobId, time::Timestamp};
use tracing::{info, warn};

/// Which heartbeats could not be written.
#[derive(Debug, Default)]
pub(super) struct Heartbeats {
    missed: u64,
    first: Option<Timestamp>,
    last: Option<(Timestamp, String)>,
    /// Whether the last one could not.
    is_failing: bool,
}

impl Heartbeats {
    /// Notes whether one was written.
    pub(super) fn note(&mut self, id: &JobId, written: Result<(), Error>, now: Timestamp) {
        match written {
            Ok(()) if self.is_failing => {
                info!(job = %id, "heartbeats are written again");
                self.is_failing = false;
            }
            Ok(()) => {}
            Err(error) => {
                if !self.is_failing {
                    warn!(job = %id, "cannot write heartbeats: {error}");
                }
                self.missed += 1;
                self.first = self.first.or(Some(now));
                self.last = Some((now, error.to_string()));
                self.is_failing = true;
            }
        }
    }

    /// Returns what a record is to say of those that could not be written.
    pub(super) fn missed(&self) -> Option<String> {
        let (first, (last, error)) = (self.first?, self.last.as_ref()?);
        Some(format!("{} heartbeats from {first} to {last} could not be written: {error}", self.missed))
    }
}

#[cfg(test)]
mod tests {
    use pv_lib::fs::FsError;

    use super::*;

    #[test]
    fn full_disk_the_record_says_which_heartbeats_are_missing() {
        let id = "a".parse().unwrap();
        let at = Timestamp::from_unix_seconds;
        let refused = || -> Result<(), Error> {
            let source = std::io::ErrorKind::StorageFull.into();
            Err(FsError { verb: "create", path: "/runs/a/.job.json.tmp".into(), source }.into())
        };
        let mut heartbeats = Heartbeats::default();
        heartbeats.note(&id, Ok(()), at(0));
        assert_eq!(heartbeats.missed(), None);
        for (second, written) in [(10, refused()), (20, refused()), (30, Ok(())), (40, refused())] {
            heartbeats.note(&id, written, at(second));
        }
        let said = heartbeats.missed().unwrap();
        assert!(said.starts_with("3 heartbeats from 1970-01-01T00:00:10Z to 1970-01-01T00:00:40Z"), "{said}");
        assert!(said.contains("job.json") && said.contains("storage"), "{said}");
    }
}
