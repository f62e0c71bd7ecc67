//! Submitting one prompt, durably: mostly what the disk takes for its syncs.
#![expect(clippy::unwrap_used, reason = "a submission that fails must not be measured")]

use criterion::{Criterion, criterion_group, criterion_main};
use pv_benches::{empty_on_disk, id, now, target};
use pv_lib::prompt::{Source, Submission};

fn submit(c: &mut Criterion) {
    let (store, _root) = empty_on_disk();
    let submission = Submission {
        repo: target().full_repo(),
        branch: target().branch().into(),
        markdown: b"---\ntags: [a, b]\n---\n# Add a changelog\n\nSummarize the last ten commits.\n".repeat(20),
        filename: None,
        source: Source::Api,
        retry_of: None,
    };
    let mut number = 0;
    let mut mint = || {
        number += 1;
        id(number)
    };
    c.bench_function("submit/disk", |b| {
        b.iter(|| store.submit(std::slice::from_ref(&submission), &mut mint, now()).unwrap());
    });
}

criterion_group!(benches, submit);
criterion_main!(benches);
