//! Printing the receipts of new jobs.

use pv_lib::text::one_line;
use serde_json::Value;

use crate::{
    backend::text,
    context::Context,
    exit::Failure,
    render::{Out, one_or_jobs},
};

/// Prints the id and the file of each new job.
pub(super) fn print(receipts: Vec<Value>, context: &Context) -> Result<(), Failure> {
    let mut out = Out::new();
    if context.json {
        return out.json(&one_or_jobs(receipts));
    }
    for receipt in &receipts {
        out.line(&format!("{}  {}", one_line(text(receipt, "job_id")), one_line(text(receipt, "inbox_path"))))?;
    }
    out.flush()
}
