//! The patches of jobs: what they changed.

use std::io;

use futures_util::{Stream, stream};
use poem::{Body, IntoResponse, Response};
use poem_openapi::{
    ApiResponse, OpenApi,
    param::Path,
    payload::Payload,
    registry::{MetaResponses, MetaSchemaRef, Registry},
    types::Type,
};
use pv_lib::job::JobId;

use crate::{
    context::Context,
    openapi::{OperationError, Tag, TextErrors, ok},
    query::parse_job_id,
};

/// How much of a patch is in memory for one client, in bytes.
const BLOCK_BYTES: usize = 64 << 10;

pub(super) struct Patches(pub(super) Context);

#[OpenApi]
impl Patches {
    /// Read what a job changed.
    ///
    /// A patch for `git apply`, byte for byte; it may hold files that are no text. It is there when the job is over, and
    /// if it changed anything.
    #[oai(path = "/jobs/:job_id/patch", method = "get", operation_id = "get_job_patch", tag = "Tag::Jobs")]
    async fn get(
        &self,
        /// The job's id.
        job_id: Path<String>,
    ) -> Result<Patch, OperationError<TextErrors>> {
        let id = parse_job_id(&job_id)?;
        let of = id.clone();
        let len = self.0.blocking(move |context| Ok(context.store().patch_len(&of)?)).await?;
        let stream = PatchStream { context: self.0.clone(), id, at: 0, len };
        Ok(Patch { body: Body::from_bytes_stream(stream.blocks()), len })
    }
}

/// A patch, as its bytes come from the disk.
struct Patch {
    body: Body,
    len: u64,
}

impl Payload for Patch {
    const CONTENT_TYPE: &'static str = "text/x-patch";

    fn schema_ref() -> MetaSchemaRef {
        String::schema_ref()
    }
}

impl IntoResponse for Patch {
    fn into_response(self) -> Response {
        Response::builder()
            .content_type(Self::CONTENT_TYPE)
            .header("content-length", self.len)
            // It holds what an agent wrote, which no browser may interpret as a page.
            .header("x-content-type-options", "nosniff")
            .body(self.body)
    }
}

impl ApiResponse for Patch {
    fn meta() -> MetaResponses {
        ok::<Self>("The patch")
    }

    fn register(_: &mut Registry) {}
}

/// The stream of one patch to one client.
struct PatchStream {
    context: Context,
    id: JobId,
    at: u64,
    len: u64,
}

impl PatchStream {
    /// Returns the patch block by block. Nothing is read ahead of the client; where the disk refuses, the response is
    /// cut off, which a client sees by its length.
    fn blocks(self) -> impl Stream<Item = io::Result<Vec<u8>>> {
        stream::try_unfold(self, |mut patch| async move {
            let (id, at, left) = (patch.id.clone(), patch.at, patch.len - patch.at);
            if left == 0 {
                return Ok(None);
            }
            let limit = usize::try_from(left).unwrap_or(usize::MAX).min(BLOCK_BYTES);
            let read = move |context: &Context| Ok(context.store().read_patch(&id, at, limit)?);
            let block = patch.context.blocking_stream(read).await.map_err(|_| io::Error::other("cannot read on"))?;
            if block.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            patch.at += block.len() as u64;
            Ok(Some((block, patch)))
        })
    }
}
