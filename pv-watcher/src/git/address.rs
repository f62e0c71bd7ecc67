//! The addresses of repositories: which host they name, and over what.

/// Returns scheme and authority of an HTTP address, without a user; `None` for any other.
pub(crate) fn http_base(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    let plain = matches!(scheme, "https" | "http") && !authority.contains('@');
    plain.then(|| &url[..scheme.len() + 3 + authority.len()])
}

/// Returns the host that an address names, in the form of an URL or in the one of scp; `None` for a path.
pub(crate) fn host_in(url: &str) -> Option<&str> {
    host_and_port(url).map(|(host, _)| host)
}

/// Returns the host of an authority, without its port.
pub(crate) fn host_of(authority: &str) -> &str {
    split_port(authority).0
}

/// Returns the host that an address names, and the port where it names one; `None` for a path.
pub(super) fn host_and_port(url: &str) -> Option<(&str, Option<&str>)> {
    let authority = match url.split_once("://") {
        Some((_, rest)) => rest.split('/').next()?,
        None => url.split_once(':').map(|(host, _)| host).filter(|host| !host.contains('/'))?,
    };
    let (host, port) = split_port(authority.rsplit('@').next()?);
    (!host.is_empty()).then_some((host, port))
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    let port = authority.rfind(':').filter(|at| authority[at + 1..].bytes().all(|b| b.is_ascii_digit()));
    port.map_or((authority, None), |at| (&authority[..at], Some(&authority[at + 1..]).filter(|port| !port.is_empty())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_host_and_perhaps_a_port() {
        let check = |url: &str, expected| assert_eq!(host_and_port(url), expected, "{url}");
        check("https://h.example/o/r.git", Some(("h.example", None)));
        check("https://u:p@h:8443/o/r", Some(("h", Some("8443"))));
        check("ssh://git@h:22/o/r", Some(("h", Some("22"))));
        check("https://h:/o/r", Some(("h", None)));
        check("git@h:o/r.git", Some(("h", None)));
        check("h:o/r.git", Some(("h", None)));
        check("http://[::1]:80/r", Some(("[::1]", Some("80"))));
        for path in ["/srv/git/r.git", "../r.git", "file:///srv/r", "./a:b", ""] {
            check(path, None);
        }
    }

    #[test]
    fn an_address_over_http_has_a_base_without_a_user() {
        let check = |url: &str, expected| assert_eq!(http_base(url), expected, "{url}");
        check("https://h/o/r", Some("https://h"));
        check("http://127.0.0.1:80", Some("http://127.0.0.1:80"));
        for other in ["https://u@h/o", "ssh://h/o", "git@h:o", "/h"] {
            check(other, None);
        }
    }
}
