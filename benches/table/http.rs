//! A client that measures: one connection, one request at a time, nothing kept of long bodies.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

/// How long anything may take.
const TIMEOUT: Duration = Duration::from_secs(120);
/// How much of a body is kept.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// A connection to a service on this host.
pub(crate) struct Client {
    port: u16,
    stream: BufReader<TcpStream>,
}

/// What came of a request.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// From the request until the first byte of the body.
    pub(crate) first: Duration,
    /// From the request until the last byte.
    pub(crate) total: Duration,
    /// How long the body is, as it was sent.
    pub(crate) len: usize,
    /// Its beginning.
    pub(crate) body: Vec<u8>,
}

/// The head of a response.
pub(crate) struct Head {
    pub(crate) status: u16,
    length: Option<usize>,
}

impl Client {
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self { port, stream: BufReader::with_capacity(64 << 10, stream) })
    }

    /// Sends a request, with further header lines that end in CRLF.
    pub(crate) fn send(&mut self, method: &str, path: &str, headers: &str, body: &str) -> io::Result<()> {
        let request = format!(
            "{method} /api/v1{path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes())
    }

    pub(crate) fn read_head(&mut self) -> io::Result<Head> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no response but {line:?}")))?;
        let mut length = None;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let header = line.trim_ascii_end().to_ascii_lowercase();
            if header.is_empty() {
                return Ok(Head { status, length });
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().ok();
            }
        }
    }

    /// Asks, and reads the whole answer.
    pub(crate) fn ask(&mut self, method: &str, path: &str, headers: &str, body: &str) -> io::Result<Answer> {
        let begun = Instant::now();
        self.send(method, path, headers, body)?;
        let head = self.read_head()?;
        let (mut first, mut len, mut kept) = (None, 0, Vec::new());
        self.read_body(&head, |part| {
            first.get_or_insert_with(|| begun.elapsed());
            len += part.len();
            kept.extend_from_slice(&part[..part.len().min(KEPT_BYTES_MAX - kept.len())]);
        })?;
        let total = begun.elapsed();
        Ok(Answer { status: head.status, first: first.unwrap_or(total), total, len, body: kept })
    }

    /// Asks for something that must be there.
    pub(crate) fn get(&mut self, path: &str) -> io::Result<Answer> {
        let answer = self.ask("GET", path, "", "")?;
        if answer.status != 200 {
            return Err(io::Error::other(format!("GET {path}: {}", answer.status)));
        }
        Ok(answer)
    }

    /// Passes a body on as it arrives, to its end.
    pub(crate) fn read_body(&mut self, head: &Head, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        if let Some(length) = head.length {
            return self.read_part(length, &mut each);
        }
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            let size = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
            self.read_part(size, &mut each)?;
            self.stream.read_exact(&mut [0; 2])?;
            if size == 0 {
                return Ok(());
            }
        }
    }

    /// Reads the next chunk of a body that is sent in chunks.
    pub(crate) fn read_chunk(&mut self) -> io::Result<Vec<u8>> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let size = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
        let mut chunk = vec![0; size + 2];
        self.stream.read_exact(&mut chunk)?;
        chunk.truncate(size);
        Ok(chunk)
    }

    fn read_part(&mut self, mut left: usize, each: &mut impl FnMut(&[u8])) -> io::Result<()> {
        while left > 0 {
            let part = self.stream.fill_buf()?;
            let part = &part[..part.len().min(left)];
            if part.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            each(part);
            let len = part.len();
            left -= len;
            self.stream.consume(len);
        }
        Ok(())
    }
}
