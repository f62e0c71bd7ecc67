//! The list of jobs as a response: read from the disk as fast as the client takes it, in bounded memory.

use std::{io, sync::Arc};

use futures_util::{Stream, StreamExt, stream};
use poem::{Body, IntoResponse, Response, http::header};
use poem_openapi::{
    ApiResponse,
    payload::Payload,
    registry::{MetaResponses, MetaSchemaRef, Registry},
    types::Type,
};
use pv_lib::job::JobFilter;

use super::compressor::Compressor;
use crate::{
    context::Context,
    openapi::{Problem, ok, schema},
    query::{ContentCoding, Cursor, JobIndex, Listing},
};

/// How many bytes of rows are sent at once, if there are so many.
const BLOCK_BYTES: usize = 64 << 10;

/// A list of jobs: `{"jobs":[…],"next_cursor":"…"}`.
pub(super) struct JobListBody {
    body: Body,
    /// How it is compressed; `None` for plain JSON.
    coding: Option<ContentCoding>,
}

/// What is left of a list to send.
struct Rest {
    listing: Listing,
    compressor: Option<Compressor>,
}

impl JobListBody {
    /// Reads the beginning of the list, and returns the response that reads the rest: compressed
    /// where it is a long one and `compressor` returns one.
    ///
    /// # Errors
    /// Whatever the disk says of the runs folder.
    pub(super) async fn read(
        context: &Context,
        index: &Arc<JobIndex>,
        filter: JobFilter,
        after: Option<Cursor>,
        compressor: impl FnOnce() -> Option<Compressor>,
    ) -> Result<Self, Problem> {
        let of = index.clone();
        let begin = move |context: &Context| {
            let time = context.request_time();
            let listing = of.listing(context.store(), filter, after.map(|after| after.0), time)?;
            Ok(block(context, &of, listing, br#"{"jobs":["#.to_vec())?)
        };
        let (mut first, listing) = context.blocking(begin).await?;
        let Some(listing) = listing else { return Ok(Self { body: first.into(), coding: None }) };
        let mut compressor = compressor();
        if let Some(compressor) = &mut compressor {
            first = compressor.block(&first).map_err(|_| Problem::internal())?;
        }
        let coding = compressor.as_ref().map(Compressor::coding);
        let stream = blocks(context.clone(), index.clone(), Rest { listing, compressor });
        Ok(Self { body: Body::from_bytes_stream(stream::once(async { Ok(first) }).chain(stream)), coding })
    }
}

/// Returns the rest of a list block by block. Nothing is read ahead of the client; where the disk refuses, the response is
/// cut off, which a client sees by its end.
fn blocks(context: Context, index: Arc<JobIndex>, rest: Rest) -> impl Stream<Item = io::Result<Vec<u8>>> {
    stream::try_unfold(Some(rest), move |rest| {
        let (context, index) = (context.clone(), index.clone());
        async move {
            let Some(Rest { listing, mut compressor }) = rest else { return Ok(None) };
            let read = move |context: &Context| {
                let (mut bytes, listing) = block(context, &index, listing, Vec::new())?;
                let Some(listing) = listing else {
                    let last = match compressor {
                        Some(compressor) => compressor.last(&bytes).map_err(|_| Problem::internal())?,
                        None => bytes,
                    };
                    return Ok((last, None));
                };
                if let Some(compressor) = &mut compressor {
                    bytes = compressor.block(&bytes).map_err(|_| Problem::internal())?;
                }
                Ok((bytes, Some(Rest { listing, compressor })))
            };
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
        let response = Response::builder().content_type(Self::CONTENT_TYPE).header(header::VARY, "Accept-Encoding");
        match self.coding {
            Some(coding) => response.header(header::CONTENT_ENCODING, coding.name()).body(self.body),
            None => response.body(self.body),
        }
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
