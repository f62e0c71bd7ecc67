//! `pv diff`: prints what a job changed.

mod ignored;

use pv_lib::text::source_line;
use serde_json::json;

use super::job_args::JobArg;
use crate::{
    backend,
    context::Context,
    exit::{Exit, Failure, Outcome},
    render::Out,
};

/// The longest patch that is put into a JSON document, in bytes.
const MAX_JSON_BYTES: usize = 64 << 20;

/// The longest line of a patch that is held until its newline comes, in bytes.
const MAX_LINE_BYTES: usize = 64 << 10;

/// What turns colours off again.
const RESET: &str = "\x1b[0m";

/// Arguments of `pv diff`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    job: JobArg,
    /// List the files that git ignores and that are kept with the patch
    #[arg(long)]
    ignored: bool,
}

/// Prints the patch: to a terminal as visible text, elsewhere the bytes as they are.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome {
    let backend = backend::open(context)?;
    let id = args.job.resolve(&*backend)?;
    if args.ignored {
        return ignored::run(&id, context);
    }
    let mut out = Out::new();
    if context.json {
        let mut patch = Vec::new();
        backend.patch(&id, &mut |bytes| {
            patch.extend_from_slice(bytes);
            if patch.len() > MAX_JSON_BYTES {
                let message = format!("the patch is larger than {MAX_JSON_BYTES} bytes: leave out --json");
                return Err(Failure::new(Exit::Refused, message));
            }
            Ok(())
        })?;
        out.json(&json!({ "job_id": id, "patch": String::from_utf8_lossy(&patch) }))?;
    } else if out.terminal().width.is_some() {
        let mut text = PatchText::new(out.terminal().colours);
        backend.patch(&id, &mut |bytes| out.bytes(text.take(bytes).as_bytes()))?;
        out.bytes(text.rest().as_bytes())?;
    } else {
        backend.patch(&id, &mut |bytes| out.bytes(bytes))?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

/// Makes a patch fit for a terminal, line by line as it comes.
#[derive(Debug)]
struct PatchText {
    has_colours: bool,
    /// Whether lines are those of files, and no more what names them.
    in_hunk: bool,
    /// The colour of a line of which a part was printed.
    continued: Option<&'static str>,
    rest: Vec<u8>,
}

impl PatchText {
    fn new(has_colours: bool) -> Self {
        Self { has_colours, in_hunk: false, continued: None, rest: Vec::new() }
    }

    /// Takes bytes, and returns the text of every line that is complete, and of the beginning of one that is long.
    fn take(&mut self, bytes: &[u8]) -> String {
        let mut out = String::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.rest.len() > MAX_LINE_BYTES {
                out += &self.rest();
            }
        }
        out
    }

    /// Returns the text of what has come without a newline.
    fn rest(&mut self) -> String {
        let bytes = std::mem::take(&mut self.rest);
        let (line, end) = bytes.strip_suffix(b"\n").map_or((&bytes[..], ""), |line| (line, "\n"));
        let colour = self.continued.unwrap_or_else(|| self.colour(line));
        self.continued = end.is_empty().then_some(colour).filter(|_| !bytes.is_empty());
        let text = source_line(&String::from_utf8_lossy(line));
        let reset = if colour.is_empty() || text.is_empty() { "" } else { RESET };
        if reset.is_empty() { text + end } else { format!("{colour}{text}{reset}{end}") }
    }

    fn colour(&mut self, line: &[u8]) -> &'static str {
        if line.starts_with(b"diff ") {
            self.in_hunk = false;
        }
        let is_place = line.starts_with(b"@@");
        self.in_hunk |= is_place;
        match line.first() {
            _ if !self.has_colours => "",
            _ if !self.in_hunk => "\x1b[1m",
            _ if is_place => "\x1b[36m",
            Some(b'+') => "\x1b[32m",
            Some(b'-') => "\x1b[31m",
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(patch: &[u8], coloured: &str, plain: &str) {
        for (has_colours, expected) in [(true, coloured), (false, plain)] {
            for size in 1..=patch.len() {
                let mut text = PatchText::new(has_colours);
                let mut got: String = patch.chunks(size).map(|chunk| text.take(chunk)).collect();
                got += &text.rest();
                assert_eq!(got, expected, "in pieces of {size}");
            }
        }
    }

    #[test]
    fn lines_have_the_colours_that_they_have_in_git() {
        check(
            b"diff --git a/x b/x\n--- a/x\n@@ -1 +1 @@\n \tsame\n--- no name\n+new\ndiff --git a/y b/y\n",
            "\x1b[1mdiff --git a/x b/x\x1b[0m\n\x1b[1m--- a/x\x1b[0m\n\x1b[36m@@ -1 +1 @@\x1b[0m\n \tsame\n\
             \x1b[31m--- no name\x1b[0m\n\x1b[32m+new\x1b[0m\n\x1b[1mdiff --git a/y b/y\x1b[0m\n",
            "diff --git a/x b/x\n--- a/x\n@@ -1 +1 @@\n \tsame\n--- no name\n+new\ndiff --git a/y b/y\n",
        );
    }

    #[test]
    fn g30_a_patch_cannot_steer_the_terminal_or_hide() {
        check(
            b"@@\n+\x1b[8m\x1b]0;t\x07\r\n+\xe2\x80\xae\xff",
            "\x1b[36m@@\x1b[0m\n\x1b[32m+^[[8m^[]0;t^G^M\x1b[0m\n\x1b[32m+<U+202E>\u{fffd}\x1b[0m",
            "@@\n+^[[8m^[]0;t^G^M\n+<U+202E>\u{fffd}",
        );
    }

    #[test]
    fn a_long_line_keeps_its_colour() {
        let mut text = PatchText::new(true);
        text.take(b"@@\n");
        let line = [b"-".as_slice(), &[b'+'; 2 * MAX_LINE_BYTES], b"\n+"].concat();
        let got: String = line.chunks(1000).map(|chunk| text.take(chunk)).collect();
        assert!(got.matches("\x1b[31m").count() > 1 && !got.contains("\x1b[32m"));
    }
}
