//! The JSON shapes that the command line and the HTTP API both show, each built here and nowhere else.
//!
//! Values that serialize; what they are made of is read by [`Store`](crate::store::Store). A job as it is shown is
//! [`RunView::to_json`](crate::store::RunView::to_json), since a record may have keys that this version does not know.

mod hold;
mod job_detail;
mod job_list;
mod job_row;
mod receipt;
mod status;
mod target;

pub use hold::{HoldItem, HoldList, HoldState};
pub use job_detail::JobDetail;
pub use job_list::JobList;
pub use job_row::JobRow;
pub use receipt::SubmitReceipts;
pub use status::{
    Status, StatusConfig, StatusDisk, StatusJobs, StatusMirrors, StatusRoots, StatusSettings, StatusTargets,
    StatusWatcher,
};
pub use target::TargetItem;
