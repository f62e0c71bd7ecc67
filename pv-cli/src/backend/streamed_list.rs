//! A list of jobs as one JSON document, written while it is read: the same bytes as that of a whole list.

use std::{cell::RefCell, io, ops::ControlFlow};

use pv_lib::{
    job::{JobFilter, Thresholds},
    store::{RunView, Store},
    time::Timestamp,
};
use serde::{
    Serialize, Serializer,
    ser::{Error, SerializeSeq},
};

use super::operations::Sink;
use crate::exit::Failure;

/// How much is passed on at once, in bytes.
const BLOCK_BYTES: usize = 64 << 10;

/// The jobs of a store that match, newest first.
pub(super) struct StreamedList<'a> {
    pub(super) store: &'a Store,
    pub(super) filter: &'a JobFilter,
    pub(super) now: Timestamp,
    pub(super) thresholds: Thresholds,
}

impl StreamedList<'_> {
    /// Passes the document on.
    ///
    /// # Errors
    /// Those of the runs folder, after which the document has no end, and those of `sink`.
    pub(super) fn write(&self, sink: Sink<'_>) -> Result<(), Failure> {
        let (failure, problem) = (RefCell::new(None), RefCell::new(None));
        let document = Document { jobs: Jobs { list: self, problem: &problem } };
        let mut out = io::BufWriter::with_capacity(BLOCK_BYTES, Blocks { sink, failure: &failure });
        let written = serde_json::to_writer_pretty(&mut out, &document).map_err(io::Error::from);
        let written = written.and_then(|()| io::Write::flush(&mut out));
        // What is left in the buffer of a document that failed is not written.
        drop(out.into_parts());
        if let Some(failure) = failure.into_inner() {
            return Err(failure);
        }
        if let Some(problem) = problem.into_inner() {
            return Err(Failure::from(problem));
        }
        Ok(written?)
    }
}

/// The document: `{"jobs": […]}`.
#[derive(Serialize)]
struct Document<'a> {
    jobs: Jobs<'a>,
}

struct Jobs<'a> {
    list: &'a StreamedList<'a>,
    /// Why the jobs could not be read to the end.
    problem: &'a RefCell<Option<pv_lib::Error>>,
}

impl Serialize for Jobs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let StreamedList { store, filter, now, thresholds } = *self.list;
        let mut jobs = serializer.serialize_seq(None)?;
        let mut written = Ok(());
        let each = |view: RunView| {
            written = jobs.serialize_element(&view.to_json());
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        if let Err(problem) = store.select_each(filter, now, thresholds, each) {
            *self.problem.borrow_mut() = Some(problem);
            return Err(S::Error::custom("the jobs cannot be read"));
        }
        written?;
        jobs.end()
    }
}

/// Passes blocks on, and keeps why that failed.
struct Blocks<'a> {
    sink: Sink<'a>,
    failure: &'a RefCell<Option<Failure>>,
}

impl io::Write for Blocks<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.sink)(bytes).map(|()| bytes.len()).map_err(|failure| {
            *self.failure.borrow_mut() = Some(failure);
            io::Error::other("cannot be passed on")
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pv_lib::{
        api::JobList,
        fs::OsFs,
        layout::{InboxMode, Layout},
        store::StoreLimits,
    };

    use super::*;
    use crate::exit::Exit;

    #[test]
    fn is_the_same_document_as_that_of_a_whole_list_and_ends_where_nobody_reads_on() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::under(dir.path().to_str().unwrap().into(), InboxMode::MultiOwner);
        let now = Timestamp::from_unix_seconds(1_790_000_000);
        let put = |number: usize| {
            let id = format!("{number:032x}").parse().unwrap();
            let record = format!(
                "{{\"job_id\":\"{id}\",\"state\":\"failed\",\"schema_version\":1,\"created_at\":\"2026-01-01T00:00:00Z\",\
                 \"later\":{{\"message\":\"{}\"}}}}",
                "why ".repeat(number % 60)
            );
            std::fs::create_dir_all(layout.run_path(&id)).unwrap();
            std::fs::write(layout.record_path(&id), record).unwrap();
        };
        (0..700).for_each(put);
        let store = Store::new(Arc::new(OsFs), layout.clone(), StoreLimits::default(), "host");
        for limit in [None, Some(3), Some(0)] {
            let filter = JobFilter { limit, ..JobFilter::default() };
            let thresholds = Thresholds::default();
            let list = StreamedList { store: &store, filter: &filter, now, thresholds };
            let whole = JobList::new(&store.select(&filter, now, thresholds).unwrap(), None);
            let mut streamed = Vec::new();
            list.write(&mut |bytes| {
                streamed.extend_from_slice(bytes);
                Ok(())
            })
            .unwrap();
            assert_eq!(String::from_utf8(streamed).unwrap(), serde_json::to_string_pretty(&whole).unwrap());
        }
        let (filter, mut blocks) = (JobFilter::default(), 0);
        let list = StreamedList { store: &store, filter: &filter, now, thresholds: Thresholds::default() };
        let ended = list.write(&mut |_| {
            blocks += 1;
            Err(Failure::new(Exit::Refused, "enough"))
        });
        assert_eq!((ended.unwrap_err().exit, blocks), (Exit::Refused, 1));
    }
}
