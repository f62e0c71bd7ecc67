//! Names of branches that a remote cannot take: what it has that is in their way, and which setting helps.

use crate::git::{GitFailure, Runner};

/// How many branches of the remote are looked at.
const BRANCHES_MAX: usize = 1000;

/// What branches are below.
const HEADS: &str = "refs/heads/";

/// How git and hosts call a name that they cannot store beside another.
const CONFLICTS: [&str; 5] =
    ["directory file conflict", "refname conflict", "cannot lock ref", "case-insensitive", "funny refname"];

/// What a line has beside `branch` or `ref` that speaks of its name.
const NAMING: [&str; 15] = [
    "name",
    "pattern",
    "match",
    "creat",
    "slash",
    "nest",
    "deep",
    "level",
    "prefix",
    "protected",
    "length",
    "characters",
    "format",
    "convention",
    "must start",
];

/// A branch of the remote that is in the way of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Conflict {
    /// Ours would be below it: git stores both or one.
    Above(String),
    /// Ours would be above it.
    Below(String),
    /// Ours would be below it, if the case of letters did not count.
    OtherCase(String),
}

/// Looks for a branch of the remote that is in the way of `branch`; `settings` come before the command.
///
/// # Errors
/// What git says.
pub(super) fn find(
    git: &mut Runner<'_>,
    settings: &[&str],
    url: &str,
    branch: &str,
) -> Result<Option<Conflict>, GitFailure> {
    let patterns = patterns(branch);
    let mut args = [settings, &["ls-remote", "--quiet", "--", url]].concat();
    args.extend(patterns.iter().map(String::as_str));
    let listed = git.value(&args)?;
    let listed = String::from_utf8_lossy(&listed);
    let names = listed.lines().filter_map(|line| line.split_once('\t')?.1.strip_prefix(HEADS));
    Ok(conflict(branch, names.take(BRANCHES_MAX)))
}

/// Returns what is asked for: every branch that this one would be below, in any case, and those that are below it.
fn patterns(branch: &str) -> Vec<String> {
    let in_any_case = |name: &str| -> String {
        name.chars()
            .map(|c| match c {
                c if c.is_ascii_alphabetic() => format!("[{}{}]", c.to_ascii_lowercase(), c.to_ascii_uppercase()),
                // What means something in a pattern.
                '*' | '?' | '[' | ']' | '\\' => "?".to_owned(),
                c => c.to_string(),
            })
            .collect()
    };
    let above = above(branch).map(|name| format!("{HEADS}{}", in_any_case(name)));
    above.chain([format!("{HEADS}{branch}/*")]).collect()
}

fn above(branch: &str) -> impl Iterator<Item = &str> {
    branch.match_indices('/').map(|(slash, _)| &branch[..slash])
}

/// Returns the branch among these that is in the way; one that certainly is comes first.
fn conflict<'a>(branch: &str, names: impl Iterator<Item = &'a str>) -> Option<Conflict> {
    let below = format!("{branch}/");
    let mut other_case = None;
    for name in names {
        if above(branch).any(|above| above == name) {
            return Some(Conflict::Above(name.to_owned()));
        } else if name.starts_with(&below) {
            return Some(Conflict::Below(name.to_owned()));
        } else if above(branch).any(|above| above.eq_ignore_ascii_case(name)) {
            other_case = Some(Conflict::OtherCase(name.to_owned()));
        }
    }
    other_case
}

/// Tells whether what was said of a refused branch may be about its name: the reason that git reports, or a line of the
/// remote.
pub(super) fn may_be_the_name<'a>(said: impl IntoIterator<Item = &'a str>) -> bool {
    said.into_iter().any(|line| {
        let line = line.to_ascii_lowercase();
        let is_of_branch = line.contains("branch") || line.contains("ref ") || line.contains("refs/");
        CONFLICTS.iter().any(|known| line.contains(known))
            || (is_of_branch && NAMING.iter().any(|word| line.contains(word)))
    })
}

/// What a person can do about a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Remedy {
    /// It is the cause: this was seen at the remote.
    Certain(String),
    /// It may be: what was said can be read so.
    Possible(String),
}

