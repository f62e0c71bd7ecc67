//! The stream of changes of all jobs.

use poem::Body;
use poem_openapi::{OpenApi, param::Header};

use crate::{
    openapi::{EventErrors, EventStream, OperationError, Tag},
    streams::EventLog,
};

pub(super) struct Events(pub(super) EventLog);

#[OpenApi(tag = "Tag::Jobs")]
impl Events {
    /// Follow the jobs as they change.
    ///
    /// Server-sent events, numbered by their `id`: `job` with a job as `/jobs` lists it, whenever one is new or has
    /// changed; `gone` with the `job_id` of one that is not there any more. A new client first gets `ready`: a list
    /// that is read after that misses nothing. `Last-Event-ID` resumes; where that is too long ago, `reset` says that
    /// the list must be read again. A heartbeat alone is sent every 5 s at most. Comments keep the stream alive.
    #[oai(path = "/events", method = "get", operation_id = "stream_events")]
    async fn events(
        &self,
        /// The id of the last event received.
        #[oai(name = "Last-Event-ID")]
        last_event_id: Header<Option<String>>,
    ) -> Result<EventStream, OperationError<EventErrors>> {
        let seen = last_event_id.0.filter(|id| !id.is_empty());
        // An id that is none of ours counts as that of an event which was evicted.
        let seen = seen.map(|id| pv_lib::store::parse_log_offset(&id).unwrap_or(0));
        let subscriber = self.0.subscribe(seen).await?;
        Ok(EventStream(Body::from_bytes_stream(subscriber.events())))
    }
}
