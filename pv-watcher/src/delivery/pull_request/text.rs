//! What a pull request says: a title of one line, what the agent said, what changed, and where there is more.
//!
//! What the agent said is a quote: whatever is in it, none of its lines begins a line of ours, or of the message of the
//! commit that a host may make of it.

use pv_lib::{job::JobId, target::Target};

use super::{
    PullRequest, Verified,
    markdown::harmless_markdown,
    sanitize::{block, code, line},
};

/// The longest title, in characters, before words are broken; GitHub takes 256.
const TITLE_CHARS_MAX: usize = 160;

/// How much is written of the agent's message, in characters; marks of the quote come on top, at most two for each line. All
/// together stays below GitHub's 65,536.
const MESSAGE_CHARS_MAX: usize = 20_000;

/// How much of the prompt is shown, in characters. A word that is broken grows by one character, and no two characters can be
/// broken at once.
const PROMPT_CHARS_MAX: usize = 3_000;

/// How much of the summary of the changes is shown, in characters.
const CHANGES_CHARS_MAX: usize = 4_000;

/// How many lines of it are shown without being unfolded.
const OPEN_LINES_MAX: usize = 12;

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
    /// Its prompt, where that can be read; front matter may come first.
    pub prompt: Option<&'a str>,
    /// Whether its prompt is shown, too.
    pub include_prompt: bool,
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
    pub fn request(&self, owner: &str, head: &str, draft: bool) -> PullRequest {
        PullRequest {
            owner: owner.to_owned(),
            repo: self.target.repo().to_owned(),
            base: self.target.branch().to_owned(),
            head: head.to_owned(),
            title: self.title(),
            body: self.body(),
            draft,
        }
    }

    /// Returns the title: the prompt's own, else its first line, else the job's id. Plain text, less than 256 characters.
    #[must_use]
    pub fn title(&self) -> String {
        let said = [self.title.unwrap_or_default(), first_line(self.prompt.unwrap_or_default())];
        let said = said.into_iter().map(|text| line(text, TITLE_CHARS_MAX)).find(|text| !text.is_empty());
        said.unwrap_or_else(|| format!("Work of job {}", self.job))
    }

    /// Returns the body, as Markdown of less than 65,536 characters.
    #[must_use]
    pub fn body(&self) -> String {
        let mut body = String::new();
        let message = self.last_message.unwrap_or_default();
        let (said, is_whole) = harmless_markdown(message, MESSAGE_CHARS_MAX);
        if !said.is_empty() {
            body += "### What the agent says\n\n";
            body += &quoted(&said);
            body += if is_whole { "\n" } else { "\nThis is only the beginning of it.\n\n" };
        }
        if !self.changes.trim().is_empty() {
            body += "### What changed\n\n";
            body += &self.changes_block();
        }
        if let Some(prompt) = self.prompt.filter(|_| self.include_prompt) {
            let (shown, is_whole) = block(without_front_matter(prompt).trim_start(), PROMPT_CHARS_MAX);
            let more = if is_whole { "" } else { "\nThis is only the beginning of it.\n" };
            body += &folded("What the agent was asked", &format!("{}{more}", quoted(&shown)));
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
            "---\nMade by the agent {by} from a prompt for {repo}, branch {branch}.\n\
             All that it said, and more about this job: `pv show {}`\n",
            self.job
        )
    }

    /// Returns which files changed: folded where they are many, with their number above.
    fn changes_block(&self) -> String {
        let lines: Vec<&str> = self.changes.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
        let (shown, is_whole) = block(&lines.join("\n"), CHANGES_CHARS_MAX);
        let shown = shown + if is_whole { "" } else { "\nMore has changed; this list is cut.\n" };
        let last = self.changes.trim_end().lines().last().unwrap_or_default();
        match self.changes.lines().count() {
            0..=OPEN_LINES_MAX => shown + "\n",
            _ => folded(&line(last, NAME_CHARS_MAX).replace(['<', '>', '&'], ""), &shown),
        }
    }
}

/// Returns lines as a quote.
fn quoted(lines: &str) -> String {
    lines.lines().map(|line| format!("> {line}").trim_end().to_owned() + "\n").collect()
}

/// Returns what a reader unfolds: `content` is whole lines of Markdown.
fn folded(summary: &str, content: &str) -> String {
    format!("<details>\n<summary>{summary}</summary>\n\n{content}\n</details>\n\n")
}

/// Returns the prompt without its front matter.
fn without_front_matter(prompt: &str) -> &str {
    let prompt = prompt.trim_start_matches('\u{feff}');
    let mut lines = prompt.split_inclusive('\n');
    if lines.next().map(str::trim) != Some("---") {
        return prompt;
    }
    let mut at = prompt.find('\n').map_or(prompt.len(), |end| end + 1);
    for line in lines {
        at += line.len();
        if matches!(line.trim(), "---" | "...") {
            return &prompt[at..];
        }
    }
    ""
}

