//! Where agents keep what is their own: found by the variables that they are given.

use std::ffi::OsString;

use camino::Utf8PathBuf;

/// Returns the path in a variable, where it has an absolute one.
pub(super) fn named(variables: &[(OsString, OsString)], name: &str) -> Option<Utf8PathBuf> {
    let (_, value) = variables.iter().find(|(known, _)| known == name)?;
    Some(Utf8PathBuf::from(value.to_str()?)).filter(|path| path.is_absolute())
}

/// Returns the path in a variable, else one below the home.
pub(super) fn named_or_below_home(variables: &[(OsString, OsString)], name: &str, below: &str) -> Option<Utf8PathBuf> {
    named(variables, name).or_else(|| named(variables, "HOME").map(|home| home.join(below)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::known::adapter;

    #[test]
    fn an_agents_own_folders_are_where_its_variables_say_or_below_the_home() {
        let check = |agent: &str, variables: &[(&str, &str)], expected: &[&str]| {
            let variables: Vec<(OsString, OsString)> =
                variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            let found: Vec<String> = adapter(agent).homes(&variables).iter().map(ToString::to_string).collect();
            assert_eq!(found, expected, "{agent} {variables:?}");
        };
        let home = ("HOME", "/home/me");
        check("codex", &[home], &["/home/me/.codex"]);
        check("codex", &[home, ("CODEX_HOME", "/x"), ("CODEX_SQLITE_HOME", "/y")], &["/x", "/y"]);
        check("claude", &[home, ("CLAUDE_CONFIG_DIR", "relative")], &["/home/me/.claude"]);
        check("claude", &[home, ("CLAUDE_CONFIG_DIR", "/c")], &["/c"]);
        check(
            "opencode",
            &[home, ("XDG_CONFIG_HOME", "/conf"), ("OPENCODE_CONFIG", "/o.json")],
            &[
                "/home/me/.local/share/opencode",
                "/conf/opencode",
                "/home/me/.local/state/opencode",
                "/home/me/.cache/opencode",
                "/o.json",
            ],
        );
        check("mine", &[home], &[]);
        check("codex", &[], &[]);
    }
}
