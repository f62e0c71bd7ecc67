//! The processes that are measured: what they take, and that they end.

use std::{
    fs, io,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::http::Client;

/// How long a service may take to begin.
const START_LIMIT: Duration = Duration::from_secs(60);
/// For how long a service computes nothing that has done what a start is for.
const QUIET: Duration = Duration::from_millis(400);
/// How often a short-lived process is looked at.
const LOOK: Duration = Duration::from_micros(500);
/// How many of the kernel's ticks a second has (`sysconf(_SC_CLK_TCK)`), on every Linux of today.
const TICKS_PER_SECOND: f64 = 100.0;

/// A `pv` that is measured.
#[derive(Clone)]
pub(crate) struct Pv {
    pub(crate) name: String,
    pub(crate) program: PathBuf,
}

/// A service that runs until it is dropped.
pub(crate) struct Service {
    child: Child,
    pub(crate) port: u16,
    /// From its start until it answered.
    pub(crate) started_in: Duration,
    begun: Instant,
}

/// What a command took.
pub(crate) struct Finished {
    pub(crate) total: Duration,
    /// Until the first byte of its output.
    pub(crate) first: Duration,
    /// The most memory that was resident, in MB of a million bytes.
    pub(crate) peak_mb: f64,
    pub(crate) len: usize,
}

impl Pv {
    /// Prepares it on a root; nothing of this process's environment reaches it but the `PATH`.
    pub(crate) fn command(&self, root: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).env_clear().current_dir(root).envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.env("HOME", root).env("NO_COLOR", "1").env("PV_LOG", "warn");
        command.env("PV_ROOT", root).env("PV_CONFIG_PATH", root.join("config.yaml"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Starts the API, and waits until it answers.
    pub(crate) fn api(&self, root: &Path) -> io::Result<Service> {
        let port = free_port()?;
        let begun = Instant::now();
        let child = self.command(root, &["api"]).env("PV_BIND_PORT", port.to_string()).spawn()?;
        let mut service = Service { child, port, started_in: Duration::ZERO, begun };
        let is_healthy = || Client::connect(port)?.get("/healthz");
        while is_healthy().is_err() {
            if begun.elapsed() > START_LIMIT {
                return Err(io::Error::other(format!("{} does not answer", self.name)));
            }
            thread::sleep(LOOK / 2);
        }
        service.started_in = begun.elapsed();
        Ok(service)
    }

    /// Starts the watcher, and waits until it has looked once.
    pub(crate) fn watcher(&self, root: &Path) -> io::Result<Service> {
        let status = root.join("runs/.locks/.watcher.json");
        let _ = fs::remove_file(&status);
        let begun = Instant::now();
        let child = self.command(root, &["watcher"]).spawn()?;
        let mut service = Service { child, port: 0, started_in: Duration::ZERO, begun };
        while !status.exists() {
            if begun.elapsed() > START_LIMIT {
                return Err(io::Error::other(format!("{} does not watch", self.name)));
            }
            thread::sleep(LOOK);
        }
        service.started_in = begun.elapsed();
        Ok(service)
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, root: &Path, args: &[&str]) -> io::Result<Finished> {
        use io::Read;
        let begun = Instant::now();
        let mut child = self.command(root, args).stdout(Stdio::piped()).spawn()?;
        let mut output = child.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        let reading = thread::spawn(move || {
            let (mut buffer, mut first, mut len) = (vec![0; 64 << 10], None, 0);
            while let Ok(read @ 1..) = output.read(&mut buffer) {
                first.get_or_insert_with(|| begun.elapsed());
                len += read;
            }
            (first, len)
        });
        let mut peak_mb = 0.0;
        let status = loop {
            if let Ok(seen) = status_kb(child.id(), "VmHWM") {
                peak_mb = seen * 1024.0 / 1e6;
            }
            if let Some(status) = child.try_wait()? {
                break status;
            }
            thread::sleep(LOOK);
        };
        let total = begun.elapsed();
        let (first, len) = reading.join().map_err(|_| io::Error::other("cannot read"))?;
        if !status.success() {
            return Err(io::Error::other(format!("{} {args:?}: {status}", self.name)));
        }
        Ok(Finished { total, first: first.unwrap_or(total), peak_mb, len })
    }
}

impl Service {
    pub(crate) fn client(&self) -> io::Result<Client> {
        Client::connect(self.port)
    }

    /// What is resident now, in MB of a million bytes.
    pub(crate) fn resident_mb(&self) -> io::Result<f64> {
        Ok(status_kb(self.child.id(), "VmRSS")? * 1024.0 / 1e6)
    }

    /// The most that was resident since [`Service::forget_peak`].
    pub(crate) fn peak_mb(&self) -> io::Result<f64> {
        Ok(status_kb(self.child.id(), "VmHWM")? * 1024.0 / 1e6)
    }

    pub(crate) fn forget_peak(&self) -> io::Result<()> {
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5")
    }

    pub(crate) fn threads(&self) -> io::Result<f64> {
        status_kb(self.child.id(), "Threads")
    }

    /// The processor time that it has taken, without that of its children.
    pub(crate) fn cpu_seconds(&self) -> io::Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let ticks = |at: usize| fields.split_ascii_whitespace().nth(at).and_then(|field| field.parse::<f64>().ok());
        // utime and stime (proc_pid_stat(5)), counted from the field after the name.
        Ok((ticks(11).unwrap_or_default() + ticks(12).unwrap_or_default()) / TICKS_PER_SECOND)
    }

    /// Waits until it has computed nothing for a while, and returns from its start on how long it did.
    pub(crate) fn busy_for(&self) -> io::Result<Duration> {
        let (mut last, mut seen) = (self.begun.elapsed(), self.cpu_seconds()?);
        while self.begun.elapsed() < last + QUIET && self.begun.elapsed() < START_LIMIT {
            thread::sleep(QUIET / 40);
            let now = self.cpu_seconds()?;
            if now > seen {
                (last, seen) = (self.begun.elapsed(), now);
            }
        }
        Ok(last)
    }

    /// The part of one processor that it takes while nothing is asked of it, in percent.
    pub(crate) fn cpu_percent(&self, during: Duration) -> io::Result<f64> {
        let (before, begun) = (self.cpu_seconds()?, Instant::now());
        thread::sleep(during);
        Ok((self.cpu_seconds()? - before) / begun.elapsed().as_secs_f64() * 100.0)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // One that does not end in time is killed; either way it is waited for.
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        let _ = pid.map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::TERM));
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(5) {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn status_kb(pid: u32, key: &str) -> io::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let number = line.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok());
    number.ok_or_else(|| io::Error::other("no such line"))
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
