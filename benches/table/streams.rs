//! Streams of logs: how fast a line arrives, a long log is sent again, and what those cost in which nothing happens.

use std::{
    fs::{self, File},
    io::{self, Write},
    thread,
    time::{Duration, Instant},
};

use crate::{
    Sizes,
    disk::memcpy_mb,
    http::Client,
    process::{Pv, Service},
    report::{Report, ms},
    root::{Agent, Root},
};

/// How many jobs the idle streams are of.
const IDLE_JOBS: usize = 50;
/// How many lines are sent to find how long one takes.
const LINES: usize = 200;

pub(crate) fn measure(below: &std::path::Path, pvs: &[Pv], sizes: &Sizes, report: &mut Report) -> io::Result<()> {
    let root = Root::new(below, &Agent::Nothing)?;
    let (ended, run) = root.add_ended(9999)?;
    long_log(&run.join("job.log"), sizes.log_bytes)?;
    let live = (0..IDLE_JOBS).map(|number| root.add_running(number)).collect::<io::Result<Vec<_>>>()?;
    for (_, run) in &live {
        fs::write(run.join("job.log"), "begun\n")?;
    }
    report.put_baseline("log/replay", memcpy_mb());
    for pv in pvs {
        let api = pv.api(root.path())?;
        latency(&api, &live[0], pv, report)?;
        replay(&api, &ended, sizes, pv, report)?;
        drop(api);
        // One that has sent no long log, so that its memory is that of the streams.
        let api = pv.api(root.path())?;
        if let Err(error) = idle(&api, &live, sizes, pv, report) {
            report.fail(&format!("{} idle streams of {}", sizes.streams, pv.name), &error);
        }
    }
    Ok(())
}

/// Writes a log with lines as agents write them.
fn long_log(path: &std::path::Path, bytes: usize) -> io::Result<()> {
    let lines: String = (0..2000)
        .map(|line| format!("{line:6} running step {line} of a build: {}\n", "compiled ".repeat(line % 14)))
        .collect();
    let mut log = io::BufWriter::new(File::create(path)?);
    for _ in 0..bytes.div_ceil(lines.len()) {
        log.write_all(lines.as_bytes())?;
    }
    log.flush()
}

/// Asks for a log, and reads until its first lines have come.
fn follow(api: &Service, id: &str) -> io::Result<Client> {
    let mut client = api.client()?;
    client.send("GET", &format!("/jobs/{id}/log/stream"), "", "")?;
    let head = client.read_head()?;
    if head.status != 200 {
        return Err(io::Error::other(format!("the stream is refused: {}", head.status)));
    }
    client.read_chunk()?;
    Ok(client)
}

fn latency(api: &Service, (id, run): &(String, std::path::PathBuf), pv: &Pv, report: &mut Report) -> io::Result<()> {
    let mut client = follow(api, id)?;
    let mut log = fs::OpenOptions::new().append(true).open(run.join("job.log"))?;
    // The watch is set.
    thread::sleep(Duration::from_millis(200));
    let mut times = Vec::new();
    for line in 0..LINES {
        let begun = Instant::now();
        log.write_all(format!("line {line}\n").as_bytes())?;
        while !client.read_chunk()?.starts_with(b"data: line") {}
        times.push(begun.elapsed());
        thread::sleep(Duration::from_millis(5));
    }
    report.put_ms("log/latency", pv, &mut times);
    Ok(())
}

fn replay(api: &Service, id: &str, sizes: &Sizes, pv: &Pv, report: &mut Report) -> io::Result<()> {
    let mut times = Vec::new();
    for _ in 0..3 {
        let answer = api.client()?.get(&format!("/jobs/{id}/log/stream"))?;
        if answer.len < sizes.log_bytes {
            return Err(io::Error::other(format!("of the log came {} bytes", answer.len)));
        }
        times.push(answer.total);
    }
    times.sort_unstable();
    report.put("log/replay", pv, sizes.log_bytes as f64 / 1e6 / times[1].as_secs_f64());
    Ok(())
}

fn idle(
    api: &Service,
    live: &[(String, std::path::PathBuf)],
    sizes: &Sizes,
    pv: &Pv,
    report: &mut Report,
) -> io::Result<()> {
    allow_descriptors(sizes.streams as u64 + 100);
    // A first one makes what all of them share.
    let _first = follow(api, &live[0].0)?;
    thread::sleep(Duration::from_millis(500));
    let before = api.resident_mb()?;
    let mut clients =
        (0..sizes.streams).map(|number| follow(api, &live[number % live.len()].0)).collect::<io::Result<Vec<_>>>()?;
    thread::sleep(Duration::from_secs(2));
    report.put("streams/memory", pv, (api.resident_mb()? - before) * 1e6 / 1024.0 / sizes.streams as f64);
    report.put("streams/cpu", pv, api.cpu_percent(sizes.idle)?);
    report.put("streams/threads", pv, api.threads()?);
    let begun = Instant::now();
    fs::OpenOptions::new().append(true).open(live[1].1.join("job.log"))?.write_all(b"line\n")?;
    for client in clients.iter_mut().skip(1).step_by(live.len()) {
        while !client.read_chunk()?.starts_with(b"data: line") {}
    }
    report.put("streams/line", pv, ms(begun.elapsed()));
    Ok(())
}

/// Lets this process have so many connections, where the system grants them.
fn allow_descriptors(count: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit { current: Some(maximum.map_or(count, |maximum| maximum.min(count))), maximum },
    );
}
