//! What a pull request says: a title of one line, and what the agent said and changed, in blocks that only show it.

use pv_lib::{job::JobId, target::Target};

use super::{
    PullRequest, Verified,
    sanitize::{block, code, line},
};

/// The longest title, in characters, before words are broken; GitHub takes 256.
const TITLE_CHARS_MAX: usize = 160;

/// How much of the agent's message is shown, in characters. A word that is broken grows by one character, and no two
/// characters can be broken at once, so that all together stays below GitHub's 65,536.
const MESSAGE_CHARS_MAX: usize = 22_000;

/// How much of the summary of the changes is shown, in characters.
const CHANGES_CHARS_MAX: usize = 8_000;

/// The longest name of an agent, a model, a repository or a branch, in characters.
const NAME_CHARS_MAX: usize = 250;

/// What is known of a job whose work is delivered.
#[derive(Debug, Clone, Copy)]
pub struct Work<'a> {
    /// The job.
    pub job: &'a JobId,
    /// Where its prompt was worked on.
    pub target: &'a Target,
    /// What its prompt is about, if it says so.
    pub title: Option<&'a str>,
    /// Its prompt; front matter may come first.
    pub prompt: &'a str,
    /// The agent's name.
    pub agent: &'a str,
    /// The model that was chosen for it.
    pub model: Option<&'a str>,
    /// The last that the agent said.
    pub last_message: Option<&'a str>,
    /// What changed, as `git diff --stat` says it.
    pub changes: &'a str,
    /// What the checks said of it.
    pub verified: Verified<'a>,
}

impl Work<'_> {
    /// Returns the request to take `head`, a branch of the target's repository that belongs to `owner`.
    #[must_use]
    pub fn request(&self, owner: &str, head: &str) -> PullRequest {
        PullRequest {
            owner: owner.to_owned(),
            repo: self.target.repo().to_owned(),
            base: self.target.branch().to_owned(),
            head: head.to_owned(),
            title: self.title(),
            body: self.body(),
        }
    }

    /// Returns the title: the prompt's own, else its first line, else the job's id. Plain text, less than 256 characters.
    #[must_use]
    pub fn title(&self) -> String {
        let said = [self.title.unwrap_or_default(), first_line(self.prompt)];
        let said = said.into_iter().map(|text| line(text, TITLE_CHARS_MAX)).find(|text| !text.is_empty());
        said.unwrap_or_else(|| format!("Work of job {}", self.job))
    }

    /// Returns the body, as Markdown of less than 65,536 characters.
    #[must_use]
    pub fn body(&self) -> String {
        let mut body = String::new();
        let message = self.last_message.unwrap_or_default();
        if !message.trim().is_empty() {
            let (shown, is_whole) = block(message, MESSAGE_CHARS_MAX);
            body += "### What the agent says\n\n";
            body += &shown;
            body += if is_whole { "\n" } else { "\nThis is only the beginning of it.\n\n" };
        }
        if !self.changes.trim().is_empty() {
            let (shown, is_whole) = block(self.changes, CHANGES_CHARS_MAX);
            body += "### What changed\n\n";
            body += &shown;
            body += if is_whole { "\n" } else { "\nMore has changed; this list is cut.\n\n" };
        }
        self.verified.lines().iter().for_each(|line| body.extend([line.as_str(), "\n"]));
        body += "\n";
        let by = match self.model {
            Some(model) => format!("{} with {}", code(self.agent, NAME_CHARS_MAX), code(model, NAME_CHARS_MAX)),
            None => code(self.agent, NAME_CHARS_MAX),
        };
        let (repo, branch) =
            (code(&self.target.full_repo(), NAME_CHARS_MAX), code(self.target.branch(), NAME_CHARS_MAX));
        body + &format!(
            "---\nMade by the agent {by} from a prompt for {repo}, branch {branch}.\nMore about this job: `pv show {}`\n",
            self.job
        )
    }
}

