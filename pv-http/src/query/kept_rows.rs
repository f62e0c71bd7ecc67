//! Which rows are kept in memory: a bounded number of bytes of them, of the newest jobs.

use std::sync::Arc;

use pv_lib::{api::JobRow, job::JobId};

use super::{cursor::SortKey, entries::Entries};

/// How many bytes of rows are kept.
const KEPT_BYTES_MAX: usize = 32 << 20;

/// How much the rows that are kept of jobs take.
#[derive(Debug)]
pub(super) struct KeptRows {
    bytes: usize,
    bytes_max: usize,
}

impl Default for KeptRows {
    fn default() -> Self {
        Self { bytes: 0, bytes_max: KEPT_BYTES_MAX }
    }
}

impl KeptRows {
    /// Keeps the row of a job that is known, in the place of those of older jobs; not where there are only newer ones.
    pub(super) fn keep(&mut self, entries: &mut Entries, key: &SortKey, row: Arc<JobRow>) {
        self.forget(entries, &key.1);
        let bytes = row.len_bytes();
        while self.bytes + bytes > self.bytes_max {
            let oldest = entries.oldest_with_row().filter(|oldest| oldest.key() < *key).map(|oldest| oldest.id.clone());
            let Some(oldest) = oldest else { return };
            self.forget(entries, &oldest);
        }
        if entries.put_row(&key.1, row) {
            self.bytes += bytes;
        }
    }

    /// Forgets the row of a job.
    pub(super) fn forget(&mut self, entries: &mut Entries, id: &JobId) {
        self.bytes -= entries.take_row(id).map_or(0, |row| row.len_bytes());
    }
}

#[cfg(test)]
mod tests {
    use pv_lib::{
        job::DamagedRecord,
        store::{Run, RunView},
    };

    use super::*;
    use crate::query::read_job::ReadJob;

    #[test]
    fn g31_the_rows_of_the_newest_jobs_are_kept_within_the_limit() {
        let mut entries = Entries::default();
        let keys: Vec<SortKey> = (0..6)
            .map(|second| {
                let id = format!("job{second}").parse().unwrap();
                let record = format!(
                    "{{\"job_id\":\"{id}\",\"state\":\"failed\",\"created_at\":\"2026-01-01T00:00:0{second}Z\"}}"
                );
                let job = ReadJob::of_run(&Run::from_bytes(&id, record.as_bytes()), None);
                let key = job.key();
                entries.insert(job);
                key
            })
            .collect();
        let row = Arc::new(JobRow::of_view(&RunView::Damaged {
            id: "x".parse().unwrap(),
            damage: DamagedRecord::NotAnObject,
        }));
        let mut kept = KeptRows { bytes_max: 3 * row.len_bytes(), ..KeptRows::default() };
        let holds = |entries: &Entries| -> Vec<usize> {
            (0..6).filter(|number| entries.get(&keys[*number].1).unwrap().row().is_some()).collect()
        };
        for number in [2, 3, 4] {
            kept.keep(&mut entries, &keys[number], row.clone());
        }
        kept.keep(&mut entries, &keys[1], row.clone());
        assert_eq!(holds(&entries), [2, 3, 4], "an older one takes no place of a newer");
        kept.keep(&mut entries, &keys[5], row.clone());
        kept.keep(&mut entries, &keys[4], row.clone());
        assert_eq!(holds(&entries), [3, 4, 5]);
        kept.forget(&mut entries, &keys[4].1);
        kept.keep(&mut entries, &keys[0], row.clone());
        assert_eq!((holds(&entries), kept.bytes), (vec![0, 3, 5], 3 * row.len_bytes()));
    }
}
