//! What this program says it is.

/// The version and, where the build knew it, the commit: `0.1.0 (abcdef1)`.
pub(crate) const VERSION: &str = env!("PV_BUILD_VERSION");

/// The version alone.
pub(crate) const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// The commit that it was built from, with `-dirty` behind it where its sources differed from that.
pub(crate) const COMMIT: Option<&str> = {
    const SAID: &str = env!("PV_BUILD_COMMIT");
    if SAID.is_empty() { None } else { Some(SAID) }
};

/// Returns a version and a commit, if there is one, as [`VERSION`] has them.
pub(crate) fn with_commit(version: &str, commit: Option<&str>) -> String {
    commit.map_or_else(|| version.to_owned(), |commit| format!("{version} ({commit})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_what_its_parts_make() {
        assert_eq!(VERSION, with_commit(RELEASE, COMMIT));
        let digits = COMMIT.map(|commit| commit.strip_suffix("-dirty").unwrap_or(commit));
        assert!(digits.is_none_or(|digits| digits.len() == 7 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())));
    }
}
