//! Which variables are ours: settings of Prompt Valet and its secrets, which no other program is given.

use std::ffi::{OsStr, OsString};

/// What the names of our variables begin with.
const OURS: &[u8] = b"PV_";

/// Tells whether a variable is one of ours.
pub(crate) fn is_ours(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(OURS)
}

/// Returns what is left of an environment without our variables: what any program may be given.
pub(crate) fn without_ours(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> impl Iterator<Item = (OsString, OsString)> {
    environment.into_iter().filter(|(name, _)| !is_ours(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bug_5_no_variable_of_ours_is_given_away_whatever_it_is_called() {
        let names = ["PATH", "PV_API_TOKEN", "PV_", "PV_API_TOKEN\u{e9}", "MY_PV_TOKEN", "PVX", "pv_api_token", "PV"];
        let environment = names.map(|name| (OsString::from(name), OsString::from("x")));
        let left: Vec<_> = without_ours(environment).map(|(name, _)| name.into_string().unwrap()).collect();
        assert_eq!(left, ["PATH", "MY_PV_TOKEN", "PVX", "pv_api_token", "PV"]);
    }
}