/// Returns what a person can do about it; `None` where nothing speaks of the name. `prefix` is what the name begins with
/// now.
pub(super) fn remedy(conflict: Option<&Conflict>, may_be_the_name: bool, prefix: &str) -> Option<Remedy> {
    let other = if prefix.starts_with("agents") { "work/" } else { "agents/" };
    let change = format!("set delivery.branch_prefix to another beginning, such as `{other}`, then `pv retry`");
    let certain = match conflict {
        Some(Conflict::Above(name)) => {
            format!("the remote has a branch `{name}`, and can have no other below it: {change}")
        }
        Some(Conflict::Below(name)) => format!("the remote has `{name}`, and can have no branch above it: {change}"),
        Some(Conflict::OtherCase(name)) => {
            format!(
                "the remote has a branch `{name}`, which some hosts cannot tell from one in other letters: {change}"
            )
        }
        None => {
            let possible = format!("if it is the branch's name that the remote does not take, {change}");
            return may_be_the_name.then_some(Remedy::Possible(possible));
        }
    };
    Some(Remedy::Certain(certain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c13_what_is_in_the_way_of_a_name_is_found_among_the_branches() {
        let check = |branch: &str, names: &[&str], expected: Option<Conflict>| {
            assert_eq!(conflict(branch, names.iter().copied()), expected, "{branch}: {names:?}");
        };
        let above = |name: &str| Some(Conflict::Above(name.into()));
        check("codex/x", &["main", "codex"], above("codex"));
        check("a/b/c", &["A", "a/b"], above("a/b"));
        check("codex/x", &["Codex", "codex"], above("codex"));
        check("codex/x", &["CODEX"], Some(Conflict::OtherCase("CODEX".into())));
        check("codex/x", &["codex/x/y"], Some(Conflict::Below("codex/x/y".into())));
        check("codex/x", &["codex/y", "codex/xy", "codexx", "main", "Codex/z"], None);
        check("codex-x", &["codex"], None);
        assert_eq!(
            patterns("a[1/b*/c"),
            ["refs/heads/[aA]?1", "refs/heads/[aA]?1/[bB]?", "refs/heads/a[1/b*/c/*"],
            "what means something in a pattern is any character"
        );
    }

    #[test]
    fn c13_words_about_a_name_are_told_from_others() {
        for said in [
            "error: cannot lock ref 'refs/heads/codex/x': 'refs/heads/codex' exists; cannot create 'refs/heads/codex/x'",
            "directory file conflict",
            "reference conflict due to case-insensitive filesystem",
            "GitLab: Branch name 'codex/x' does not follow the pattern '^feature-.*$'",
            "Branch name must match a given pattern",
            "Cannot create ref due to creations being restricted.",
            "error: GH006: Protected branch update failed for refs/heads/codex/x.",
            "refs/heads/codex/x: no slashes in branches",
            "Branches nested deeper than one level are not allowed",
        ] {
            assert!(may_be_the_name([said]), "{said}");
        }
        for said in [
            "pre-receive hook declined",
            "error: GH001: Large files detected.",
            "commits must be signed",
            "not on a Friday",
            "Commit message does not match the pattern",
            "push declined due to repository rule violations",
            "fetch first",
            "refusing to allow a Personal Access Token to create or update workflow `.github/workflows/x.yml` without \
             `workflow` scope",
        ] {
            assert!(!may_be_the_name([said]), "{said}");
        }
    }

    #[test]
    fn c13_the_setting_that_helps_is_named() {
        let above = Conflict::Above("codex".into());
        let Some(Remedy::Certain(said)) = remedy(Some(&above), false, "codex/") else { panic!("it was seen") };
        assert!(said.contains("branch `codex`") && said.contains("such as `agents/`, then `pv retry`"), "{said}");
        let possible = remedy(None, true, "agents/");
        assert!(matches!(&possible, Some(Remedy::Possible(said)) if said.contains("`work/`")), "{possible:?}");
        assert_eq!(remedy(None, false, "codex/"), None);
    }
}
