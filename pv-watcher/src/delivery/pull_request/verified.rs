//! What a pull request says of how its work was verified.

use pv_lib::job::{Attempt, CheckResult};

use super::sanitize::code;

/// How many checks, and how many paths, are named.
const NAMED_MAX: usize = 10;

/// The longest command, or path, in characters.
const SHOWN_CHARS_MAX: usize = 60;

/// What the checks said of the work that is delivered.
#[derive(Debug, Clone, Copy, Default)]
pub struct Verified<'a> {
    /// What each check came to.
    pub checks: &'a [CheckResult],
    /// Whether all of them are green, where that can be told.
    pub verified: Option<bool>,
    /// Whether they ran once more after a supervisor was gone.
    pub rerun: bool,
    /// The files that the checks run from and that the work changes.
    pub changed: &'a [String],
    /// The runs of the agent.
    pub attempts: &'a [Attempt],
}

impl Verified<'_> {
    /// Returns the lines, as Markdown: "Verified by `cargo test` (exit 0, 41 s).", or that it is not, and why.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let each = list(self.checks.iter().map(shown));
        let mut lines = vec![match self.verified {
            Some(true) => format!("Verified by {each}."),
            Some(false) => format!("Not verified: {each}."),
            None if self.checks.is_empty() => "Not verified: no checks are configured.".to_owned(),
            None => format!("Not verified: the checks did not all run to their end ({each})."),
        }];
        if let Some((last, earlier)) = self.attempts.split_last().filter(|(_, earlier)| !earlier.is_empty()) {
            let red = |attempt: &Attempt| {
                let red = attempt.checks.iter().flatten().filter(|check| !check.is_green());
                let names = list(red.map(|check| code(&check.name, SHOWN_CHARS_MAX)).collect::<Vec<_>>().into_iter());
                let what = if names.is_empty() { "was not checked".to_owned() } else { format!("was red: {names}") };
                format!("attempt {} {what}", attempt.number)
            };
            lines.push(format!("It is attempt {} of the agent; {}.", last.number, list(earlier.iter().map(red))));
        }
        if self.rerun {
            lines.push("The checks ran once more, since their supervisor ended before they did.".to_owned());
        }
        if !self.changed.is_empty() {
            let paths = list(self.changed.iter().map(|path| code(path, SHOWN_CHARS_MAX)));
            lines.push(format!("This change touches what the checks run from: {paths}."));
        }
        lines
    }
}

/// Names the first few, and counts the others.
fn list(all: impl ExactSizeIterator<Item = String>) -> String {
    let more = all.len().saturating_sub(NAMED_MAX);
    let named: Vec<String> = all.take(NAMED_MAX).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    named.join(", ") + &more
}

fn shown(check: &CheckResult) -> String {
    let ending: String = check.ending().chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(80).collect();
    format!(
        "{} ({})",
        code(&check.command, SHOWN_CHARS_MAX),
        ending.replace(['`', '<', '>', '@', '#', '[', '*', '_'], "")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_by_what_the_work_is_verified_or_why_it_is_not() {
        let check = |command: &str, exit_code, seconds| CheckResult {
            command: command.into(),
            exit_code: Some(exit_code),
            seconds,
            ..CheckResult::default()
        };
        let (green, red) = (check("cargo test", 0, 41.2), check("make lint", 2, 3.0));
        let lines = |checks: &[CheckResult], verified| Verified { checks, verified, ..Verified::default() }.lines();
        assert_eq!(lines(std::slice::from_ref(&green), Some(true)), ["Verified by `cargo test` (exit 0, 41 s)."]);
        assert_eq!(
            lines(&[green.clone(), red], Some(false)),
            ["Not verified: `cargo test` (exit 0, 41 s), `make lint` (exit 2, 3.0 s)."]
        );
        assert_eq!(lines(&[], None), ["Not verified: no checks are configured."]);
        assert!(lines(std::slice::from_ref(&green), None)[0].starts_with("Not verified: the checks did not all run"));
        let changed = ["tests/a.sh".to_owned(), "Makefile".to_owned()];
        let attempt = |number, exit_code| {
            let named = |name: &str, exit_code| CheckResult { name: name.into(), ..check("", exit_code, 1.0) };
            let checks = Some(vec![named("test", exit_code), named("lint", exit_code), named("list", 0)]);
            Attempt { number, checks, ..Attempt::default() }
        };
        let attempts = [attempt(1, 3), Attempt { number: 2, ..Attempt::default() }, attempt(3, 0)];
        let all =
            Verified { checks: &[green], verified: Some(true), rerun: true, changed: &changed, attempts: &attempts };
        assert_eq!(Verified { attempts: &attempts[..1], ..all }.lines().len(), 3, "one is not worth a word");
        assert_eq!(
            all.lines()[1..],
            [
                "It is attempt 3 of the agent; attempt 1 was red: `test`, `lint`, attempt 2 was not checked.",
                "The checks ran once more, since their supervisor ended before they did.",
                "This change touches what the checks run from: `tests/a.sh`, `Makefile`.",
            ]
        );
        let hostile = check("echo `x` @everyone fixes #1 <script>\n", 0, 1.0);
        let line = &lines(&[hostile], Some(true))[0];
        assert!(!line.contains('\n') && line.starts_with("Verified by `"), "{line}");
    }
}
