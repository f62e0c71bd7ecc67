//! A connection that is lent to whoever reads and writes it, with what is seen of it meanwhile.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::Pin,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// A connection of somebody else. It is used by one task only, which is the one that is woken.
#[derive(Debug, Clone, Copy)]
pub(super) struct SharedStream<'a> {
    stream: &'a TcpStream,
    written: &'a Written,
}

/// What the system took of what was to be written.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// The last four bytes.
    last: AtomicU32,
    /// Whether it took no more, so that something waits.
    is_blocked: AtomicBool,
}

impl Written {
    /// Tells whether what was written since [`Written::forget`] ends with an empty line, and nothing waits.
    pub(super) fn ends_a_head(&self) -> bool {
        let is_end = self.last.load(Ordering::Relaxed) == u32::from_be_bytes(*b"\r\n\r\n");
        is_end && !self.is_blocked.load(Ordering::Relaxed)
    }

    /// Forgets what was written.
    pub(super) fn forget(&self) {
        self.last.store(0, Ordering::Relaxed);
    }

    /// Notes that the first `len` bytes of all these were written.
    fn note(&self, bufs: &[IoSlice<'_>], mut len: usize) {
        let mut last = self.last.load(Ordering::Relaxed);
        for buf in bufs {
            let written = &buf[..len.min(buf.len())];
            len -= written.len();
            for byte in &written[written.len().saturating_sub(4)..] {
                last = last << 8 | u32::from(*byte);
            }
        }
        self.last.store(last, Ordering::Relaxed);
    }
}

impl<'a> SharedStream<'a> {
    /// Lends a stream.
    pub(super) fn new(stream: &'a TcpStream, written: &'a Written) -> Self {
        Self { stream, written }
    }

    /// Resolves when the client has closed its side, and all that it sent before has been read. Takes nothing of what it sends.
    pub(super) async fn closed_by_client(self) {
        std::future::poll_fn(|cx| {
            let mut byte = [MaybeUninit::uninit()];
            match ready!(self.stream.poll_peek(cx, &mut ReadBuf::uninit(&mut byte))) {
                Ok(0) | Err(_) => Poll::Ready(()),
                Ok(_) => Poll::Pending,
            }
        })
        .await;
    }
}

impl AsyncRead for SharedStream<'_> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            match self.stream.try_read_buf(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }
}

impl AsyncWrite for SharedStream<'_> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(rustix::net::shutdown(self.stream, rustix::net::Shutdown::Write)?))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            let is_ready = self.stream.poll_write_ready(cx);
            self.written.is_blocked.store(is_ready.is_pending(), Ordering::Relaxed);
            ready!(is_ready)?;
            match self.stream.try_write_vectored(bufs) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(len) => {
                    self.written.note(bufs, len);
                    return Poll::Ready(Ok(len));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        time::timeout,
    };

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (listener.accept().await.unwrap().0, client)
    }

    #[tokio::test]
    async fn a_shared_stream_is_read_and_written_like_its_own() {
        let ((ours, mut client), written) = (pair().await, Written::default());
        let mut shared = SharedStream::new(&ours, &written);
        client.write_all(b"request").await.unwrap();
        let mut got = [0; 7];
        shared.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"request");
        // More than the system takes at once.
        let long = vec![b'x'; 8 << 20];
        let write = async {
            shared.write_all(&long).await.unwrap();
            assert!(!written.ends_a_head());
            shared.write_all(b"end\r\n\r\n").await.unwrap();
            shared.shutdown().await.unwrap();
        };
        let mut read = Vec::new();
        let ((), len) = tokio::join!(write, async { client.read_to_end(&mut read).await.unwrap() });
        assert_eq!(len, long.len() + 7);
        assert!(read.ends_with(b"xend\r\n\r\n") && written.ends_a_head());
    }

    #[tokio::test]
    async fn that_a_client_closed_is_seen_once_all_is_read() {
        let ((ours, mut client), written) = (pair().await, Written::default());
        let mut shared = SharedStream::new(&ours, &written);
        let is_closed = async || timeout(Duration::from_millis(20), shared.closed_by_client()).await.is_ok();
        assert!(!is_closed().await, "it is open");
        client.write_all(b"x").await.unwrap();
        ours.readable().await.unwrap();
        assert!(!is_closed().await, "there is something to read");
        client.shutdown().await.unwrap();
        let mut byte = [0];
        shared.read_exact(&mut byte).await.unwrap();
        timeout(Duration::from_secs(10), shared.closed_by_client()).await.expect("it is closed");
        assert_eq!(&byte, b"x");
    }

    #[test]
    fn the_end_of_a_head_is_known_however_it_is_cut() {
        const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\na: b\r\n\r\n";
        for first in 0..HEAD.len() {
            for cut in 0..=first {
                let written = Written::default();
                written.note(&[IoSlice::new(&HEAD[..cut]), IoSlice::new(&HEAD[cut..])], first);
                assert!(!written.ends_a_head(), "{first}");
                written.note(&[IoSlice::new(&HEAD[first..])], HEAD.len() - first);
                assert!(written.ends_a_head(), "{cut} {first}");
                written.is_blocked.store(true, Ordering::Relaxed);
                assert!(!written.ends_a_head(), "something waits");
                written.is_blocked.store(false, Ordering::Relaxed);
                written.forget();
                assert!(!written.ends_a_head());
            }
        }
    }
}
