//! The environment of the process that started a supervisor, whose values may be secrets.

use std::{ffi::OsString, fmt, ops::Deref};

/// Variables with their values. It shows names only, wherever it is printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(Vec<(OsString, OsString)>);

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Deref for Environment {
    type Target = [(OsString, OsString)];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_and_values_are_not() {
        let environment: Environment = [("OPENAI_API_KEY".into(), "sk-secret".into())].into_iter().collect();
        assert_eq!(format!("{environment:?}"), r#"["OPENAI_API_KEY"]"#);
        assert_eq!(environment[0].1, "sk-secret");
    }
}
