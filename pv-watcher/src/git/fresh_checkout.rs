//! How git sees a fresh checkout: its index and how its file system behaves, noted before anybody changes the files.

use std::io;

use camino::Utf8Path;
use fs_err as fs;

use super::{remove::remove_folder, untrusted_file::read_start};

/// The name of the file that holds what git knew of the fresh checkout.
pub(super) const START_INDEX: &str = "index.start";

/// The name of the file that holds how the file system of the fresh checkout behaves.
pub(super) const START_CONFIG: &str = "config.start";

/// How much of that file is read, in bytes.
const CONFIG_BYTES_MAX: u64 = 64 << 10;

/// What `git init` finds out about a file system, and in which format it keeps a repository (git-config(1), `core` and
/// `extensions`): what a second repository beside the first needs to see the same files the same way.
const OF_FILE_SYSTEM: [&str; 6] =
    ["repositoryformatversion", "filemode", "ignorecase", "symlinks", "precomposeunicode", "objectformat"];

/// Notes in `repository` how git sees a fresh checkout, before anybody changes it: what is untouched afterwards need not be
/// read, and git need not be asked again how the file system behaves.
///
/// # Errors
/// Whatever the disk says.
pub(crate) fn note_fresh(checkout: &Utf8Path, repository: &Utf8Path) -> io::Result<()> {
    remove_folder(repository)?;
    fs::create_dir_all(repository)?;
    let config = fs::read_to_string(checkout.join(".git/config"))?;
    if let Some(config) = of_file_system(&config, Kind::Bare) {
        fs::write(repository.join(START_CONFIG), config)?;
    }
    fs::copy(checkout.join(".git/index"), repository.join(START_INDEX)).map(drop)
}

/// Makes a bare repository without objects and references of a folder, as `git init --bare` does, by the settings that were
/// noted there; `false` where none were. The agent may have written to what was noted: of it only the known settings are used,
/// which can start nothing.
///
/// # Errors
/// Whatever the disk says.
pub(super) fn make_bare(repository: &Utf8Path) -> io::Result<bool> {
    let noted = read_start(&repository.join(START_CONFIG), CONFIG_BYTES_MAX);
    let Some(config) = noted.and_then(|noted| of_file_system(&noted, Kind::Bare)) else { return Ok(false) };
    for folder in ["objects/info", "refs"] {
        fs::create_dir_all(repository.join(folder))?;
    }
    fs::write(repository.join("config"), config)?;
    fs::write(repository.join("HEAD"), "ref: refs/heads/work\n")?;
    Ok(true)
}

/// What a repository is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It has files.
    WithFiles,
    /// It has none.
    Bare,
}

/// Returns the settings of a fresh repository on the same file system as another one, given that one's file; `None` where that
/// is kept in a format that is not known here.
pub(super) fn of_file_system(config: &str, kind: Kind) -> Option<String> {
    let (mut section, mut core, mut extensions) = ("", String::new(), String::new());
    for line in config.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
            continue;
        }
        let Some((key, value)) = line.split_once('=').map(|(key, value)| (key.trim(), value.trim())) else { continue };
        let is_known = OF_FILE_SYSTEM.contains(&key.to_ascii_lowercase().as_str());
        let is_plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match section {
            "[core]" if is_known && is_plain => core += &format!("\t{key} = {value}\n"),
            "[extensions]" if is_known && is_plain => extensions += &format!("\t{key} = {value}\n"),
            "[extensions]" => return None,
            _ => {}
        }
    }
    let own = match kind {
        Kind::WithFiles => "\tbare = false\n\tlogallrefupdates = true\n",
        Kind::Bare => "\tbare = true\n",
    };
    let extensions = if extensions.is_empty() { extensions } else { format!("[extensions]\n{extensions}") };
    core.contains("repositoryformatversion").then(|| format!("[core]\n{core}{own}{extensions}"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn of_a_clones_settings_those_of_its_file_system_are_kept() {
        let check = |config: &str, expected: Option<&str>| {
            assert_eq!(of_file_system(config, Kind::Bare).as_deref(), expected, "{config}");
        };
        check("", None);
        check(
            "[core]\n\trepositoryformatversion = 0\n\tfilemode = false\n\tbare = false\n\tlogallrefupdates = true\n\tsymlinks=false\n\
             [remote \"origin\"]\n\turl = /x\n[core]\n\tsshCommand = x y\n",
            Some("[core]\n\trepositoryformatversion = 0\n\tfilemode = false\n\tsymlinks = false\n\tbare = true\n"),
        );
        let of_format = |line: &str| format!("[core]\n\trepositoryformatversion = 1\n[extensions]\n\t{line}\n");
        let expected = "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectformat = sha256\n";
        check(&of_format("objectformat = sha256"), Some(expected));
        check(&of_format("refstorage = reftable"), None);
        let with_files = of_file_system("[core]\n\trepositoryformatversion = 0\n\tbare = true\n", Kind::WithFiles);
        let expected = "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tlogallrefupdates = true\n";
        assert_eq!(with_files.as_deref(), Some(expected));
    }

    #[test]
    fn git_takes_what_is_made_for_a_bare_repository() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        let git = |args: &[&str]| {
            let output = Command::new("git").args(args).env("GIT_CEILING_DIRECTORIES", dir).output().unwrap();
            assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
        };
        for format in ["sha1", "sha256"] {
            let (clone, made) = (dir.join(format), dir.join(format!("{format}.git")));
            git(&["init", "-q", "--object-format", format, clone.as_str()]);
            assert!(!make_bare(&made).unwrap());
            fs::write(clone.join(".git/index"), "").unwrap();
            note_fresh(&clone, &made).unwrap();
            // What an agent adds to it is no setting of ours.
            let noted = fs::read_to_string(made.join(START_CONFIG)).unwrap();
            let added = "[filter \"x\"]\n\tclean = touch pwned\n[core]\n\tfsmonitor = true\n\tsymlinks = a b\n";
            fs::write(made.join(START_CONFIG), noted + added).unwrap();
            assert!(make_bare(&made).unwrap());
            let config = fs::read_to_string(made.join("config")).unwrap();
            assert!(!config.contains("filter") && !config.contains("fsmonitor") && !config.contains("a b"), "{config}");
            let at = ["--git-dir", made.as_str()];
            let shown = git(&[&at[..], &["rev-parse", "--is-bare-repository", "--show-object-format"]].concat());
            assert_eq!(shown, format!("true\n{format}"));
            let tree = git(&[&at[..], &["write-tree"]].concat());
            assert_eq!(git(&[&at[..], &["cat-file", "-t", &tree]].concat()), "tree");
        }
    }
}
