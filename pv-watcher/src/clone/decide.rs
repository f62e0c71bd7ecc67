//! Which repository state a job of this clone starts from, and what is said about it: a decision, without I/O.

use super::found::{CloneKind, FoundClone};

/// What the branch is called of a job that starts from a HEAD that is on none.
const DETACHED: &str = "detached";

/// How many characters of a commit's name are shown.
const SHORT_CHARS: usize = 10;

/// What the person asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wish<'a> {
    /// The branch to work on.
    pub branch: Option<&'a str>,
    /// To start from this HEAD, and to get a branch of this clone.
    pub local: bool,
    /// With that, to take along what is changed in files that git knows.
    pub dirty: bool,
    /// With that, to take along files that git does not know.
    pub untracked: bool,
}

/// Where a job starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The branch that it is for.
    pub branch: String,
    /// Where it starts and where its work goes, in a few words.
    pub from: String,
    /// What the person may not expect, in sentences.
    pub notes: Vec<String>,
}

/// Decides where a job of this clone starts.
///
/// # Errors
/// A sentence that says what was found, and what to type.
pub fn decide(found: &FoundClone, wish: &Wish<'_>) -> Result<Decision, String> {
    let Some(commit) = &found.commit else {
        return Err(format!(
            "{} has no commit yet: make one (`git commit --allow-empty -m Begin`){}",
            found.top,
            found.remote.as_ref().map_or("", |_| " and push it")
        ));
    };
    let mut notes = about_the_clone(found);
    if wish.local {
        let branch = wish.branch.or(found.branch.as_deref()).unwrap_or(DETACHED).to_owned();
        let with = match (wish.dirty, wish.untracked) {
            (false, _) => "",
            (true, false) => " with what is changed here",
            (true, true) => " with what is changed and new here",
        };
        let from = format!("this HEAD, {}{with}; its work becomes a branch of this clone", short(commit));
        notes.extend(left_behind(found, wish));
        return Ok(Decision { branch, from, notes });
    }
    if let Some(why) = &found.remote_unclear {
        return Err(why.clone());
    }
    let (branch, from) = match (&found.remote, wish.branch, &found.branch) {
        (None, named, head) => {
            let Some(branch) = named.or(head.as_deref()) else { return Err(detached(found, commit)) };
            (branch, format!("{branch}; its work becomes a branch of this clone, which has no remote"))
        }
        (Some(remote), Some(named), _) => (named, format!("{named} as {} has it", remote.name)),
        (Some(_), None, None) => return Err(detached(found, commit)),
        (Some(remote), None, Some(head)) => match &found.upstream {
            None => return Err(no_upstream(head, &remote.name)),
            Some(upstream) => {
                if !upstream.is_set {
                    let of = &remote.name;
                    notes.push(format!("{head} follows no branch of {of}; {of} has one of that name, which is taken"));
                }
                (upstream.branch.as_str(), format!("{} as {} has it", upstream.branch, remote.name))
            }
        },
    };
    notes.extend(left_behind(found, wish));
    Ok(Decision { branch: branch.to_owned(), from, notes })
}

fn about_the_clone(found: &FoundClone) -> Vec<String> {
    let mut notes = Vec::new();
    match &found.kind {
        CloneKind::Plain => {}
        CloneKind::Worktree => notes.push("this is a worktree: the job has one of its own".to_owned()),
        CloneKind::Submodule { of } => {
            notes.push(format!("this is a submodule of {of}: the job works on the submodule alone"));
        }
    }
    if let (Some(remote), false) = (&found.remote, found.other_remotes.is_empty()) {
        notes.push(format!("of its remotes {} is used, not {}", remote.name, found.other_remotes.join(", ")));
    }
    notes
}

/// Returns what is here and the agent will not see.
fn left_behind(found: &FoundClone, wish: &Wish<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    if !wish.local
        && wish.branch.is_none_or(|named| found.upstream.as_ref().is_some_and(|upstream| upstream.branch == named))
        && let (Some(upstream), Some(remote)) = (&found.upstream, &found.remote)
        && upstream.ahead > 0
    {
        notes.push(format!(
            "{} not on {}: the agent starts without {} (`git push` first, or --local starts from here)",
            counted(upstream.ahead, "commit is", "commits are"),
            remote.name,
            if upstream.ahead == 1 { "it" } else { "them" }
        ));
    }
    let (tracked, untracked) = (found.dirty.tracked as u64, found.dirty.untracked as u64);
    if tracked > 0 && !wish.dirty {
        let how = if wish.local { "--dirty takes" } else { "--local --dirty takes" };
        let files = counted(tracked, "changed file is", "changed files are");
        notes.push(format!("{files} not committed, and the agent does not see that ({how} it along)"));
    }
    if untracked > 0 && wish.dirty && !wish.untracked {
        let files = counted(untracked, "new file is", "new files are");
        notes.push(format!("{files} left behind (--untracked takes along what git does not know)"));
    }
    notes
}

fn detached(found: &FoundClone, commit: &str) -> String {
    let branch =
        if found.remote.is_some() { "--branch NAME starts from a branch of the remote" } else { "--branch NAME" };
    format!(
        "HEAD is detached at {}, so that no branch is meant: `git switch BRANCH` first, {branch}, or --local starts from \
         this commit",
        short(commit)
    )
}

