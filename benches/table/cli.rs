//! The command line on the files.

use std::io;

use crate::{process::Pv, report::Report, root::Root};

/// How often a command is repeated.
const REPEATS: usize = 5;

/// Measures what lists and counts take on a long history.
pub(crate) fn measure(root: &Root, pvs: &[Pv], report: &mut Report) -> io::Result<()> {
    for pv in pvs {
        for (rows, args) in [
            (["cli/list", "cli/list/memory"], &["list", "-n", "20"][..]),
            (["cli/status", "cli/status/memory"], &["status"]),
            (["cli/json", "cli/json/memory"], &["list", "--json"]),
        ] {
            let mut finished = (0..REPEATS).map(|_| pv.run(root.path(), args)).collect::<io::Result<Vec<_>>>()?;
            if finished.iter().any(|finished| finished.len == 0) {
                return Err(io::Error::other(format!("{args:?} printed nothing")));
            }
            report.put_ms(rows[0], pv, &mut finished.iter().map(|finished| finished.total).collect::<Vec<_>>());
            if rows[0] == "cli/json" {
                let mut first: Vec<_> = finished.iter().map(|finished| finished.first).collect();
                report.put_ms("cli/json/first", pv, &mut first);
            }
            finished.sort_by(|one, other| one.peak_mb.total_cmp(&other.peak_mb));
            report.put(rows[1], pv, finished[REPEATS / 2].peak_mb);
        }
    }
    Ok(())
}
