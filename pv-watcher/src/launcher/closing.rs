//! Ending what a launcher started, until its own word is that nothing is left.

use std::{
    cell::Cell,
    ffi::OsString,
    io,
    time::{Duration, Instant},
};

use pv_lib::{
    config::shell_text,
    fs::Fs,
    job::JobId,
    layout::Layout,
    supervise::{Closed, Closer, Closing, ClosingLimits, Found, close},
};

use super::launch_file::LaunchFile;
use crate::process::{TOOL_LIMIT, run_tool, sweep_leftovers};

/// How much of what `alive` prints is shown.
const SHOWN_CHARS: usize = 200;

/// The commands of a start at work.
struct Tooled<'a> {
    id: &'a JobId,
    stop: &'a [String],
    alive: &'a [String],
    variables: Vec<(OsString, OsString)>,
    begun: Instant,
    beat: &'a mut dyn FnMut(),
    /// Whether somebody gave it up meanwhile.
    given_up: &'a Cell<bool>,
}

impl Closer for Tooled<'_> {
    fn elapsed(&self) -> Duration {
        if self.given_up.get() { Duration::MAX } else { self.begun.elapsed() }
    }

    fn stop(&mut self) {
        // What it says means nothing: whether it worked is looked at.
        let _ = run_tool(self.stop, &self.variables, TOOL_LIMIT, self.beat);
    }

    fn sweep(&mut self) -> Option<String> {
        sweep_leftovers(self.id).err().map(|error| error.to_string())
    }

    fn look(&mut self) -> Found {
        let end = run_tool(self.alive, &self.variables, TOOL_LIMIT, self.beat);
        match end.code {
            Some(0) if end.output.is_empty() => Found::Nothing,
            _ if !end.output.is_empty() => {
                let shown = end.output.lines().collect::<Vec<_>>().join(", ");
                Found::Something(shown.chars().take(SHOWN_CHARS).collect())
            }
            _ => Found::Unknown(end.complaint),
        }
    }

    fn wait(&mut self, time: Duration) {
        let begun = Instant::now();
        while let Some(left) = time.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) {
            std::thread::sleep(left.min(Duration::from_millis(200)));
            (self.beat)();
        }
    }
}

/// Ends what was started by what is noted of it, and returns how that came out, within `limit` and the time of one command;
/// `beat` is called now and then meanwhile, and may set `given_up`, which ends it early.
pub(crate) fn close_with(
    file: &LaunchFile,
    id: &JobId,
    closing: Closing,
    limit: Duration,
    beat: &mut dyn FnMut(),
    given_up: &Cell<bool>,
) -> Closed {
    let variables = file.variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let (stop, alive) = (&*file.stop, &*file.alive);
    let mut tooled = Tooled { id, stop, alive, variables, begun: Instant::now(), beat, given_up };
    close(&mut tooled, closing, &ClosingLimits { whole: limit, ..ClosingLimits::default() })
}

/// Ends what a job whose supervisor is gone left at its launcher, where anything is noted, and what is left of it on this
/// host. Returns how many processes of this host were found.
///
/// # Errors
/// `TimedOut` where something is left, or it cannot be told.
pub(crate) fn close_left(fs: &dyn Fs, layout: &Layout, id: &JobId) -> io::Result<usize> {
    let read = LaunchFile::read(fs, layout, id).map_err(io::Error::other)?;
    let Some(file) = read else { return sweep_leftovers(id) };
    match close_with(&file, id, Closing::after_crash(), ClosingLimits::default().whole, &mut || {}, &Cell::new(false)) {
        Closed::Gone => {
            LaunchFile::remove(fs, layout, id).map_err(io::Error::other)?;
            sweep_leftovers(id)
        }
        Closed::Unproven(why) => Err(io::Error::new(io::ErrorKind::TimedOut, file.unproven(&why))),
    }
}

impl LaunchFile {
    /// Returns what there is to say of a start of which it is not proved that nothing is left.
    pub(crate) fn unproven(&self, why: &str) -> String {
        format!(
            "proof that the launcher `{}` has ended what it started: {why}; `{}` ends it by hand, and `pv abort --forget` \
             gives it up",
            self.launcher,
            shell_text(&self.stop)
        )
    }
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;
    use pv_lib::{fs::OsFs, host, layout::InboxMode, time::Timestamp};

    use super::*;

    #[test]
    fn what_a_dead_supervisor_left_is_ended_by_what_it_noted() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        let layout = Layout::under(&root, InboxMode::MultiOwner);
        fs_err::create_dir(&layout.runs).unwrap();
        let id = host::new_job_id();
        let running = root.join("running");
        fs_err::write(&running, "").unwrap();
        let shell = |text: String| ["sh", "-c", &text].map(str::to_owned).to_vec();
        let file = LaunchFile {
            launcher: "box".into(),
            proof: "p".into(),
            // The second time it is gone: the first answer of a cluster is seldom the last.
            stop: shell(format!("if [ -e {running}.asked ]; then rm -f {running}; fi; touch {running}.asked")),
            alive: shell(format!("if [ -e {running} ]; then echo COMPLETING; fi")),
            variables: [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into(),
            started_at: Timestamp::from_unix_seconds(0),
        };
        file.write(&OsFs, &layout, &id).unwrap();
        assert_eq!(close_left(&OsFs, &layout, &id).unwrap(), 0);
        assert!(!running.exists() && !layout.launch_path(&id).exists());
        assert_eq!(close_left(&OsFs, &layout, &id).unwrap(), 0, "nothing is noted");
        file.write(&OsFs, &layout, &id).unwrap();
        fs_err::write(layout.launch_path(&id), "damaged").unwrap();
        assert!(close_left(&OsFs, &layout, &id).is_err(), "what it started may be there");
        let said = file.unproven("no answer");
        assert!(
            said.starts_with("proof that the launcher `box` has ended what it started: no answer; `sh -c "),
            "{said}"
        );
    }
}
