//! The links between pages of the documentation lead somewhere: to files that are there, and headings of theirs.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Returns the pages: those of the root, of `docs` and of the examples.
fn pages() -> Vec<PathBuf> {
    let mut folders = vec![root(), root().join("docs")];
    let examples = fs::read_dir(root().join("examples")).unwrap().flatten().map(|entry| entry.path());
    folders.push(root().join("examples"));
    folders.extend(examples.filter(|path| path.is_dir()));
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()));
    files.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// Returns the lines of a page that are no code.
fn prose(page: &str) -> Vec<&str> {
    let mut is_code = false;
    let mut lines = Vec::new();
    for line in page.lines() {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        if !is_code && !is_fence {
            lines.push(line);
        }
    }
    lines
}

/// Returns the targets of a page's links that are no addresses.
fn links(page: &str) -> Vec<String> {
    let text = prose(page).join("\n");
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).filter(|target| !target.contains("://")).collect()
}

/// Returns the anchors that GitHub makes of a page's headings.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = prose(page).into_iter().filter(|line| line.starts_with('#'));
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    headings
        .map(|line| {
            line.trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter(kept)
                .collect::<String>()
                .replace(' ', "-")
        })
        .collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_of_it() {
    let mut broken = Vec::new();
    let mut count = 0;
    for path in pages() {
        let page = fs::read_to_string(&path).unwrap();
        for link in links(&page) {
            count += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let is_there = target.exists();
            let has_heading = || anchors(&fs::read_to_string(&target).unwrap_or_default()).contains(anchor);
            if !is_there || (!anchor.is_empty() && !has_heading()) {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(count > 50, "only {count} links were found");
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn links_and_headings_are_read_as_github_reads_them() {
    let page =
        "# A b, `c`\n[x](y.md#z) and ![i](i.png) [e](https://h)\n```sh\n# no heading [n](o.md)\n```\n## Über uns\n";
    assert_eq!(links(page), ["y.md#z", "i.png"]);
    assert_eq!(anchors(page).into_iter().collect::<Vec<_>>(), ["a-b-c", "über-uns"]);
}
