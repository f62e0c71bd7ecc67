//! The logs of jobs: what their agents write.

use poem::Body;
use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Header, Path},
};
use pv_lib::job::JobId;
use serde_json::json;

use super::job_work::with_job;
use crate::{
    context::Context,
    openapi::{Compact, EventStream, LogErrors, LogStreamErrors, OperationError, Problem, RawText, Tag, Text, schema},
    query::{AtLeastOne, ByteRange, OptionalParam, parse_job_id},
    streams::{LogStream, OpenStreams},
};

/// How many lines are returned by default.
const DEFAULT_LINES: usize = 200;
/// How much of a log is returned at most, in bytes; the stream has no such limit.
const MAX_TAIL_BYTES: usize = 16 << 20;

pub(super) struct Logs {
    pub(super) context: Context,
    pub(super) streams: OpenStreams,
}

/// A log, or a part of it.
#[derive(ApiResponse)]
enum LogText {
    /// The last lines
    #[oai(status = 200)]
    Whole(
        Text,
        /// That ranges of bytes are answered.
        #[oai(header = "Accept-Ranges")]
        String,
    ),
    /// The bytes that were asked for
    #[oai(status = 206)]
    Part(
        RawText,
        /// Which bytes these are, of how many.
        #[oai(header = "Content-Range")]
        String,
    ),
    /// The log has none of these bytes
    #[oai(status = 416)]
    NoPart(
        Compact<schema::ErrorDetail>,
        /// How many bytes the log has.
        #[oai(header = "Content-Range")]
        String,
    ),
}

impl LogText {
    fn whole(text: Vec<u8>) -> Self {
        Self::Whole(Text(text), "bytes".into())
    }
}

/// Returns some bytes of a log, up to that limit.
fn part(context: &Context, id: &JobId, range: ByteRange) -> Result<LogText, Problem> {
    let len = context.store().log_len(id)?;
    let Some((start, end)) = range.within(len) else {
        let detail = format!("the log has {len} bytes, and none of these: ask for a range within them");
        return Ok(LogText::NoPart(Compact::new(&json!({ "detail": detail })), format!("bytes */{len}")));
    };
    let limit = usize::try_from(end - start).unwrap_or(usize::MAX).min(MAX_TAIL_BYTES);
    let bytes = context.store().read_log(id, start, limit)?;
    let last = (start + bytes.len() as u64).saturating_sub(1);
    Ok(LogText::Part(RawText(bytes), format!("bytes {start}-{last}/{len}")))
}

#[OpenApi(tag = "Tag::Logs")]
impl Logs {
    /// Read the last lines of a job's log.
    ///
    /// At most the last 16 MiB; what is no UTF-8 is replaced. With a `Range` of bytes, and no `lines`, those bytes of the
    /// log instead, just as they are, and at most 16 MiB of them.
    #[oai(path = "/jobs/:job_id/log", method = "get", operation_id = "get_job_log")]
    async fn tail(
        &self,
        /// The job's id.
        job_id: Path<String>,
        /// How many lines; 200 if not given.
        lines: OptionalParam<AtLeastOne>,
        /// A single range of bytes: `bytes=100-199`, `bytes=100-` or `bytes=-100`.
        #[oai(name = "Range")]
        range: Header<Option<String>>,
    ) -> Result<LogText, OperationError<LogErrors>> {
        let range = range.0.as_deref().and_then(ByteRange::parse).filter(|_| lines.0.is_none());
        let lines = lines.0.map_or(DEFAULT_LINES, |lines| lines.0);
        let read = move |context: &Context, id: &JobId| {
            context.store().read_run(id)?;
            match range {
                None => Ok(LogText::whole(context.store().log_tail(id, lines, MAX_TAIL_BYTES)?)),
                Some(range) => part(context, id, range),
            }
        };
        Ok(with_job(&self.context, &job_id, read).await?)
    }

    /// Follow a job's log.
    ///
    /// Server-sent events from the first byte on, or from where `Last-Event-ID` says: one event for each line, with the
    /// line as `data` and the byte offset of the next line as `id`. A live job without a log yet waits. The stream ends
    /// when the job is over, after the last byte. Comments keep it alive.
    #[oai(path = "/jobs/:job_id/log/stream", method = "get", operation_id = "stream_job_log")]
    async fn stream(
        &self,
        /// The job's id.
        job_id: Path<String>,
        /// Whether a last event named `end` is to say how the job ended.
        end: OptionalParam<bool>,
        /// The id of the last event received.
        #[oai(name = "Last-Event-ID")]
        last_event_id: Header<Option<String>>,
    ) -> Result<EventStream, OperationError<LogStreamErrors>> {
        let id = parse_job_id(&job_id)?;
        let seen = last_event_id.0.as_deref().and_then(pv_lib::store::parse_log_offset).unwrap_or(0);
        let log = LogStream::new(&self.context, &self.streams, id, seen, end.0.unwrap_or(false)).await?;
        Ok(EventStream(Body::from_bytes_stream(log.events())))
    }
}
