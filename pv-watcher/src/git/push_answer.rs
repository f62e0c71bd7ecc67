//! All that git and a remote say about one push, within a limit; and the lines of it that say why.

use std::collections::VecDeque;

use pv_lib::text::{without_credentials, without_invisible};

use crate::process::{OutputSink, OutputTail, Source};

/// How much of the beginning, and of the end, is kept, in bytes.
const KEPT_BYTES: usize = 64 << 10;

/// How much of a line is looked at, in bytes.
const LINE_BYTES_MAX: usize = 4096;

/// How many lines are taken for the cause.
const CAUSES_MAX: usize = 4;

/// How much of one of them is repeated in a message, in characters.
const CAUSE_CHARS_MAX: usize = 300;

/// What a line of a remote begins with.
const REMOTE: &str = "remote:";

/// What begins a line in which a program says that something is wrong.
const MARKS: [&str; 4] = ["error:", "fatal:", "gitlab:", "denied:"];

/// What a line says that names a rule, or that something broke one.
const RULES: [&str; 19] = [
    "must ",
    "cannot ",
    "can't ",
    "not allowed",
    "not permitted",
    "denied",
    "declined",
    "rejected",
    "refused",
    "forbidden",
    "prohibited",
    "protected",
    "violat",
    "does not match",
    "do not match",
    "invalid",
    "exceeds",
    "too large",
    "too long",
];

/// How lines begin that say nothing of a cause: what git adds to every failure, and progress.
const NOISE: [&str; 12] = [
    "error: failed to push some refs",
    "hint:",
    "warning:",
    "enumerating objects",
    "counting objects",
    "compressing objects",
    "writing objects",
    "resolving deltas",
    "delta compression",
    "unpacking objects",
    "checking connectivity",
    "total ",
];

/// What was said about a push: its beginning and its end, and the lines that look like its cause.
#[derive(Debug, Default)]
pub(crate) struct PushAnswer {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    left_out: u64,
    line: Vec<u8>,
    causes: Vec<Cause>,
    lines: usize,
    /// Whether the line before begins a cause, whose particulars may follow in a list.
    is_explained: bool,
    words: OutputTail,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Cause {
    likelihood: Likelihood,
    line: usize,
    text: String,
}

/// How likely a line is the cause: the first is the likeliest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likelihood {
    /// A program says that this is wrong.
    Marked,
    /// An entry of a list that follows such a line, or a line that names a rule.
    Rule,
    /// Anything else that the remote says.
    Remote,
}

impl OutputSink for PushAnswer {
    fn append(&mut self, source: Source, bytes: &[u8]) {
        self.words.append(source, bytes);
        for byte in bytes {
            match byte {
                b'\n' | b'\r' => self.end_line(),
                byte if self.line.len() < LINE_BYTES_MAX => self.line.push(*byte),
                _ => {}
            }
        }
        let to_head = (KEPT_BYTES - self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..to_head]);
        self.tail.extend(&bytes[to_head..]);
        let over = self.tail.len().saturating_sub(KEPT_BYTES);
        self.tail.drain(..over);
        self.left_out += over as u64;
    }

    fn is_done(&self) -> bool {
        false
    }
}

impl PushAnswer {
    /// Returns the lines that say why, the likeliest first; empty where the remote said nothing.
    pub(crate) fn causes(&mut self) -> Vec<String> {
        self.end_line();
        self.causes.iter().map(|cause| cause.text.clone()).collect()
    }

    /// Returns the last lines in their order, as other calls of git are quoted.
    pub(crate) fn last_words(&self) -> String {
        self.words.clone().into_string()
    }

    /// Returns all that was said, without the secrets that an URL may carry; a mark stands for what is left out.
    pub(crate) fn text(&self) -> String {
        let tail: Vec<u8> = self.tail.iter().copied().collect();
        let mark = match self.left_out {
            0 => String::new(),
            bytes => format!("\n[pv: {bytes} bytes are left out here]\n"),
        };
        let all = [self.head.as_slice(), mark.as_bytes(), &tail].concat();
        let text = String::from_utf8_lossy(&all);
        text.lines().map(|line| without_credentials(line.trim_end()) + "\n").collect()
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = without_credentials(without_invisible(&String::from_utf8_lossy(&line).replace('\t', " ")).trim());
        // What erases a line on a terminal is no longer an escape without its first character.
        let line = line.strip_suffix("[K").unwrap_or(&line).trim_end();
        self.lines += 1;
        let Some((likelihood, text)) = cause(line, self.is_explained) else {
            return;
        };
        if likelihood == Likelihood::Marked {
            self.is_explained = true;
        }
        let text = text.chars().take(CAUSE_CHARS_MAX).collect();
        self.causes.push(Cause { likelihood, line: self.lines, text });
        self.causes.sort();
        self.causes.truncate(CAUSES_MAX);
    }
}

