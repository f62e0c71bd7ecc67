//! What is asked for, and what comes of it.

/// The longest address of a page that is believed, in bytes.
const ADDRESS_BYTES_MAX: usize = 2048;

/// A request to take the branch `head` into the branch `base` of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// The repository's owner.
    pub owner: String,
    /// The repository's name.
    pub repo: String,
    /// The branch that is to take the change.
    pub base: String,
    /// The branch with the change, in the same repository.
    pub head: String,
    /// One line of plain text.
    pub title: String,
    /// Markdown.
    pub body: String,
    /// Whether it is to be a draft.
    pub draft: bool,
}

impl PullRequest {
    /// Returns `owner/repo`.
    #[must_use]
    pub fn full_repo(&self) -> String {
        format!("{}/{}", self.owner, self.repo)
    }
}

/// A pull request that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Its page, an `http` or `https` address.
    pub url: String,
    /// Whether it was there before, for the same two branches.
    pub was_there: bool,
    /// Whether it was to be a draft and is none, since the host takes no drafts there.
    pub lacks_draft: bool,
}

impl Opened {
    /// Returns its number, which its address ends with.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        self.url.rsplit('/').next()?.parse().ok()
    }
}

/// Returns `said` if it is the address of a web page: `http` or `https`, one word, of bounded length, without the name
/// of a user or a password. What a host says is shown to people, who click on it.
#[must_use]
pub fn page_address(said: &str) -> Option<&str> {
    let rest = said.strip_prefix("https://").or_else(|| said.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let usable = said.len() <= ADDRESS_BYTES_MAX
        && said.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'<' | b'>' | b'\\' | b'`'))
        && !authority.is_empty()
        && !authority.contains('@');
    usable.then_some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_address_of_a_web_page_is_believed() {
        for good in ["https://github.com/o/r/pull/1", "http://127.0.0.1:80/o/r/pull/1"] {
            assert_eq!(page_address(good), Some(good));
        }
        let long = format!("https://h/{}", "a".repeat(ADDRESS_BYTES_MAX));
        for bad in [
            "",
            "https://",
            "https:///o/r",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "ftp://h/x",
            "HTTPS://h/x",
            "https://github.com@evil.example/o/r/pull/1",
            "https://h/a b",
            "https://h/\u{1b}[31m",
            "https://h/\u{202e}x",
            "https://h/\"onclick",
            "https://h/x\n",
            &long,
        ] {
            assert_eq!(page_address(bad), None, "{bad:?}");
        }
    }
}
