//! The shapes of answers and bodies, as they are documented and sent.

mod error;
mod installation;
mod job;
mod status;
mod submission;
mod target;

pub(crate) use error::{Refused, Unusable};
pub(crate) use installation::Installation;
pub(crate) use job::{AbortTaken, Job, JobList};
pub(crate) use status::{
    Health, Status, StatusConfig, StatusDisk, StatusHold, StatusJobs, StatusRoots, StatusTargets, StatusWatcher,
};
pub(crate) use submission::{NewJob, Taken, TakenJobs};
pub(crate) use target::TargetItem;
