//! What the repository of a clone is called here.

use camino::Utf8Path;
use pv_lib::target::Target;

/// The owner of repositories whose address names none.
const NO_OWNER: &str = "local";

/// How many names are tried where others have the first ones.
const NAMES_MAX: usize = 20;

/// Returns the names that a repository may have here, the best first: owner and name.
///
/// They come from the last two parts of the remote's address, without one from the clone's folder. Where another
/// repository has that name here, a number follows it.
pub(super) fn names(address: Option<&str>, folder: &Utf8Path) -> Vec<(String, String)> {
    let (owner, name) = match address {
        Some(address) => last_parts(address),
        None => (None, folder.file_name().unwrap_or("clone")),
    };
    let owner = usable(owner.unwrap_or(NO_OWNER)).unwrap_or_else(|| NO_OWNER.to_owned());
    let name = usable(name).unwrap_or_else(|| "clone".to_owned());
    let numbered = (2..=NAMES_MAX).map(|number| (owner.clone(), format!("{name}-{number}")));
    [(owner.clone(), name.clone())].into_iter().chain(numbered).collect()
}

/// Returns the host that an address names; `None` for a path.
pub(super) fn host(address: &str) -> Option<&str> {
    let rest = match address.split_once("://") {
        Some(("file", _)) => return None,
        Some((_, rest)) => rest,
        // As git does: a colon before the first slash makes it an address of another host.
        None => address.split_once(':').filter(|(host, _)| !host.contains('/')).map(|(host, _)| host)?,
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    Some(host.split(':').next().unwrap_or(host)).filter(|host| !host.is_empty())
}

/// Returns owner and name as an address spells them: its last two parts.
fn last_parts(address: &str) -> (Option<&str>, &str) {
    let path = address.split_once("://").map_or(address, |(_, rest)| rest).trim_end_matches('/');
    let path = path.strip_suffix("/.git").unwrap_or(path);
    let mut parts = path.rsplit(['/', ':']);
    let name = parts.next().unwrap_or_default();
    (parts.next().filter(|owner| !owner.is_empty()), name.strip_suffix(".git").unwrap_or(name))
}

/// Returns a name that a folder may have: other characters become dashes.
fn usable(name: &str) -> Option<String> {
    let spell = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let spelled: String = name.chars().map(spell).collect();
    let spelled = spelled.trim_matches(['.', '-']).replace("..", "-");
    Target::new(Some(&spelled), &spelled, "main").is_ok().then_some(spelled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_called_as_its_address_calls_it() {
        let check = |address: Option<&str>, expected: &str| {
            let (owner, name) = names(address, "/home/me/my app".into()).remove(0);
            assert_eq!(format!("{owner}/{name}"), expected, "{address:?}");
        };
        check(Some("https://github.com/nova-rey/example.git"), "nova-rey/example");
        check(Some("git@github.com:nova-rey/example.git"), "nova-rey/example");
        check(Some("ssh://git@host:22/o/r/"), "o/r");
        check(Some("https://gitlab.com/group/sub/project"), "sub/project");
        check(Some("/srv/git/up.git"), "git/up");
        check(Some("/home/you/src/r/.git"), "src/r");
        check(Some("file:///srv/git/up.git"), "git/up");
        check(Some("host:r.git"), "host/r");
        check(Some("/up.git"), "local/up");
        check(Some("https://h/~me/a b"), "me/a-b");
        check(None, "local/my-app");
        assert_eq!(names(Some("h:o/r"), "/".into())[1], ("o".to_owned(), "r-2".to_owned()));
        assert_eq!(names(None, "/".into())[0].1, "clone");
    }

    #[test]
    fn a_host_is_what_stands_before_the_path() {
        let check = |address: &str, expected: Option<&str>| assert_eq!(host(address), expected, "{address}");
        check("https://github.com/o/r.git", Some("github.com"));
        check("ssh://git@h:22/o/r", Some("h"));
        check("git@github.com:o/r", None.or(Some("github.com")));
        check("/srv/git/r.git", None);
        check("file:///srv/r", None);
        check("../r", None);
        check("./a:b", None);
    }
}
