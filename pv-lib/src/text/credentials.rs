//! URLs without credentials.

/// Returns a line without what stands before the `@` of an URL: a name, which over HTTP is as good as a password, and a
/// password. The user of an `ssh://` address is a part of where it leads, and stays.
#[must_use]
pub fn without_credentials(line: &str) -> String {
    let mut parts = line.split("://");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let authority = part.find(['/', ' ', '\'', '"']).unwrap_or(part.len());
        let at = part[..authority].rfind('@');
        let name = at.map(|at| &part[..at]).filter(|name| clean.ends_with("ssh") && !name.contains(':'));
        let kept = if name.is_some() { part } else { at.map_or(part, |at| &part[at + 1..]) };
        clean += "://";
        clean += kept;
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_the_host_of_an_url_is_left_out() {
        let check = |line: &str, expected: &str| assert_eq!(without_credentials(line), expected);
        check("", "");
        check("at 'https://user:pw@host/a@b': refused", "at 'https://host/a@b': refused");
        check("ssh://git@host/a ssh://git:pw@host/b", "ssh://git@host/a ssh://host/b");
        check("http://t@h https://x", "http://h https://x");
    }
}
