//! A small HTTP server of repositories on loopback: it asks `git http-backend`, and notes what came with each request.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use camino::Utf8Path;

/// How long a request may take to arrive.
const READ_LIMIT: Duration = Duration::from_secs(20);

/// A request, as far as it matters here.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) target: String,
    /// The header of that name, decoded: `user:password`.
    pub(super) credentials: Option<String>,
    method: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What is answered.
pub(super) enum Answer {
    /// What git says.
    Git,
    /// What git says, in pieces of so many bytes with a pause after each.
    Slowly(usize, Duration),
    /// Nothing but this status line and these header lines.
    Status(&'static str, String),
}

/// The server; it ends when it is dropped.
pub(super) struct GitHttp {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
    is_over: Arc<AtomicBool>,
}

impl GitHttp {
    /// Serves the repositories below a folder as `answer` says.
    pub(super) fn start(
        ip: Ipv4Addr,
        root: &Utf8Path,
        answer: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let server = Self { address: listener.local_addr().unwrap(), seen: Arc::default(), is_over: Arc::default() };
        let (seen, is_over, root) = (Arc::clone(&server.seen), Arc::clone(&server.is_over), root.to_owned());
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let (seen, root, answer) = (Arc::clone(&seen), root.clone(), Arc::clone(&answer));
                thread::spawn(move || {
                    let Ok(request) = read(&stream) else { return };
                    seen.lock().unwrap().push(request.clone());
                    // Whoever hangs up is not answered.
                    let _ = match answer(&request) {
                        Answer::Git => ask_git(&stream, &root, &request, (usize::MAX, Duration::ZERO)),
                        Answer::Slowly(bytes, pause) => ask_git(&stream, &root, &request, (bytes, pause)),
                        Answer::Status(status, headers) => (&stream).write_all(
                            format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n{headers}\r\n")
                                .as_bytes(),
                        ),
                    };
                });
            }
        });
        server
    }

    /// Serves them to whoever has this token.
    pub(super) fn with_token(root: &Utf8Path, token: &'static str) -> Self {
        Self::start(Ipv4Addr::LOCALHOST, root, move |request| asks_for(request, token))
    }

    /// Returns scheme, address and port.
    pub(super) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns what came so far.
    pub(super) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for GitHttp {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

/// Answers a request as one does who takes that token only.
pub(super) fn asks_for(request: &Request, token: &str) -> Answer {
    if request.credentials.as_deref() == Some(&format!("x-access-token:{token}")) {
        Answer::Git
    } else {
        Answer::Status("401 Unauthorized", "WWW-Authenticate: Basic realm=\"git\"\r\n".to_owned())
    }
}

fn read(stream: &TcpStream) -> io::Result<Request> {
    stream.set_read_timeout(Some(READ_LIMIT))?;
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut text = String::new();
        reader.read_line(&mut text).map(|_| text.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Vec::new();
    while let Some((name, value)) = line()?.split_once(": ") {
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let mut request = Request { target, credentials: None, method, headers, body: Vec::new() };
    request.credentials = request.header("authorization").and_then(|value| decode(value.strip_prefix("Basic ")?));
    if request.header("transfer-encoding").is_some() {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size)?;
            let size = u64::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            let before = request.body.len();
            reader.by_ref().take(size + 2).read_to_end(&mut request.body)?;
            request.body.truncate(before + usize::try_from(size).map_err(io::Error::other)?);
            if size == 0 {
                break;
            }
        }
    } else {
        let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        reader.by_ref().take(length).read_to_end(&mut request.body)?;
    }
    Ok(request)
}

impl Request {
    /// Tells whether it asks for objects, and not for what there is.
    pub(super) fn is_pack(&self) -> bool {
        self.target.ends_with("/git-upload-pack")
            && self.body.windows(6).any(|window| window == b"fetch\n" || window == b"=fetch")
    }

    fn header(&self, wanted: &str) -> Option<&str> {
        self.headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }
}

fn decode(base64: &str) -> Option<String> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits = String::new();
    for byte in base64.bytes().filter(|byte| *byte != b'=') {
        let value = ALPHABET.iter().position(|known| *known == byte)?;
        bits += &format!("{value:06b}");
    }
    let byte = |bits: &[u8]| u8::from_str_radix(std::str::from_utf8(bits).ok()?, 2).ok();
    String::from_utf8(bits.as_bytes().chunks_exact(8).map(byte).collect::<Option<_>>()?).ok()
}

fn ask_git(
    mut stream: &TcpStream,
    root: &Utf8Path,
    request: &Request,
    (bytes, pause): (usize, Duration),
) -> io::Result<()> {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let mut git = Command::new("git");
    git.arg("http-backend").env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1");
    git.env("PATH_INFO", path).env("QUERY_STRING", query).env("REQUEST_METHOD", &request.method);
    git.env("REMOTE_USER", "t").env("CONTENT_LENGTH", request.body.len().to_string());
    for (header, variable) in [
        ("content-type", "CONTENT_TYPE"),
        ("content-encoding", "HTTP_CONTENT_ENCODING"),
        ("git-protocol", "GIT_PROTOCOL"),
    ] {
        git.envs(request.header(header).map(|value| (variable, value)));
    }
    let mut git = git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let (mut stdin, body) = (git.stdin.take().unwrap(), request.body.clone());
    let feeding = thread::spawn(move || drop(stdin.write_all(&body)));
    let output = git.wait_with_output()?.stdout;
    feeding.join().unwrap();
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(output.len());
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
    write!(stream, "HTTP/1.1 {status}\r\n{head}\r\nConnection: close\r\n\r\n")?;
    for piece in output.get(end + 4..).unwrap_or_default().chunks(bytes) {
        stream.write_all(piece)?;
        thread::sleep(pause);
    }
    Ok(())
}
