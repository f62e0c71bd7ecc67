//! Git for a command that a person typed, which no job waits for.

use std::{ffi::OsString, rc::Rc, sync::mpsc::sync_channel, thread, time::Duration};

use pv_lib::supervise::{Cause, Ending, TimeLimits};

use super::runner::{Attendant, GitSettings, Runner};
use crate::process::{Interruptible, JOB_ID_VARIABLE, OutputSink, Spawned, wait_unsupervised};

/// How long one git call of a command may take: longer than reading a large repository from a slow disk.
const TIMEOUT: Duration = Duration::from_secs(120);

/// How long a call that is stopped has to end by itself.
const GRACE: Duration = Duration::from_secs(2);

/// What waits for the git calls of a command: the command itself, which Ctrl-C ends.
#[derive(Debug)]
pub(crate) struct Unattended;

impl Attendant for Unattended {
    fn wait_for(
        &mut self,
        process: Spawned,
        output: &mut dyn OutputSink,
        _: Interruptible,
        limits: &TimeLimits,
    ) -> Ending {
        wait_unsupervised(process, output, limits)
    }

    fn pause(&mut self, time: Duration, _: Interruptible) -> Result<(), Cause> {
        thread::sleep(time);
        Ok(())
    }

    fn run_blocking(&mut self, limit: Duration, work: Box<dyn FnOnce() + Send>) -> bool {
        let (sender, receiver) = sync_channel(1);
        thread::spawn(move || {
            work();
            // Nobody receives any more where the limit was reached.
            let _ = sender.send(());
        });
        receiver.recv_timeout(limit).is_ok()
    }
}

impl<'a> Runner<'a> {
    /// Makes a runner for a command that a person typed, with that command's environment.
    pub(crate) fn unattended(environment: &[(OsString, OsString)], attendant: &'a mut Unattended) -> Self {
        let settings = GitSettings {
            environment: environment.iter().cloned().collect(),
            // No job is called so: what such a call leaves is nobody's.
            marker: (JOB_ID_VARIABLE, "none".to_owned()),
            grace: GRACE,
            timeout: TIMEOUT,
            idle_timeout: TIMEOUT,
            retry_pauses: Vec::new(),
            heartbeat: TIMEOUT,
        };
        Self::new(Rc::new(settings), Interruptible::No, attendant)
    }
}
