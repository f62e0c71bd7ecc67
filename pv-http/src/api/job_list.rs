//! The list of jobs as a response: read from the disk as fast as the client takes it, in bounded memory.

use std::{io, sync::Arc};

use futures_util::{Stream, StreamExt, stream};
use poem::{Body, IntoResponse, Response};
use poem_openapi::{
    ApiResponse,
    payload::Payload,
    registry::{MetaResponses, MetaSchemaRef, Registry},
    types::Type,
};
use pv_lib::job::JobFilter;

use crate::{
    context::Context,
    openapi::{Problem, ok, schema},
    query::{Cursor, JobIndex, Listing},
};

/// How many bytes of rows are sent at once, if there are so many.
const BLOCK_BYTES: usize = 64 << 10;

/// A list of jobs: `{"jobs":[…],"next_cursor":"…"}`.
pub(super) struct JobListBody(Body);

impl JobListBody {
    /// Reads the beginning of the list, and returns the response that reads the rest.
    ///
    /// # Errors
    /// Whatever the disk says of the runs folder.
    pub(super) async fn read(
        context: &Context,
        index: &Arc<JobIndex>,
        filter: JobFilter,
        after: Option<Cursor>,
    ) -> Result<Self, Problem> {
        let of = index.clone();
        let begin = move |context: &Context| {
            let time = context.request_time();
            let listing = of.listing(context.store(), filter, after.map(|after| after.0), time)?;
            Ok(block(context, &of, listing, br#"{"jobs":["#.to_vec())?)
        };
        let (first, rest) = context.blocking(begin).await?;
        let Some(rest) = rest else { return Ok(Self(first.into())) };
        let stream = blocks(context.clone(), index.clone(), rest);
        Ok(Self(Body::from_bytes_stream(stream::once(async { Ok(first) }).chain(stream))))
    }
}

/// Returns the rest of a list block by block. Nothing is read ahead of the client; where the disk refuses, the response is
/// cut off, which a client sees by its end.
fn blocks(context: Context, index: Arc<JobIndex>, rest: Listing) -> impl Stream<Item = io::Result<Vec<u8>>> {
    stream::try_unfold(Some(rest), move |rest| {
        let (context, index) = (context.clone(), index.clone());
        async move {
            let Some(rest) = rest else { return Ok(None) };
            let read = move |context: &Context| Ok(block(context, &index, rest, Vec::new())?);
            let block = context.blocking(read).await.map_err(|_| io::Error::other("cannot read on"))?;
            Ok(Some(block))
        }
    })
}

/// Appends rows to `out` until there are enough, or all; after the last one the end of the list. Returns what is left.
fn block(
    context: &Context,
    index: &JobIndex,
    mut listing: Listing,
    mut out: Vec<u8>,
) -> pv_lib::Result<(Vec<u8>, Option<Listing>)> {
    let time = context.request_time();
    while index.next_rows(context.store(), &mut listing, time, &mut out)? {
        if out.len() >= BLOCK_BYTES {
            return Ok((out, Some(listing)));
        }
    }
    out.push(b']');
    if let Some(next) = index.next_page(listing, time) {
        // A cursor has no character that JSON escapes.
        out.extend_from_slice(format!(r#","next_cursor":"{}""#, Cursor(next).to_text()).as_bytes());
    }
    out.push(b'}');
    Ok((out, None))
}

impl Payload for JobListBody {
    const CONTENT_TYPE: &'static str = "application/json";

    fn schema_ref() -> MetaSchemaRef {
        schema::JobList::schema_ref()
    }

    fn register(registry: &mut Registry) {
        schema::JobList::register(registry);
    }
}

impl IntoResponse for JobListBody {
    fn into_response(self) -> Response {
        Response::builder().content_type(Self::CONTENT_TYPE).body(self.0)
    }
}

impl ApiResponse for JobListBody {
    fn meta() -> MetaResponses {
        ok::<Self>("Done")
    }

    fn register(registry: &mut Registry) {
        <Self as Payload>::register(registry);
    }
}