fn no_upstream(branch: &str, remote: &str) -> String {
    format!(
        "{remote} has no branch {branch}, as far as this clone knows: `git push -u {remote} {branch}` makes it, --branch NAME \
         starts from another one, and --local starts from here and needs no remote"
    )
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn short(commit: &str) -> &str {
    commit.get(..SHORT_CHARS).unwrap_or(commit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clone::{Dirty, FoundRemote, Upstream};

    fn clone() -> FoundClone {
        FoundClone {
            top: "/home/me/r".into(),
            repository: "/home/me/r/.git".into(),
            kind: CloneKind::Plain,
            branch: Some("main".into()),
            commit: Some("0123456789abcdef".into()),
            remote: Some(FoundRemote { name: "origin".into(), address: "https://h/o/r".into() }),
            remote_unclear: None,
            other_remotes: Vec::new(),
            upstream: Some(Upstream { branch: "main".into(), is_set: true, ahead: 0 }),
            dirty: Dirty::default(),
        }
    }

    fn check(found: &FoundClone, wish: Wish<'_>, branch: &str, said: &[&str]) {
        let decision = decide(found, &wish).unwrap();
        assert_eq!(decision.branch, branch, "{decision:?}");
        let all = format!("{}\n{}", decision.from, decision.notes.join("\n"));
        assert!(said.iter().all(|part| all.contains(part)), "{said:?} in {all}");
    }

    fn check_refused(found: &FoundClone, wish: Wish<'_>, said: &[&str]) {
        let why = decide(found, &wish).unwrap_err();
        assert!(said.iter().all(|part| why.contains(part)), "{said:?} in {why}");
    }

    const REMOTE: Wish<'_> = Wish { branch: None, local: false, dirty: false, untracked: false };
    const LOCAL: Wish<'_> = Wish { local: true, ..REMOTE };
    const DIRTY: Wish<'_> = Wish { dirty: true, ..LOCAL };

    #[test]
    fn a_job_starts_from_the_remotes_branch_and_says_what_is_left_behind() {
        let quiet = decide(&clone(), &REMOTE).unwrap();
        assert_eq!((quiet.branch.as_str(), quiet.from.as_str()), ("main", "main as origin has it"));
        assert_eq!(quiet.notes, [] as [&str; 0]);
        let ahead =
            |ahead| FoundClone { upstream: Some(Upstream { branch: "trunk".into(), is_set: true, ahead }), ..clone() };
        check(&ahead(1), REMOTE, "trunk", &["1 commit is not on origin: the agent starts without it (`git push`"]);
        check(&ahead(2), REMOTE, "trunk", &["2 commits are not on origin", "--local starts from here"]);
        let dirty = FoundClone { dirty: Dirty { tracked: 1, untracked: 3 }, ..clone() };
        check(&dirty, REMOTE, "main", &["1 changed file is not committed", "--local --dirty"]);
        assert_eq!(decide(&ahead(3), &Wish { branch: Some("x"), ..REMOTE }).unwrap().notes, [] as [&str; 0]);
    }

    #[test]
    fn a_local_job_starts_from_here() {
        check(&clone(), LOCAL, "main", &["this HEAD, 0123456789; its work becomes a branch of this clone"]);
        let dirty = FoundClone { dirty: Dirty { tracked: 1, untracked: 3 }, ..clone() };
        check(&dirty, LOCAL, "main", &["1 changed file is not committed", "(--dirty takes it along)"]);
        check(&dirty, DIRTY, "main", &["with what is changed here", "3 new files are left behind (--untracked"]);
        let all = decide(&dirty, &Wish { untracked: true, ..DIRTY }).unwrap();
        assert!(all.from.contains("changed and new here") && all.notes.is_empty(), "{all:?}");
        let nowhere = FoundClone { branch: None, upstream: None, ..clone() };
        check(&nowhere, LOCAL, "detached", &["this HEAD"]);
        check(&FoundClone { upstream: None, branch: Some("new".into()), ..clone() }, LOCAL, "new", &[]);
    }

    #[test]
    fn an_odd_clone_is_refused_with_what_to_type_or_explained() {
        let empty = FoundClone { commit: None, upstream: None, ..clone() };
        for wish in [REMOTE, LOCAL] {
            check_refused(&empty, wish, &["no commit yet", "git commit --allow-empty -m Begin", "push it"]);
        }
        let detached = FoundClone { branch: None, upstream: None, ..clone() };
        check_refused(&detached, REMOTE, &["detached at 0123456789", "git switch", "--branch NAME", "--local"]);
        check(&detached, Wish { branch: Some("v2"), ..REMOTE }, "v2", &["v2 as origin has it"]);
        let own = FoundClone { upstream: None, branch: Some("new".into()), ..clone() };
        check_refused(&own, REMOTE, &["origin has no branch new", "git push -u origin new", "--local"]);
        let same_name =
            FoundClone { upstream: Some(Upstream { branch: "main".into(), is_set: false, ahead: 0 }), ..clone() };
        check(&same_name, REMOTE, "main", &["main follows no branch of origin"]);
        let without = FoundClone { remote: None, upstream: None, ..clone() };
        check(&without, REMOTE, "main", &["becomes a branch of this clone, which has no remote"]);
        check_refused(&FoundClone { branch: None, ..without }, REMOTE, &["detached", "--local"]);
        let unclear = FoundClone { remote: None, remote_unclear: Some("several remotes".into()), ..clone() };
        check_refused(&unclear, REMOTE, &["several remotes"]);
        check(&unclear, LOCAL, "main", &["this HEAD"]);
        let two = FoundClone { other_remotes: vec!["fork".into(), "up".into()], ..clone() };
        check(&two, REMOTE, "main", &["of its remotes origin is used, not fork, up"]);
        check(&FoundClone { kind: CloneKind::Worktree, ..clone() }, REMOTE, "main", &["this is a worktree"]);
        let submodule = FoundClone { kind: CloneKind::Submodule { of: "/s".into() }, ..clone() };
        check(&submodule, REMOTE, "main", &["a submodule of /s: the job works on the submodule alone"]);
    }
}
