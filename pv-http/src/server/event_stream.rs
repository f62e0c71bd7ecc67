//! Streams of events, of which there may be thousands, each for hours: when the head of such a response is written, its
//! connection is taken from hyper, which has two buffers of 8 KiB for each, and what follows is written here. Such a
//! connection ends with its stream, as the head says.

use std::{
    io::{self, IoSlice},
    pin::pin,
};

use futures_util::{StreamExt, stream};
use hyper::body::Bytes;
use parking_lot::Mutex;
use poem::{
    Body, Response,
    http::{HeaderValue, Method, StatusCode, Version, header},
};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::shared_stream::Written;

/// The media type of a stream of events.
const EVENT_STREAM: &str = "text/event-stream";

/// The body of a response that is taken from hyper.
#[derive(Default)]
pub(super) struct TakenBody(Mutex<Option<Body>>);

impl TakenBody {
    /// Takes the body of a stream of events, and leaves one in its place of which nothing ever comes; `written` forgets what
    /// was written before. What hyper does not send in chunks is left to it.
    pub(super) fn take_from(&self, response: &mut Response, method: &Method, version: Version, written: &Written) {
        let is_stream = response.status() == StatusCode::OK
            && response.content_type().is_some_and(|kind| kind.starts_with(EVENT_STREAM))
            && !response.headers().contains_key(header::CONTENT_LENGTH);
        if is_stream && *method == Method::GET && version == Version::HTTP_11 {
            *self.0.lock() = Some(response.take_body());
            response.set_body(Body::from_bytes_stream(stream::pending::<io::Result<Bytes>>()));
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            written.forget();
        }
    }

    /// Returns the body, once its response's head is written.
    pub(super) fn once_head_is_written(&self, written: &Written) -> Option<Body> {
        self.0.lock().take_if(|_| written.ends_a_head())
    }
}

/// Writes what a body says, in chunks (<https://www.rfc-editor.org/rfc/rfc9112#section-7.1>), and ends the connection.
///
/// # Errors
/// Those of the connection and of the body, after which the client sees that it has not got all.
pub(super) async fn write_events(body: Body, out: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    let mut events = pin!(body.into_bytes_stream());
    while let Some(bytes) = events.next().await {
        let bytes = bytes?;
        // An empty chunk would be the last one.
        if !bytes.is_empty() {
            let size = format!("{:x}\r\n", bytes.len());
            write_all(out, &mut [IoSlice::new(size.as_bytes()), IoSlice::new(&bytes), IoSlice::new(b"\r\n")]).await?;
        }
    }
    out.write_all(b"0\r\n\r\n").await?;
    out.shutdown().await
}

async fn write_all(out: &mut (impl AsyncWrite + Unpin), mut bufs: &mut [IoSlice<'_>]) -> io::Result<()> {
    while !bufs.is_empty() {
        match out.write_vectored(bufs).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            len => IoSlice::advance_slices(&mut bufs, len),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    fn body(parts: &[&'static str]) -> Body {
        Body::from_bytes_stream(stream::iter(parts.iter().map(|part| Ok::<_, io::Error>(*part)).collect::<Vec<_>>()))
    }

    #[tokio::test]
    async fn events_are_written_as_chunks_however_much_the_system_takes_at_once() {
        for taken in [1, 3, 7, 1000] {
            let (mut ours, mut client) = tokio::io::duplex(taken);
            let mut read = String::new();
            let parts = body(&["data: a\n\n", "", "data: and a longer one\n\n"]);
            let (written, len) =
                tokio::join!(async { write_events(parts, &mut ours).await }, client.read_to_string(&mut read));
            written.unwrap();
            assert_eq!(len.unwrap(), read.len());
            assert_eq!(read, "9\r\ndata: a\n\n\r\n18\r\ndata: and a longer one\n\n\r\n0\r\n\r\n", "{taken}");
        }
    }

    #[tokio::test]
    async fn a_body_that_fails_has_no_end() {
        let (mut ours, mut client) = tokio::io::duplex(1000);
        let parts = stream::iter([Ok("one"), Err(io::Error::other("the disk is gone"))]);
        write_events(Body::from_bytes_stream(parts), &mut ours).await.unwrap_err();
        drop(ours);
        let mut read = String::new();
        client.read_to_string(&mut read).await.unwrap();
        assert_eq!(read, "3\r\none\r\n");
    }

    #[tokio::test]
    async fn only_streams_that_are_sent_in_chunks_are_taken() {
        let (get, v11) = (Method::GET, Version::HTTP_11);
        let response = |kind| Response::builder().content_type(kind);
        let stream = || response("text/event-stream; charset=utf-8");
        for (what, response, method, version, is_taken) in [
            ("a stream", stream(), &get, v11, true),
            ("a document", response("application/json"), &get, v11, false),
            ("a head", stream(), &Method::HEAD, v11, false),
            ("an old client", stream(), &get, Version::HTTP_10, false),
            ("no body", stream().status(StatusCode::NO_CONTENT), &get, v11, false),
            ("a length", stream().header("content-length", "1"), &get, v11, false),
        ] {
            let (taken, written) = (TakenBody::default(), Written::default());
            let mut response = response.body(body(&["x"]));
            taken.take_from(&mut response, method, version, &written);
            assert_eq!(taken.0.lock().is_some(), is_taken, "{what}");
            assert_eq!(response.headers().contains_key(header::CONNECTION), is_taken);
            assert!(taken.once_head_is_written(&written).is_none(), "nothing is written yet");
        }
    }
}
