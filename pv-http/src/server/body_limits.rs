//! The limits of request bodies: their length, their time, and the memory of all of them together.
//!
//! Memory is counted by the bytes that have arrived, so that a body which is announced and never sent takes none, and
//! until the request is answered.

use std::{sync::Arc, time::Duration};

use poem::{
    Body, Request,
    error::ReadBodyError,
    http::{Method, StatusCode},
};
use tokio::{
    io::AsyncReadExt,
    sync::{OwnedSemaphorePermit, Semaphore},
    time,
};

use crate::openapi::Problem;

/// How much a body may hold around a prompt, in bytes: names, boundaries, other fields.
const OVERHEAD_BYTES: u64 = 64 << 10;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long nothing of a body may arrive.
const STALL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a body may wait for memory: those that wait keep what they have, and must not wait for each other for ever.
const RESERVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Bodies of fewer bytes are not counted; the number of connections limits them. Larger ones reserve memory in blocks
/// of this size, each time as many as they have already.
const BLOCK_BYTES: usize = 64 << 10;
/// How much memory all counted bodies may take together, in bodies of the largest size.
const MAX_LARGE_BODIES: usize = 8;
/// How much more of a body that is too large is read and dropped, so that clients which send all of it before they read
/// get the response: in bytes, in time, and in the time between two parts.
const DRAIN_BYTES: usize = 64 << 20;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
const DRAIN_PAUSE: Duration = Duration::from_millis(250);

/// Reads bodies within limits.
#[derive(Debug)]
pub(crate) struct BodyReader {
    prompt_bytes: u64,
    /// The blocks that all counted bodies may take.
    blocks: Arc<Semaphore>,
}

/// Counts the memory of a body until it is dropped.
#[derive(Debug)]
#[must_use = "the memory counts as free as soon as this is dropped"]
pub(crate) struct BodyPermit(#[expect(dead_code, reason = "held to be dropped")] Option<OwnedSemaphorePermit>);

impl BodyReader {
    /// Makes one for prompts of up to `prompt_bytes`.
    pub(crate) fn new(prompt_bytes: u64) -> Self {
        let blocks = usize::try_from(limit(prompt_bytes)).unwrap_or(usize::MAX).div_ceil(BLOCK_BYTES);
        let blocks = blocks.saturating_mul(MAX_LARGE_BODIES).min(Semaphore::MAX_PERMITS);
        Self { prompt_bytes, blocks: Arc::new(Semaphore::new(blocks)) }
    }

    /// Reads the whole body into memory, if this is a POST: no operation reads the body of another method. The permit
    /// is to be held until the request is answered.
    ///
    /// # Errors
    /// 413 when it is too long; 408 when it takes too long, or stops arriving; 400 when it breaks off; 503 when other
    /// bodies take all the memory.
    pub(crate) async fn read(&self, request: &mut Request) -> Result<BodyPermit, Problem> {
        let body = request.take_body();
        if body.is_empty() || *request.method() != Method::POST {
            return Ok(BodyPermit(None));
        }
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let declared = header("content-length").and_then(|len| len.parse::<u64>().ok());
        if declared.is_some_and(|len| len > limit(self.prompt_bytes)) {
            // A client that waits for `100 Continue` has sent nothing yet.
            if header("expect").is_none() {
                drain(&mut body.into_async_read()).await;
            }
            return Err(self.too_large());
        }
        let read = time::timeout(BODY_TIMEOUT, self.read_all(body)).await;
        let (bytes, permit) = read.map_err(|_| {
            let seconds = BODY_TIMEOUT.as_secs();
            timed_out(format!("the request's body took longer than {seconds} s: send it faster"))
        })??;
        request.set_body(bytes);
        Ok(permit)
    }

    async fn read_all(&self, body: Body) -> Result<(Vec<u8>, BodyPermit), Problem> {
        let limit = usize::try_from(limit(self.prompt_bytes)).unwrap_or(usize::MAX);
        let mut body = body.into_async_read();
        let (mut bytes, mut reserved) = (Vec::with_capacity(BLOCK_BYTES), None);
        loop {
            if bytes.len() == bytes.capacity() {
                // Doubled each time, so that few bytes are copied; one byte beyond the limit shows that it is too
                // large.
                let most = limit.saturating_add(1).saturating_sub(bytes.len()).max(1);
                self.reserve(&mut reserved, bytes.len().min(most)).await?;
                bytes.reserve_exact(bytes.len().min(most));
            }
            let read = time::timeout(STALL_TIMEOUT, body.read_buf(&mut bytes)).await.map_err(|_| {
                let seconds = STALL_TIMEOUT.as_secs();
                timed_out(format!("nothing came of the request's body for {seconds} s: send it again"))
            })?;
            let len = read.map_err(|error| broken(&error.into()))?;
            if bytes.len() > limit {
                drop((bytes, reserved));
                drain(&mut body).await;
                return Err(self.too_large());
            } else if len == 0 {
                return Ok((bytes, BodyPermit(reserved)));
            }
        }
    }

    /// Reserves memory for so many more bytes.
    async fn reserve(&self, reserved: &mut Option<OwnedSemaphorePermit>, bytes: usize) -> Result<(), Problem> {
        let blocks = u32::try_from(bytes.div_ceil(BLOCK_BYTES)).map_err(|_| self.too_large())?;
        let more = time::timeout(RESERVE_TIMEOUT, self.blocks.clone().acquire_many_owned(blocks)).await;
        let more = more.map_err(|_| {
            let detail = "too many large requests are in work: try again later";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        })?;
        let more = more.map_err(|_| Problem::internal())?;
        match reserved {
            Some(reserved) => reserved.merge(more),
            None => *reserved = Some(more),
        }
        Ok(())
    }

    fn too_large(&self) -> Problem {
        let (limit, prompt_bytes) = (limit(self.prompt_bytes), self.prompt_bytes);
        let detail = format!(
            "the request's body is larger than {limit} bytes, and prompts of {prompt_bytes} bytes are allowed \
             (limits.prompt_bytes): send less"
        );
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }
}

/// Returns how long a body may be: a prompt of the largest size in JSON, where newlines and quotes take two bytes.
fn limit(prompt_bytes: u64) -> u64 {
    prompt_bytes.saturating_mul(2).saturating_add(OVERHEAD_BYTES)
}

fn timed_out(detail: String) -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, detail)
}

