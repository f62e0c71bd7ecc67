//! Showing what somebody set without the credentials that an address in it may carry.

/// Returns what was set for an address, or for a list of them, with `…` for what stands before its last `@`, and for
/// what follows its `?` or `#`.
///
/// It errs on the side of hiding: a password may hold any character, and over HTTP a name alone is as good as one.
#[must_use]
pub fn redact_address(text: &str) -> String {
    let (scheme, rest) = match text.find("://") {
        Some(at) => text.split_at(at + "://".len()),
        None => ("", text),
    };
    let (hidden, rest) = rest.rfind('@').map_or(("", rest), |at| ("…", &rest[at..]));
    // A user may stand before the scheme, in what is no address at all.
    let scheme = if scheme.contains('@') { "…" } else { scheme };
    match rest.find(['?', '#']).filter(|_| !scheme.is_empty()) {
        Some(at) => format!("{scheme}{hidden}{}…", &rest[..=at]),
        None => format!("{scheme}{hidden}{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b04_an_address_is_shown_without_what_opens_it() {
        for (text, shown) in [
            ("http://u:s3cr3t@h:1/api", "http://…@h:1/api"),
            ("https://s3cr3t@h", "https://…@h"),
            ("https://u:s3@cr3t@h/x", "https://…@h/x"),
            ("https://u:s3/c, r3t@h/x", "https://…@h/x"),
            ("u:s3cr3t@h", "…@h"),
            ("u:s3cr3t@h://x", "…x"),
            ("http://h/api?token=s3cr3t", "http://h/api?…"),
            ("http://h/#s3cr3t", "http://h/#…"),
            ("http://a:s3cr3t@h,https://b:s3cr3t@i", "http://…@i"),
            ("http://h:1/api/v1", "http://h:1/api/v1"),
            ("what? #1", "what? #1"),
            ("", ""),
        ] {
            assert_eq!(redact_address(text), shown, "{text}");
        }
    }
}
