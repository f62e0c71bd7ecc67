//! A command with places in it, such as `{workdir}`, which are filled in when a job is started.

use std::fmt;

/// A place in a command, for what a job has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The job's id.
    JobId,
    /// A name that no other start has, of this job's or another's: the id with a number.
    LaunchId,
    /// The checkout.
    Workdir,
    /// The run folder.
    RunDir,
    /// Where the agent keeps what is its own: its login, its sessions.
    AgentHome,
    /// The mirror of the repository, from which a shared checkout borrows.
    Mirror,
    /// Where the agent may leave its last message.
    LastMessageFile,
    /// The home of the user as whom jobs run.
    Home,
    /// The signal that asks the agent to end, without `SIG`.
    Signal,
    /// As a word by itself: `--env NAME` for each variable of the agent.
    Env,
    /// ` 2>&1` where the agent's output and errors are one stream, else nothing.
    Join,
    /// A file with the agent's variables, a `NAME=value` a line.
    EnvFile,
    /// The agent's command as one text for a shell.
    Command,
}

impl Place {
    const ALL: [(&'static str, Self); 13] = [
        ("job_id", Self::JobId),
        ("launch_id", Self::LaunchId),
        ("workdir", Self::Workdir),
        ("run_dir", Self::RunDir),
        ("agent_home", Self::AgentHome),
        ("mirror", Self::Mirror),
        ("last_message_file", Self::LastMessageFile),
        ("home", Self::Home),
        ("signal", Self::Signal),
        ("env", Self::Env),
        ("join", Self::Join),
        ("env_file", Self::EnvFile),
        ("command", Self::Command),
    ];

    /// Tells whether a command that looks after a job, and does not start one, knows this.
    fn is_of_any_command(self) -> bool {
        !matches!(self, Self::Signal | Self::Env | Self::Join | Self::EnvFile | Self::Command)
    }
}

/// What a command of a launcher is for, which decides what it may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It starts the agent.
    Run,
    /// It asks the agent to end.
    Ask,
    /// It looks after an agent, by its name.
    Look,
}

impl Purpose {
    fn allows(self, place: Place) -> bool {
        match self {
            Self::Run => place != Place::Signal,
            Self::Ask => place == Place::Signal || place.is_of_any_command(),
            Self::Look => place.is_of_any_command(),
        }
    }

    /// Returns the places that are allowed, for people.
    #[must_use]
    pub fn places(self) -> String {
        let names = Place::ALL.iter().filter(|(_, place)| self.allows(*place));
        names.map(|(name, _)| format!("{{{name}}}")).collect::<Vec<_>>().join(" ")
    }
}

/// A command with places in it: words, the first of which is a program. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Vec<Piece>>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Place(Place),
}

/// Why words are no command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateFault {
    /// There is no program.
    Empty,
    /// It names a place that is not known, or not here.
    Unknown(String),
    /// `{env}` is a part of a word.
    Env,
}

/// What is filled in.
pub trait Filling {
    /// Returns what stands for a place.
    fn text(&self, place: Place) -> String;
    /// Returns the words that stand for `{env}`.
    fn env(&self) -> Vec<String>;
    /// Returns the agent's command, word by word.
    fn command(&self) -> &[String];
}

impl Template {
    /// Reads a command. A name in braces is a place, unless a `$` is before it, by which a shell knows its variables; all
    /// else is text.
    ///
    /// # Errors
    /// [`TemplateFault`]: nothing of the words is in it but the place that is not known.
    pub fn parse(words: &[String], purpose: Purpose) -> Result<Self, TemplateFault> {
        if words.first().is_none_or(String::is_empty) {
            return Err(TemplateFault::Empty);
        }
        let words = words.iter().map(|word| parse_word(word, purpose)).collect::<Result<Vec<_>, _>>()?;
        let has_part = |word: &Vec<Piece>| word.len() > 1 && word.contains(&Piece::Place(Place::Env));
        if words.iter().any(has_part) { Err(TemplateFault::Env) } else { Ok(Self(words)) }
    }

    /// Tells whether it names a place.
    #[must_use]
    pub fn names(&self, place: Place) -> bool {
        self.0.iter().flatten().any(|piece| *piece == Piece::Place(place))
    }

    /// Returns the words with the places filled in, each once: what is filled in is not read again. In a word with
    /// `{command}` all of them are quoted for a shell.
    #[must_use]
    pub fn filled(&self, filling: &dyn Filling) -> Vec<String> {
        let mut filled = Vec::new();
        for word in &self.0 {
            if *word == [Piece::Place(Place::Env)] {
                filled.extend(filling.env());
                continue;
            }
            let is_shell = word.contains(&Piece::Place(Place::Command));
            let piece = |piece: &Piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Place(Place::Command) => shell_text(filling.command()),
                Piece::Place(place @ Place::Join) => filling.text(*place),
                Piece::Place(place) if is_shell => shell_text(&[filling.text(*place)]),
                Piece::Place(place) => filling.text(*place),
            };
            filled.push(word.iter().map(piece).collect());
        }
        filled
    }
}