/// Returns the first line that says something, without the front matter and the marks of a heading or a list.
fn first_line(prompt: &str) -> &str {
    let prompt = prompt.trim_start_matches('\u{feff}');
    let mut lines = prompt.lines().map(str::trim);
    let has_front_matter = lines.clone().next() == Some("---");
    if has_front_matter {
        lines.by_ref().skip(1).take_while(|line| !matches!(*line, "---" | "...")).for_each(drop);
    }
    let said = lines.map(|line| line.trim_start_matches(['#', '*', '-', '>', ' ']).trim());
    said.into_iter().find(|line| !line.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(check: impl FnOnce(Work<'_>)) {
        let job: JobId = "0123456789abcdef0123456789abcdef".parse().unwrap();
        let target = Target::new(Some("o"), "r", "feature/x").unwrap();
        check(Work {
            job: &job,
            target: &target,
            title: Some("Mend the gate"),
            prompt: "",
            agent: "codex",
            model: Some("m-1"),
            last_message: Some("The gate is mended."),
            changes: " gate.rs | 2 +-\n 1 file changed\n",
            verified: Verified::default(),
        });
    }

    #[test]
    fn says_what_was_done_and_how_to_learn_more() {
        with(|work| {
            assert_eq!(
                work.body(),
                "### What the agent says\n\n```text\nThe gate is mended.\n```\n\n\
                 ### What changed\n\n```text\n gate.rs | 2 +-\n 1 file changed\n```\n\n\
                 Not verified: no checks are configured.\n\n---\nMade by the agent `codex` with `m-1` from a prompt for `o/r`, branch `feature/x`.\n\
                 More about this job: `pv show 0123456789abcdef0123456789abcdef`\n"
            );
            let request = work.request("o", "pv/1");
            assert_eq!((request.full_repo().as_str(), request.base.as_str()), ("o/r", "feature/x"));
            let silent = Work { last_message: Some(" \n"), changes: "", model: None, ..work };
            assert!(
                silent.body().starts_with(
                    "Not verified: no checks are configured.\n\n---\nMade by the agent `codex` from a prompt"
                ),
                "{}",
                silent.body()
            );
        });
    }

    #[test]
    fn the_title_is_the_prompts_own_or_its_first_line_or_the_id() {
        with(|work| {
            let check = |title, prompt, expected: &str| {
                assert_eq!(Work { title, prompt, ..work }.title(), expected);
            };
            check(Some("Mend the gate"), "x", "Mend the gate");
            check(Some(" \u{200b}\n"), "\n\n## Paint it\nred", "Paint it");
            check(None, "---\npv: {model: x}\n---\n\n- [ ] do\n", "[ ] do");
            check(None, "---\n", "Work of job 0123456789abcdef0123456789abcdef");
            check(None, "\u{1b}]0;x\u{7} Fixes #3 for @o\n", "]0;x F\u{200b}ixes #3 for @\u{200b}o");
            let long = "é".repeat(1000);
            assert_eq!(Work { title: Some(&long), ..work }.title().chars().count(), TITLE_CHARS_MAX);
        });
    }

    #[test]
    fn whatever_the_agent_writes_fits_and_only_shows() {
        with(|work| {
            for piece in
                ["`", "@a ", "@a", "fix #1 ", "\n", "```\n", "\u{10ffff}", "</details><script>", "fix:#1\n", "\0", "é@"]
            {
                let hostile = piece.repeat(100_000);
                let check = pv_lib::job::CheckResult {
                    command: hostile.clone(),
                    error: Some(hostile.clone()),
                    ..Default::default()
                };
                let (checks, paths) = (vec![check; 20], vec![hostile.clone(); 20]);
                let verified = Verified { checks: &checks, verified: Some(false), rerun: true, changed: &paths };
                let work = Work {
                    verified,
                    title: Some(&hostile),
                    agent: &hostile,
                    model: Some(&hostile),
                    last_message: Some(&hostile),
                    changes: &hostile,
                    ..work
                };
                let (title, body) = (work.title(), work.body());
                assert!(body.chars().count() < 65_536, "{piece:?}: {}", body.chars().count());
                assert!(title.chars().count() <= 256 && !title.contains('\n'), "{piece:?}");
                assert!(body.chars().chain(title.chars()).all(|c| c == '\n' || !c.is_control()), "{piece:?}");
                assert!(!body.contains("@a ") && !body.contains("fix #1") && !body.contains("fix:#1"), "{piece:?}");
                assert!(body.ends_with(&format!("`pv show {}`\n", work.job)), "{piece:?}");
            }
        });
    }
}