/// Returns the first line that says something, without the front matter and the marks of a heading or a list.
fn first_line(prompt: &str) -> &str {
    let lines = without_front_matter(prompt).lines();
    let said = lines.map(|line| line.trim().trim_start_matches(['#', '*', '-', '>', ' ']).trim());
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
            prompt: Some("---\npv:\n  model: m-1\n---\n\n# Gate\n\nMend it, @gardener.\n"),
            include_prompt: false,
            agent: "codex",
            model: Some("m-1"),
            last_message: Some("The **gate** is mended."),
            changes: " gate.rs | 2 +-\n 1 file changed\n",
            verified: Verified::default(),
        });
    }

    #[test]
    fn says_what_was_done_and_how_to_learn_more() {
        with(|work| {
            let end = "Not verified: no checks are configured.\n\n---\nMade by the agent `codex` with `m-1` from a prompt for `o/r`, branch `feature/x`.\n\
                       All that it said, and more about this job: `pv show 0123456789abcdef0123456789abcdef`\n";
            let begin = "### What the agent says\n\n> The **gate** is mended.\n\n\
                         ### What changed\n\n```text\ngate.rs | 2 +-\n1 file changed\n```\n\n";
            assert_eq!(work.body(), format!("{begin}{end}"));
            let request = work.request("o", "pv/1", false);
            assert_eq!((request.full_repo().as_str(), request.base.as_str()), ("o/r", "feature/x"));
            let silent = Work { last_message: Some(" \n"), changes: "", model: None, ..work };
            assert!(
                silent.body().starts_with(
                    "Not verified: no checks are configured.\n\n---\nMade by the agent `codex` from a prompt"
                ),
                "{}",
                silent.body()
            );
            let asked = "<details>\n<summary>What the agent was asked</summary>\n\n\
                         > ```text\n> # Gate\n>\n> Mend it, @\u{200b}gardener.\n> ```\n\n</details>\n\n";
            let with_prompt = Work { include_prompt: true, ..work };
            assert_eq!(with_prompt.body(), format!("{begin}{asked}{end}"));
        });
    }

    #[test]
    fn many_changes_are_folded_with_their_number_above() {
        with(|work| {
            let listed: String = (0..40).map(|n| format!(" src/file{n}.rs | 2 +-\n")).collect();
            let changes = format!("{listed} ...\n 60 files changed, 80 insertions(+)\n");
            let body = Work { changes: &changes, ..work }.body();
            assert!(
                body.contains("<summary>60 files changed, 80 insertions(+)</summary>\n\n```text\nsrc/file0"),
                "{body}"
            );
        });
    }

    #[test]
    fn the_title_is_the_prompts_own_or_its_first_line_or_the_id() {
        with(|work| {
            let check = |title, prompt, expected: &str| {
                assert_eq!(Work { title, prompt: Some(prompt), ..work }.title(), expected);
            };
            check(Some("Mend the gate"), "x", "Mend the gate");
            check(Some(" \u{200b}\n"), "\n\n## Paint it\nred", "Paint it");
            check(None, "---\npv: {model: x}\n---\n\n- [ ] do\n", "[ ] do");
            check(None, "---\n", "Work of job 0123456789abcdef0123456789abcdef");
            check(None, "\u{1b}]0;x\u{7} Fixes #3 for @o\n", "]0;x F\u{200b}ixes #\u{200b}3 for @\u{200b}o");
            let long = "é".repeat(1000);
            assert_eq!(Work { title: Some(&long), ..work }.title().chars().count(), TITLE_CHARS_MAX);
        });
    }

    #[test]
    fn whatever_the_agent_writes_fits_and_only_shows() {
        with(|work| {
            for piece in [
                "`",
                "@a ",
                "@a",
                "fix #1 ",
                "\n",
                "```\n",
                "\u{10ffff}",
                "</details><script>",
                "fix:#1\n",
                "\0",
                "é@",
                "> ",
                "- ",
                "> - 1. ",
                "|a",
                "*a",
                "[a](b)",
                "![",
                "<!--",
                "&#64;a ",
                "a\n\n",
                "https://h/issues/1 ",
                "/pull/1",
                "~~~\n",
            ] {
                let hostile = piece.repeat(100_000 / piece.len());
                let check = pv_lib::job::CheckResult {
                    name: hostile.clone(),
                    command: hostile.clone(),
                    error: Some(hostile.clone()),
                    ..Default::default()
                };
                let (checks, paths) = (vec![check; 20], vec![hostile.clone(); 20]);
                let attempt = pv_lib::job::Attempt { checks: Some(checks.clone()), ..Default::default() };
                let attempts = vec![attempt; 20];
                let verified = Verified {
                    checks: &checks,
                    verified: Some(false),
                    rerun: true,
                    changed: &paths,
                    attempts: &attempts,
                };
                let work = Work {
                    verified,
                    title: Some(&hostile),
                    agent: &hostile,
                    model: Some(&hostile),
                    last_message: Some(&hostile),
                    prompt: Some(&hostile),
                    include_prompt: true,
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
