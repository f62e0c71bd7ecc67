//! The person's own ignore file, for looks at the person's own clone: in a job's checkout it does not count.

use std::ffi::OsString;

use camino::Utf8Path;

use super::{failure::GitFailure, runner::Runner};

/// What our own calls set instead.
const OURS: &str = "/dev/null";

/// Returns the setting that makes git use the ignore file that the person's configuration names, or git's own default, in a
/// clone of the person's.
///
/// # Errors
/// [`GitFailure`] where git cannot be asked.
pub(crate) fn excludes_setting(
    git: &mut Runner<'_>,
    clone: &Utf8Path,
    environment: &[(OsString, OsString)],
) -> Result<String, GitFailure> {
    let ask = ["config", "--null", "--show-scope", "--type=path", "--get-all", "core.excludesFile"];
    let listed = git.value_in(clone, &ask)?.unwrap_or_default();
    let listed = String::from_utf8_lossy(&listed);
    let variable = |name: &str| {
        let found = environment.iter().find(|(known, value)| known == name && !value.is_empty());
        found.and_then(|(_, value)| value.to_str())
    };
    let file = named(&listed).map(str::to_owned);
    let file = file.or_else(|| default_file(variable("XDG_CONFIG_HOME"), variable("HOME")));
    Ok(format!("core.excludesFile={}", file.as_deref().unwrap_or(OURS)))
}

/// Reads what git lists, pairs of a scope and a value: the last value that is not ours.
fn named(listed: &str) -> Option<&str> {
    let parts: Vec<&str> = listed.split_terminator('\0').collect();
    let pairs = parts.chunks_exact(2).map(|pair| (pair[0], pair[1]));
    pairs.filter(|pair| *pair != ("command", OURS)).map(|(_, value)| value).next_back()
}

/// Returns git's own default: `git/ignore` among the person's settings.
fn default_file(config_home: Option<&str>, home: Option<&str>) -> Option<String> {
    let folder = config_home.map(str::to_owned).or_else(|| home.map(|home| format!("{home}/.config")))?;
    Some(format!("{folder}/git/ignore"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_persons_ignore_file_is_the_last_that_is_not_ours() {
        let check = |listed: &str, expected: Option<&str>| assert_eq!(named(listed), expected, "{listed:?}");
        check("", None);
        check("command\0/dev/null\0", None);
        check("global\0/home/me/i\0command\0/dev/null\0", Some("/home/me/i"));
        check("global\0/a\0local\0/b\0command\0/dev/null\0", Some("/b"));
        assert_eq!(default_file(Some("/x"), Some("/h")).as_deref(), Some("/x/git/ignore"));
        assert_eq!(default_file(None, Some("/h")).as_deref(), Some("/h/.config/git/ignore"));
        assert_eq!(default_file(None, None), None);
    }
}
