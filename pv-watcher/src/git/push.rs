//! `git push`, read by what it prints for programs.

use super::{failure::GitFailure, push_answer::PushAnswer, runner::Runner};

/// How a push of one branch ended that nobody stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PushReport {
    /// The remote says that it has it.
    Taken,
    /// The branch is not taken: the reason as git reports it.
    Refused(String),
    /// It ended without a word about the branch: the remote may have it.
    Unanswered,
}

impl Runner<'_> {
    /// Pushes, and again after a pause each time while a network fails that may work again in a moment. Returns what is
    /// reported of `reference`, and all that was said in the last try.
    ///
    /// # Errors
    /// [`GitFailure::Stopped`] where it was stopped; [`GitFailure::Failed`] where git cannot be run. What was said until then
    /// is returned all the same.
    pub(crate) fn push(&mut self, args: &[&str], reference: &str) -> (Result<PushReport, GitFailure>, PushAnswer) {
        let (mut answer, mut is_unanswered) = (PushAnswer::default(), false);
        let reported = self.retry(|git| {
            (answer, is_unanswered) = (PushAnswer::default(), false);
            let (code, printed) = git.run_saying(args, &mut answer)?;
            let report = report(code, &String::from_utf8_lossy(&printed), reference);
            is_unanswered = report == PushReport::Unanswered;
            // A failure, so that it is tried again where that may help.
            if is_unanswered { Err(GitFailure::Failed(answer.last_words())) } else { Ok(report) }
        });
        match reported {
            Err(GitFailure::Failed(_)) if is_unanswered => (Ok(PushReport::Unanswered), answer),
            reported => (reported, answer),
        }
    }
}

/// Reads what `git push --porcelain` prints of a reference: a flag, `FROM:TO` and a summary, with tabs between them.
fn report(code: Option<i32>, printed: &str, reference: &str) -> PushReport {
    let ours = printed.lines().find_map(|line| {
        let mut parts = line.splitn(3, '\t');
        let (flag, refs, summary) = (parts.next()?, parts.next()?, parts.next()?);
        (refs.split_once(':')?.1 == reference).then_some((flag, summary))
    });
    match ours {
        // The remote was asked, and its report did not come.
        Some(("!", summary)) if summary.starts_with("[remote failure]") => PushReport::Unanswered,
        Some(("!", summary)) => PushReport::Refused(reason(summary).to_owned()),
        Some(_) => PushReport::Taken,
        None if code == Some(0) => PushReport::Taken,
        None => PushReport::Unanswered,
    }
}

/// Returns the reason of a summary such as `[remote rejected] (pre-receive hook declined)`.
fn reason(summary: &str) -> &str {
    let reason = summary.split_once("] (").and_then(|(_, reason)| reason.strip_suffix(')'));
    reason.unwrap_or(summary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c12_what_git_reports_of_a_branch_is_read_by_its_columns() {
        let check = |code: i32, printed: &str, expected: PushReport| {
            assert_eq!(report(Some(code), printed, "refs/heads/codex/x"), expected, "{printed}");
        };
        let line = |flag: &str, summary: &str| format!("To h:r\n{flag}\t0123:refs/heads/codex/x\t{summary}\nDone\n");
        let refused = |reason: &str| PushReport::Refused(reason.to_owned());
        check(0, &line("*", "[new branch]"), PushReport::Taken);
        check(0, &line("=", "[up to date]"), PushReport::Taken);
        check(1, &line("!", "[remote rejected] (pre-receive hook declined)"), refused("pre-receive hook declined"));
        let workflow = "refusing to allow a Personal Access Token to create or update workflow `.github/workflows/x.yml` \
                        without `workflow` scope";
        check(1, &line("!", &format!("[remote rejected] ({workflow})")), refused(workflow));
        check(1, &line("!", "[rejected] (fetch first)"), refused("fetch first"));
        check(1, &line("!", "[remote rejected] (a (b) c)"), refused("a (b) c"));
        check(1, &line("!", "[no match]"), refused("[no match]"));
        check(1, &line("!", "[remote failure] (remote failed to report status)"), PushReport::Unanswered);
        check(0, "", PushReport::Taken);
        check(128, "", PushReport::Unanswered);
        check(1, "!\t0123:refs/heads/other\t[remote rejected] (no)\n", PushReport::Unanswered);
        check(1, "remote: !\tx:refs/heads/codex/x", PushReport::Unanswered);
    }
}
