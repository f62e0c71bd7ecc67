//! Reading the bodies of requests: bounded in length, in time, and all together in memory.

use std::time::Duration;

use poem::{Body, Request, error::ReadBodyError, http::StatusCode};
use tokio::{io::AsyncReadExt, sync::Semaphore, time};

use crate::problem::Problem;

/// What surrounds a prompt in a body, in bytes: names, boundaries, other fields.
const FRAME_BYTES: u64 = 64 << 10;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// Bodies up to this many bytes are read at once; the connections bound how many there are.
const SMALL_BYTES: usize = 64 << 10;
/// How many larger bodies may be in memory at once; further ones wait.
const MAX_LARGE_BODIES: usize = 8;
/// How much more of a body that is too large is taken and thrown away, so that clients which send all before they
/// listen get the answer: so many bytes, for so long, and only while they keep coming.
const DRAIN_BYTES: usize = 64 << 20;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
const DRAIN_PAUSE: Duration = Duration::from_millis(250);

/// Reads bodies within limits.
#[derive(Debug)]
pub(crate) struct BodyReader {
    prompt_bytes: u64,
    large: Semaphore,
    timeout: Duration,
}

impl BodyReader {
    /// Makes one that takes prompts of up to `prompt_bytes`.
    pub(crate) fn new(prompt_bytes: u64) -> Self {
        Self { prompt_bytes, large: Semaphore::new(MAX_LARGE_BODIES), timeout: BODY_TIMEOUT }
    }

    /// Returns how long a body may be: a prompt of the largest size in JSON, where newlines and quotes take two bytes.
    fn limit(&self) -> u64 {
        self.prompt_bytes.saturating_mul(2).saturating_add(FRAME_BYTES)
    }

    /// Puts the whole body into memory.
    ///
    /// # Errors
    /// 413 when it is too long; 408 when it takes too long; 400 when it breaks off.
    pub(crate) async fn read(&self, request: &mut Request) -> Result<(), Problem> {
        let body = request.take_body();
        if body.is_empty() {
            return Ok(());
        }
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let declared = header("content-length").and_then(|len| len.parse::<u64>().ok());
        if declared.is_some_and(|len| len > self.limit()) {
            // Whoever waits to be told to go on has sent nothing yet.
            if header("expect").is_none() {
                drain(&mut body.into_async_read()).await;
            }
            return Err(self.too_large());
        }
        match time::timeout(self.timeout, self.read_all(body)).await {
            Ok(read) => request.set_body(read?),
            Err(_) => {
                let detail =
                    format!("the request's body took longer than {} s: send it faster", self.timeout.as_secs());
                return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail));
            }
        }
        Ok(())
    }

    async fn read_all(&self, body: Body) -> Result<Vec<u8>, Problem> {
        let limit = usize::try_from(self.limit()).unwrap_or(usize::MAX);
        let mut body = body.into_async_read();
        let (mut bytes, mut room) = (Vec::new(), None);
        loop {
            let mut part = (&mut body).take(SMALL_BYTES as u64);
            let len = part.read_to_end(&mut bytes).await.map_err(|error| broken(&error.into()))?;
            if bytes.len() > limit {
                drop(bytes);
                drain(&mut body).await;
                return Err(self.too_large());
            } else if len < SMALL_BYTES {
                return Ok(bytes);
            } else if room.is_none() {
                room = Some(self.large.acquire().await.map_err(|_| Problem::internal())?);
            }
        }
    }

    fn too_large(&self) -> Problem {
        let (limit, prompt_bytes) = (self.limit(), self.prompt_bytes);
        let detail = format!(
            "the request's body is larger than {limit} bytes, and prompts of {prompt_bytes} bytes are allowed \
             (limits.prompt_bytes): send less"
        );
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }
}

fn broken(error: &ReadBodyError) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, format!("the request's body broke off: {error}: send it again"))
}

async fn drain(body: &mut (impl tokio::io::AsyncRead + Unpin)) {
    let mut block = vec![0; SMALL_BYTES];
    let mut left = DRAIN_BYTES;
    let rest = async {
        while let Ok(Ok(len @ 1..)) = time::timeout(DRAIN_PAUSE, body.read(&mut block)).await
            && len <= left
        {
            left -= len;
        }
    };
    // Whatever is left then is cut off with the connection.
    let _ = time::timeout(DRAIN_TIMEOUT, rest).await;
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    fn reader(prompt_bytes: u64) -> BodyReader {
        BodyReader { timeout: Duration::from_millis(100), ..BodyReader::new(prompt_bytes) }
    }

    async fn read(reader: &BodyReader, body: Body) -> Result<Vec<u8>, u16> {
        let mut request = Request::builder().body(body);
        reader.read(&mut request).await.map_err(|problem| problem.status().as_u16())?;
        Ok(request.take_body().into_bytes().await.unwrap().to_vec())
    }

    #[tokio::test]
    async fn takes_what_fits_and_no_more() {
        let reader = reader(100_000);
        let limit = usize::try_from(reader.limit()).unwrap();
        for len in [0, 1, SMALL_BYTES, SMALL_BYTES + 1, limit] {
            assert_eq!(read(&reader, vec![7; len].into()).await, Ok(vec![7; len]));
        }
        for len in [limit + 1, 2 * limit] {
            assert_eq!(read(&reader, vec![7; len].into()).await, Err(413));
        }
        assert_eq!(reader.large.available_permits(), MAX_LARGE_BODIES, "and gives its room back");
    }

    #[tokio::test]
    async fn gives_up_on_a_body_that_does_not_come() {
        let never = Body::from_bytes_stream(stream::pending::<std::io::Result<Vec<u8>>>());
        assert_eq!(read(&reader(10), never).await, Err(408));
        let cut = stream::iter([Ok(b"ab".to_vec()), Err(std::io::Error::other("cut"))]);
        assert_eq!(read(&reader(10), Body::from_bytes_stream(cut)).await, Err(400));
    }
}
