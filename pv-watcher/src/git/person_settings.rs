//! What a person's own configuration of git says of every repository of theirs: who commits, and what a fresh one begins with.

use camino::Utf8Path;

use super::{clone_settings::Setting, config_entries::Entry, failure::GitFailure, runner::Runner};

/// What is asked of it, as a part of a pattern of `git config`; and what makes the answer another one in another folder.
pub(super) const PERSON_KEYS: &str = r"user\.(name|email)|init\.templatedir|includeif\..*";

/// Whence settings come that count in every repository of the person.
const OF_PERSON: [&str; 3] = ["system", "global", "command"];

/// What a person's configuration says, whatever the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PersonSettings {
    has_name: bool,
    has_email: bool,
    /// Whether it names a folder whose files a fresh repository begins with.
    pub(super) has_templates: bool,
}

impl PersonSettings {
    /// Reads it from what was asked in a clone of theirs by [`PERSON_KEYS`]; `None` where it depends on the folder.
    pub(super) fn of(entries: &[Entry]) -> Option<Self> {
        let of_person = || entries.iter().filter(|entry| OF_PERSON.contains(&entry.scope.as_str()));
        if of_person().any(|entry| entry.key.starts_with("includeif.")) {
            return None;
        }
        let has = |key: &str| of_person().any(|entry| entry.key == key);
        let has_templates = has("init.templatedir");
        Some(Self { has_name: has("user.name"), has_email: has("user.email"), has_templates })
    }
}

/// Returns the settings by which `git commit` works in a checkout: as whom the person's own configuration says, else as
/// `author`. Where that is not known, git is asked in the checkout.
pub(super) fn missing_author<'a>(
    git: &mut Runner<'_>,
    dir: &Utf8Path,
    known: Option<PersonSettings>,
    author: (&'a str, &'a str),
) -> Result<Vec<Setting<'a>>, GitFailure> {
    let (has_name, has_email) = match known {
        Some(known) => (known.has_name, known.has_email),
        None => {
            let ask = ["-C", dir.as_str(), "config", "--null", "--name-only", "--get-regexp", r"^user\.(name|email)$"];
            let known = git.value_if_found(&ask)?.unwrap_or_default();
            let has = |key: &str| known.split(|byte| *byte == 0).any(|name| name == key.as_bytes());
            (has("user.name"), has("user.email"))
        }
    };
    let name = (!has_name).then_some(("user", "name", author.0));
    let email = (!has_email).then_some(("user", "email", author.1));
    Ok(name.into_iter().chain(email).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_person_says_for_every_repository_is_known_elsewhere_too() {
        let check = |entries: &[(&str, &str)], expected: Option<[bool; 3]>| {
            let entry =
                |(scope, key): &(&str, &str)| Entry { scope: (*scope).into(), key: (*key).into(), value: "x".into() };
            let entries: Vec<Entry> = entries.iter().map(entry).collect();
            let expected = expected.map(|[has_name, has_email, has_templates]| PersonSettings {
                has_name,
                has_email,
                has_templates,
            });
            assert_eq!(PersonSettings::of(&entries), expected, "{entries:?}");
        };
        check(&[], Some([false, false, false]));
        check(&[("global", "user.name"), ("system", "user.email")], Some([true, true, false]));
        check(&[("global", "user.name"), ("local", "user.email")], Some([true, false, false]));
        check(&[("worktree", "user.name"), ("command", "user.email")], Some([false, true, false]));
        check(&[("system", "init.templatedir"), ("local", "user.name")], Some([false, false, true]));
        check(&[("global", "user.name"), ("global", "includeif.gitdir:~/work/.path")], None);
        check(&[("local", "includeif.gitdir:~/work/.path")], Some([false, false, false]));
    }
}
