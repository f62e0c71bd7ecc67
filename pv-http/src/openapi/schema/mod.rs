//! The JSON objects of requests and responses, as they are described and sent.

mod error;
mod hold;
mod installation;
mod job;
mod status;
mod submission;
mod target;

pub(crate) use error::ErrorDetail;
pub(crate) use hold::HoldList;
pub(crate) use installation::Installation;
pub(crate) use job::{AbortReceipt, Job, JobList};
pub(crate) use status::{Health, Status};
pub(crate) use submission::{NewJob, SubmitReceipt, SubmitReceipts};
pub(crate) use target::TargetItem;
