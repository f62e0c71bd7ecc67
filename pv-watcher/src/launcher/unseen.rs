//! What a command needs of the host and would not find in a sandbox: looked for before it is started.

use std::{
    io::{self, Read},
    os::unix::fs::PermissionsExt,
};

use camino::{Utf8Path, Utf8PathBuf};

use super::{adapter::NotLaunched, mounts::Mounts, request::Request};

/// How many links in a row are followed.
const LINKS_MAX: usize = 20;

/// Variables that name files, which programs fail without.
const FILE_VARIABLES: [&str; 6] = [
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "CODEX_CA_CERTIFICATE",
];

/// Looks whether what a command names is there inside: its program, what that is a link to, what its first line names, and
/// the paths among its arguments and variables.
///
/// # Errors
/// The first that is not, and what to do; or what the system would say of a program that is nowhere.
pub(super) fn look(request: &Request<'_>, mounts: &Mounts, launcher: &str) -> Result<(), NotLaunched> {
    let unseen = |what: &str, path: &Utf8Path| {
        NotLaunched::Other(format!(
            "{what} `{path}` is not seen inside the sandbox of the launcher `{launcher}`: list it, or a folder above it, in \
             launchers.{launcher}.read"
        ))
    };
    let program = request.words.first().map(String::as_str).unwrap_or_default();
    let found = find(request, program, mounts);
    let Some(found) = found else {
        return Err(NotLaunched::Program(io::Error::from_raw_os_error(2)));
    };
    let mut path = found;
    for _ in 0..LINKS_MAX {
        if !mounts.shows(&path) {
            return Err(unseen("the program", &path));
        }
        match next(&path) {
            Some(next) => path = next,
            None => break,
        }
    }
    if let Some(interpreter) = interpreter(&path)
        && !mounts.shows(&interpreter)
    {
        return Err(unseen("the interpreter of the program", &interpreter));
    }
    let arguments = request.words.iter().skip(1).map(String::as_str);
    let variables = FILE_VARIABLES.iter().filter_map(|name| request.variable(name)?.to_str());
    for path in arguments.chain(variables).map(Utf8Path::new).filter(|path| path.is_absolute()) {
        // An empty folder is there where one is hidden.
        let is_needed = path.is_file() && !path.starts_with("/dev") && !path.starts_with("/proc");
        if is_needed && !mounts.shows(path) {
            return Err(unseen("the file", path));
        }
    }
    Ok(())
}

/// Finds a program: by its path, else in the folders of PATH, first where it is seen.
fn find(request: &Request<'_>, program: &str, mounts: &Mounts) -> Option<Utf8PathBuf> {
    if program.contains('/') {
        let path = request.workdir.join(program);
        return is_executable(&path).then_some(path);
    }
    let dirs = request.variable("PATH")?.to_str()?;
    let candidates = dirs.split(':').filter(|dir| !dir.is_empty()).map(|dir| Utf8Path::new(dir).join(program));
    let found: Vec<Utf8PathBuf> = candidates.filter(|path| is_executable(path)).collect();
    found.iter().find(|path| mounts.shows(path)).or(found.first()).cloned()
}

fn is_executable(path: &Utf8Path) -> bool {
    fs_err::metadata(path).is_ok_and(|stat| stat.is_file() && stat.permissions().mode() & 0o111 != 0)
}

/// Returns where the first link on the way of a path leads; `None` where there is none.
fn next(path: &Utf8Path) -> Option<Utf8PathBuf> {
    let parts: Vec<&Utf8Path> = path.ancestors().collect();
    for part in parts.into_iter().rev() {
        let Ok(target) = part.read_link_utf8() else { continue };
        let below = path.strip_prefix(part).ok()?;
        let target = part.parent()?.join(target);
        return Some(clean(&if below.as_str().is_empty() { target } else { target.join(below) }));
    }
    None
}

/// Takes `.` and `..` out of a path.
fn clean(path: &Utf8Path) -> Utf8PathBuf {
    let mut cleaned = Utf8PathBuf::new();
    for part in path.components() {
        match part {
            camino::Utf8Component::ParentDir => {
                cleaned.pop();
            }
            camino::Utf8Component::CurDir => {}
            part => cleaned.push(part),
        }
    }
    cleaned
}

/// Returns the program that the first line of a script names.
fn interpreter(path: &Utf8Path) -> Option<Utf8PathBuf> {
    let mut bytes = Vec::new();
    fs_err::File::open(path).ok()?.take(256).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(bytes.strip_prefix(b"#!")?).into_owned();
    let name = text.lines().next()?.split_whitespace().next()?.to_owned();
    Some(name.into()).filter(|path: &Utf8PathBuf| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;
    use crate::launcher::{mounts::Mount, request::tests::request};

    #[test]
    fn what_is_not_seen_inside_is_named_before_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().canonicalize().unwrap()).unwrap();
        for (name, text) in [("bin/tool", "#!/bin/sh\n"), ("lib/real", "x"), ("bin/odd", "x"), ("conf/c.json", "{}")] {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(root.join("bin/odd"), format!("#!{root}/lib/real -x\n")).unwrap();
        symlink("../lib/real", root.join("bin/link")).unwrap();
        symlink(root.join("bin"), root.join("other")).unwrap();
        let check = |words: &[&str], shown: &[&str], expected: Option<&str>| {
            let words: Vec<String> = words.iter().map(|word| word.replace("ROOT", root.as_str())).collect();
            let mut mounts = Mounts(vec![Mount::Empty(root.clone())]);
            mounts.0.extend(shown.iter().map(|path| Mount::Read(root.join(path))));
            let mut request = request();
            request.words.clone_from(&words);
            request.variables = vec![("PATH".into(), format!("{root}/other:{root}/bin:/usr/bin:/bin").into())];
            let found = match look(&request, &mounts, "box") {
                Ok(()) => None,
                Err(NotLaunched::Program(error)) => Some(error.kind().to_string()),
                Err(NotLaunched::Other(text)) => Some(text.replace(root.as_str(), "ROOT")),
            };
            let is_as_expected = match (&found, expected) {
                (Some(found), Some(expected)) => found.contains(expected),
                (None, None) => true,
                _ => false,
            };
            assert!(is_as_expected, "{words:?} {shown:?}: {found:?}");
        };
        check(&["sh", "-c", "true"], &[], None);
        check(&["no-such-program"], &[], Some("entity not found"));
        check(&["ROOT/bin/none"], &[], Some("entity not found"));
        check(&["tool"], &["bin"], None);
        check(
            &["tool"],
            &["other"],
            Some("the program `ROOT/bin/tool` is not seen inside the sandbox of the launcher `box`"),
        );
        check(&["tool"], &[], Some("list it, or a folder above it, in launchers.box.read"));
        check(&["link"], &["bin"], Some("the program `ROOT/lib/real`"));
        check(&["link"], &["bin", "lib"], None);
        check(&["ROOT/other/link"], &["other", "bin"], Some("the program `ROOT/lib/real`"));
        check(&["odd"], &["bin"], Some("the interpreter of the program `ROOT/lib/real`"));
        check(&["sh", "ROOT/conf/c.json", "/no/such/file", "ROOT/new"], &[], Some("the file `ROOT/conf/c.json`"));
        check(&["sh", "ROOT/conf/c.json"], &["conf"], None);
    }
}