/// Shows the command as one would write it.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |wanted: Place| Place::ALL.iter().find(|(_, place)| *place == wanted).map_or("", |(name, _)| name);
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Place(place) => format!("{{{}}}", name(*place)),
        };
        let words: Vec<String> = self.0.iter().map(|word| word.iter().map(piece).collect()).collect();
        f.write_str(&shell_text(&words))
    }
}

/// Returns words as one text that a shell reads as these words.
#[must_use]
pub fn shell_text(words: &[String]) -> String {
    // A zero byte was refused when they were read, and no path has one.
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
}

fn parse_word(word: &str, purpose: Purpose) -> Result<Vec<Piece>, TemplateFault> {
    let (mut pieces, mut text, mut rest) = (Vec::new(), String::new(), word);
    while let Some(brace) = rest.find('{') {
        let (before, from_brace) = rest.split_at(brace);
        text += before;
        let name = from_brace[1..].split_once('}').map(|(name, _)| name).filter(|name| is_name(name));
        match name {
            Some(name) if !text.ends_with('$') => {
                let place = Place::ALL.iter().find(|(known, _)| *known == name).map(|(_, place)| *place);
                let place = place.filter(|place| purpose.allows(*place));
                let place = place.ok_or_else(|| TemplateFault::Unknown(format!("{{{name}}}")))?;
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                }
                pieces.push(Piece::Place(place));
                rest = &from_brace[name.len() + 2..];
            }
            _ => {
                text.push('{');
                rest = &from_brace[1..];
            }
        }
    }
    text += rest;
    if !text.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Ok(pieces)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(Vec<String>);

    impl Filling for Fixed {
        fn text(&self, place: Place) -> String {
            match place {
                Place::Join => " 2>&1".into(),
                Place::Workdir => "/w/{job_id} x".into(),
                _ => format!("{place:?}"),
            }
        }

        fn env(&self) -> Vec<String> {
            ["--env", "A", "--env", "B"].map(str::to_owned).into()
        }

        fn command(&self) -> &[String] {
            &self.0
        }
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn places_are_filled_in_once_and_all_else_is_text() {
        let check = |template: &[&str], expected: &[&str]| {
            let parsed = Template::parse(&words(template), Purpose::Run).unwrap();
            assert_eq!(parsed.filled(&Fixed(words(&["codex", "a b"]))), expected, "{template:?}");
        };
        check(&["srun", "--job-name=pv-{job_id}"], &["srun", "--job-name=pv-JobId"]);
        check(
            &["podman", "{env}", "-v", "{workdir}:{workdir}"],
            &["podman", "--env", "A", "--env", "B", "-v", "/w/{job_id} x:/w/{job_id} x"],
        );
        check(&["sh", "-c", "cd \"$0\" && exec \"$@\"{join}"], &["sh", "-c", "cd \"$0\" && exec \"$@\" 2>&1"]);
        check(
            &["ssh", "cd {workdir} && exec {command}{join}"],
            &["ssh", "cd '/w/{job_id} x' && exec codex 'a b' 2>&1"],
        );
        check(
            &["sh", "-c", "f=${f%/environ}; echo ${f} {} {{.Names}} {a,b} }{", ""],
            &["sh", "-c", "f=${f%/environ}; echo ${f} {} {{.Names}} {a,b} }{", ""],
        );
    }

    #[test]
    fn what_is_not_known_or_not_here_is_named() {
        let check = |template: &[&str], purpose, expected: &str| {
            let fault = Template::parse(&words(template), purpose).unwrap_err();
            assert_eq!(fault, TemplateFault::Unknown(expected.into()), "{template:?}");
        };
        check(&["a", "{jobid}"], Purpose::Run, "{jobid}");
        check(&["a", "x{WORKDIR}"], Purpose::Run, "{WORKDIR}");
        check(&["a", "{signal}"], Purpose::Run, "{signal}");
        check(&["a", "{signal}"], Purpose::Look, "{signal}");
        check(&["a", "{env}"], Purpose::Look, "{env}");
        check(&["a", "{command}"], Purpose::Ask, "{command}");
        assert_eq!(Template::parse(&[], Purpose::Look), Err(TemplateFault::Empty));
        assert_eq!(Template::parse(&words(&["", "a"]), Purpose::Look), Err(TemplateFault::Empty));
        assert_eq!(Template::parse(&words(&["a", "x{env}"]), Purpose::Run), Err(TemplateFault::Env));
        assert!(Purpose::Ask.places().contains("{signal}") && !Purpose::Look.places().contains("{signal}"));
    }

    #[test]
    fn it_is_shown_as_it_is_written() {
        let template = Template::parse(&words(&["a", "{job_id} x", "it's"]), Purpose::Look).unwrap();
        assert_eq!(template.to_string(), r#"a '{job_id} x' "it's""#);
        assert!(template.names(Place::JobId) && !template.names(Place::Home));
    }
}