fn broken(error: &ReadBodyError) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, format!("the request's body broke off: {error}: send it again"))
}

async fn drain(body: &mut (impl tokio::io::AsyncRead + Unpin)) {
    let mut block = vec![0; BLOCK_BYTES];
    let mut left = DRAIN_BYTES;
    let rest = async {
        while let Ok(Ok(len @ 1..)) = time::timeout(DRAIN_PAUSE, body.read(&mut block)).await
            && len <= left
        {
            left -= len;
        }
    };
    // What has not arrived by then is cut off with the connection.
    let _ = time::timeout(DRAIN_TIMEOUT, rest).await;
}

#[cfg(test)]
mod tests {
    use std::io;

    use futures_util::{StreamExt, future::join_all, stream};

    use super::*;

    fn post(body: Body) -> Request {
        Request::builder().method(Method::POST).body(body)
    }

    async fn read(reader: &BodyReader, body: Body) -> Result<Vec<u8>, u16> {
        let mut request = post(body);
        let _permit = reader.read(&mut request).await.map_err(|problem| problem.status().as_u16())?;
        Ok(request.take_body().into_bytes().await.unwrap().to_vec())
    }

    /// A body of which so many bytes arrive, and then nothing.
    fn stalled(len: usize) -> Body {
        Body::from_bytes_stream(stream::iter([Ok::<_, io::Error>(vec![7; len])]).chain(stream::pending()))
    }

    #[tokio::test]
    async fn reads_bodies_up_to_the_limit() {
        let reader = BodyReader::new(100_000);
        let all = reader.blocks.available_permits();
        let limit = usize::try_from(limit(100_000)).unwrap();
        for len in [0, 1, BLOCK_BYTES, BLOCK_BYTES + 1, limit] {
            assert_eq!(read(&reader, vec![7; len].into()).await, Ok(vec![7; len]));
        }
        for len in [limit + 1, 2 * limit] {
            assert_eq!(read(&reader, vec![7; len].into()).await, Err(413));
        }
        assert_eq!(reader.blocks.available_permits(), all, "and gives the memory back");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_arrive_times_out() {
        let reader = BodyReader::new(10);
        let begun = time::Instant::now();
        assert_eq!(read(&reader, stalled(3)).await, Err(408));
        assert_eq!(begun.elapsed().as_secs(), STALL_TIMEOUT.as_secs());
        let trickle = stream::unfold((), |()| async {
            time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, io::Error>(vec![7]), ()))
        });
        let begun = time::Instant::now();
        assert_eq!(read(&reader, Body::from_bytes_stream(trickle)).await, Err(408));
        assert_eq!(begun.elapsed().as_secs(), BODY_TIMEOUT.as_secs());
        let cut = stream::iter([Ok(b"ab".to_vec()), Err(io::Error::other("cut"))]);
        assert_eq!(read(&reader, Body::from_bytes_stream(cut)).await, Err(400));
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_that_do_not_arrive_delay_no_others() {
        let reader = BodyReader::new(1 << 20);
        let begun = time::Instant::now();
        let stalled = join_all((0..3 * MAX_LARGE_BODIES).map(|_| read(&reader, stalled(70_000))));
        let good = async {
            time::sleep(Duration::from_millis(1)).await;
            let answer = read(&reader, vec![7; 100_000].into()).await;
            (answer, begun.elapsed())
        };
        let (stalled, (answer, after)) = tokio::join!(stalled, good);
        assert!(stalled.iter().all(|answer| *answer == Err(408)));
        assert_eq!((answer, after.as_millis()), (Ok(vec![7; 100_000]), 1), "at once");
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_reserved_until_the_request_is_answered() {
        let reader = BodyReader::new(100_000);
        let all = reader.blocks.available_permits();
        let mut request = post(vec![7; 3 * BLOCK_BYTES].into());
        let permit = reader.read(&mut request).await.unwrap();
        assert!(reader.blocks.available_permits() < all);
        drop(permit);
        assert_eq!(reader.blocks.available_permits(), all);
        let _others = reader.blocks.clone().acquire_many_owned(u32::try_from(all).unwrap()).await.unwrap();
        assert_eq!(read(&reader, vec![7; 2 * BLOCK_BYTES].into()).await, Err(503), "others take all of it");
        assert_eq!(read(&reader, vec![7; 100].into()).await, Ok(vec![7; 100]), "a small one needs none");
    }

    #[tokio::test]
    async fn only_the_body_of_a_post_is_read() {
        let mut request = Request::builder().method(Method::GET).body(stalled(70_000));
        let _permit = BodyReader::new(100_000).read(&mut request).await.unwrap();
        assert!(request.take_body().is_empty());
    }
}
