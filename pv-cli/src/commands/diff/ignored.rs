//! `pv diff --ignored`: lists the files that git ignores and that a job keeps in an archive.

use std::io::{self, ErrorKind, IsTerminal};

use pv_lib::{job::JobId, text::one_line};
use pv_watcher::list_archive;
use serde_json::{Value, json};

use crate::{
    context::{Context, store},
    exit::{Exit, Failure, Outcome},
    render::{self, Out},
};

/// How many files are listed.
const FILES_MAX: usize = 100_000;

/// Lists the archive of a job: it is read where it lies, and served by no API.
pub(super) fn run(id: &str, context: &Context) -> Outcome {
    if context.api.is_some() {
        return Err(Failure::usage("ignored files stay on their host: call `pv diff --ignored` there, without --api"));
    }
    let id: JobId = id.parse().map_err(Failure::usage)?;
    let archive = store(&context.config()?).layout().ignored_archive_path(&id);
    let files = list_archive(&archive, FILES_MAX).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::new(Exit::NotFound, format!("job {id} has no archive of ignored files")),
        _ => Failure::new(Exit::Refused, format!("cannot read {archive}: {error}")),
    })?;
    let mut out = Out::new();
    if context.json {
        let files: Vec<Value> = files.iter().map(|file| json!({ "path": file.path, "bytes": file.bytes })).collect();
        out.json(&json!({ "job_id": id, "archive_path": archive, "files": files }))?;
        return Ok(Exit::Done);
    }
    for file in &files {
        out.line(&format!("{:>10}  {}", render::size(file.bytes), one_line(&file.path)))?;
    }
    if io::stdout().is_terminal() {
        out.line(&format!("in {archive}: `tar --zstd -xf` unpacks it"))?;
    }
    out.flush()?;
    Ok(Exit::Done)
}