/// Tells how likely a line is the cause, and returns what it says without what git puts before it; `None` where it is none.
fn cause(line: &str, is_explained: bool) -> Option<(Likelihood, &str)> {
    let remote = line.strip_prefix(REMOTE).map(str::trim);
    let said = remote.unwrap_or(line);
    let lower = said.to_ascii_lowercase();
    let is_decoration = !said.contains(|c: char| c.is_alphanumeric());
    if is_decoration || NOISE.iter().any(|noise| lower.starts_with(noise)) {
        return None;
    }
    let entry = said.strip_prefix(['-', '*', '•']).map(str::trim_start).filter(|_| is_explained);
    let likelihood = if MARKS.iter().any(|mark| lower.starts_with(mark)) || has_code(said) {
        Likelihood::Marked
    } else if entry.is_some() || (remote.is_some() && RULES.iter().any(|rule| lower.contains(rule))) {
        Likelihood::Rule
    } else if remote.is_some() {
        Likelihood::Remote
    } else {
        return None;
    };
    Some((likelihood, entry.unwrap_or(said)))
}

/// Tells whether a line begins with the number of an error, as `GH013: …` and `TF402455: …` do.
fn has_code(said: &str) -> bool {
    let Some((code, _)) = said.split_once(':') else { return false };
    let digits = code.trim_start_matches(|c: char| c.is_ascii_uppercase());
    let letters = code.len() - digits.len();
    (2..=6).contains(&letters) && digits.len() >= 3 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(said: &str) -> PushAnswer {
        let mut answer = PushAnswer::default();
        said.as_bytes().chunks(7).for_each(|chunk| answer.append(Source::Errors, chunk));
        answer
    }

    /// A hook's 40 lines, one of which is the cause.
    fn forty(at: usize, cause: &str) -> String {
        let line =
            |n: usize| if n == at { format!("remote: {cause}\n") } else { format!("remote: line {n}        \n") };
        (1..=40).map(line).collect::<String>() + "error: failed to push some refs to '/r.git'\n"
    }

    #[test]
    fn c12_the_cause_comes_first_wherever_it_stands() {
        let check = |said: &str, expected: &[&str]| {
            let causes = answer(said).causes();
            assert_eq!(&causes[..expected.len().min(causes.len())], expected, "{said}");
        };
        for at in [1, 2, 20, 40] {
            check(&forty(at, "error: no binaries"), &["error: no binaries", "line 1"][..1]);
            check(&forty(at, "GH001: Large files detected."), &["GH001: Large files detected."]);
            check(&forty(at, "GitLab: You are not one of us."), &["GitLab: You are not one of us."]);
            check(&forty(at, "commits must be signed"), &["commits must be signed"]);
        }
        check(&forty(2, "nobody knows"), &["line 1", "nobody knows", "line 3", "line 4"]);
        check(
            "remote: error: GH013: Repository rule violations found for refs/heads/codex/x.\u{1b}[K\n\
             remote: Review all repository rules at https://github.com/o/r/rules?ref=x\n\
             remote: \n\
             remote: - Branch name must match a given pattern\n\
             remote:    —————————————————\n",
            &[
                "error: GH013: Repository rule violations found for refs/heads/codex/x.",
                "Branch name must match a given pattern",
                "Review all repository rules at https://github.com/o/r/rules?ref=x",
            ],
        );
        check(
            "remote: TF402455: Pushes to this branch are not permitted.\n",
            &["TF402455: Pushes to this branch are not permitted."],
        );
        check("remote: Counting objects: 100% (3/3), done.\rhint: Updates were rejected\n", &[]);
        check("remote: see https://u:secret@h/x\n", &["see https://h/x"]);
        assert_eq!(answer("error: failed to push some refs to 'x'\n").causes(), Vec::<String>::new());
    }

    #[test]
    fn c12_all_of_an_answer_is_kept_within_a_limit() {
        let long: String = (0..20_000).map(|n| format!("remote: line {n}\n")).collect();
        let said = format!("remote: first\n{long}remote: error: in the middle\n{long}remote: last\n");
        let mut long = answer(&said);
        let text = long.text();
        assert!(text.starts_with("remote: first\n") && text.ends_with("remote: last\n"));
        assert!(text.len() < 2 * KEPT_BYTES + 100 && text.contains("bytes are left out here]\n"), "{}", text.len());
        assert_eq!(long.causes()[0], "error: in the middle", "it is in the message although the file has it not");
        assert_eq!(answer(&forty(2, "x")).text().lines().count(), 41);
        assert_eq!(answer("to https://u:p@h/x\r\n").text(), "to https://h/x\n");
    }
}
