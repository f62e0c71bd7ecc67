//! `bubblewrap`: a sandbox on this host. The host can be read but for what is hidden; the checkout can be written.
//!
//! Its processes are in a namespace of their own that ends with the client, so that killing and reaping that is the proof
//! that nothing is left. The signals that ask an agent to end go to its group: `bwrap` ignores them, and the command inside
//! has them at their defaults again.

use camino::{Utf8Path, Utf8PathBuf};
use pv_lib::config::{Bubblewrap, Launcher};

use super::{
    adapter::{Adapter, Launch, NotLaunched},
    client::ClientEnd,
    mounts::{Mount, Mounts},
    request::Request,
    tools::{Tools, variables_of, with_variables_of_client},
    unseen,
};

/// What begins a start. Without its capabilities root inside is refused what would open the sandbox: to mount anew.
const BEGIN: [&str; 8] = [
    "env",
    "--ignore-signal=INT,TERM,HUP",
    "bwrap",
    "--die-with-parent",
    "--unshare-pid",
    "--unshare-ipc",
    "--cap-drop",
    "ALL",
];

/// Folders whose contents are other programs' and other users'.
const HIDDEN: [&str; 12] = [
    "/tmp",
    "/var/tmp",
    // Sockets of services answer through a folder that can only be read.
    "/run",
    "/home",
    "/root",
    "/var/lib/docker",
    "/var/lib/containers",
    "/var/lib/prompt-valet",
    "/var/spool/cron",
    "/etc/prompt-valet",
    "/etc/ssl/private",
    "/etc/sudoers.d",
];

/// Files that root can read, and with it an agent that runs as root.
const BLANK: [&str; 5] = ["/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers"];

/// Settings of git that a person has, and that commits need; each where it is there.
const GIT_SETTINGS: [&str; 2] = [".gitconfig", ".config/git"];

impl Adapter for Bubblewrap {
    fn prepare(&self, launcher: &Launcher, request: &Request<'_>) -> Result<Launch, NotLaunched> {
        let mounts = self.mounts(launcher, request).map_err(NotLaunched::Other)?;
        unseen::look(request, &mounts, &launcher.name)?;
        let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let mut words = own(&BEGIN);
        if !self.network {
            words.push("--unshare-net".to_owned());
        }
        words.extend(own(&["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]));
        words.extend(mounts.options());
        words.extend(own(&["--chdir", request.workdir.as_str(), "--", "env", "--default-signal=INT,TERM,HUP"]));
        words.extend_from_slice(&request.words);
        // A folder of this host's; inside there is /tmp.
        let is_kept = |name: &std::ffi::OsStr| name != "TMPDIR" && name != "XDG_RUNTIME_DIR";
        let kept: Vec<_> = request.variables.iter().filter(|(name, _)| is_kept(name)).cloned().collect();
        let variables = variables_of(request.environment, &launcher.env);
        let variables: Vec<_> = variables.into_iter().filter(|(name, _)| is_kept(name)).collect();
        Ok(Launch {
            words,
            variables: with_variables_of_client(&kept, &variables),
            tools: Tools::default(),
            env_file: None,
        })
    }

    fn own_words(&self) -> &'static [&'static str] {
        &["bwrap: ", "env: "]
    }

    fn why_not_started(&self, end: &ClientEnd<'_>) -> Option<String> {
        let is_its_own = end.said.starts_with("bwrap: ") || (end.exit.code() == 127 && end.said.starts_with("env: "));
        (end.exit.code() != 0 && !end.has_spoken && is_its_own).then(|| end.said.to_owned())
    }

    fn proof(&self) -> Option<&'static str> {
        Some("its process namespace ended")
    }
}

trait Sandbox {
    /// Returns what is mounted over the host: first what is hidden, then what is shown of that all the same.
    ///
    /// # Errors
    /// Which path of the settings is not there.
    fn mounts(&self, launcher: &Launcher, request: &Request<'_>) -> Result<Mounts, String>;
}

impl Sandbox for Bubblewrap {
    fn mounts(&self, launcher: &Launcher, request: &Request<'_>) -> Result<Mounts, String> {
        let mut mounts = Mounts::default();
        let hidden = HIDDEN.iter().map(Utf8Path::new);
        let own = request.hidden.folders.iter().map(Utf8PathBuf::as_path);
        for dir in hidden.chain(request.home()).chain(own).filter_map(real).filter(|dir| dir.is_dir()) {
            mounts.hide(&dir);
        }
        for file in BLANK.iter().map(Utf8Path::new).map(Utf8Path::to_owned).chain(host_keys()) {
            if let Some(file) = real(&file) {
                mounts.blank(&file);
            }
        }
        let mut show = |path: Option<Utf8PathBuf>, mount: fn(Utf8PathBuf) -> Mount| {
            mounts.0.extend(path.and_then(|path| real(&path)).map(mount));
        };
        // Names of hosts are looked up by a file that may lie among the sockets.
        show(Some("/etc/resolv.conf".into()).filter(|_| self.network), Mount::Read);
        for name in GIT_SETTINGS {
            show(request.home().map(|home| home.join(name)), Mount::Read);
        }
        // Of the mirror git needs the objects; its configuration may have an address with a password.
        show(request.mirror.as_ref().map(|mirror| mirror.join("objects")), Mount::Read);
        show(Some(request.workdir.clone()), Mount::Write);
        show(request.agent.prompt_file.clone(), Mount::Read);
        show(request.agent.last_message_file.clone(), Mount::Write);
        for home in &request.agent.homes {
            show(Some(home.clone()), Mount::Write);
        }
        for (paths, mount, leaf) in [
            (&self.read, Mount::Read as fn(Utf8PathBuf) -> Mount, "read"),
            (&self.write, Mount::Write as fn(Utf8PathBuf) -> Mount, "write"),
        ] {
            for path in paths {
                let expanded = request.expanded(path).and_then(|path| real(&path));
                let Some(expanded) = expanded else {
                    return Err(format!(
                        "launchers.{}.{leaf} names `{path}`, which is not there: make it, or take it out",
                        launcher.name
                    ));
                };
                mounts.0.push(mount(expanded));
            }
        }
        // After all else: a folder that was shown may have one in it.
        for file in request.hidden.files.iter().filter_map(|file| real(file)) {
            mounts.blank(&file);
        }
        Ok(mounts)
    }
}

/// Returns where a path really is, without links; `None` where there is nothing.
fn real(path: &Utf8Path) -> Option<Utf8PathBuf> {
    path.canonicalize_utf8().ok()
}

/// Lists the keys of this host's ssh server that this user can read.
fn host_keys() -> Vec<Utf8PathBuf> {
    let entries = fs_err::read_dir("/etc/ssh").into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| Utf8PathBuf::from_path_buf(entry.path()).ok());
    let is_key = |path: &Utf8PathBuf| path.file_name().is_some_and(|name| name.ends_with("_key"));
    names.filter(is_key).filter(|path| fs_err::File::open(path).is_ok()).collect()
}

#[cfg(test)]
mod tests {
    use pv_lib::{config::LauncherKind, supervise::Exit};

    use super::*;
    use crate::launcher::request::{Hidden, tests::request};

    #[test]
    fn what_is_hidden_comes_before_what_is_shown_and_secrets_last() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().canonicalize().unwrap()).unwrap();
        for folder in ["home/.codex", "home/.ssh", "runs/a1", "work/a1", "repos/m.git/objects", "tools"] {
            fs_err::create_dir_all(root.join(folder)).unwrap();
        }
        for file in ["tools/token", "home/.gitconfig", "runs/a1/last_message.md"] {
            fs_err::write(root.join(file), "").unwrap();
        }
        let hidden = Hidden {
            folders: ["runs", "work", "repos"].map(|name| root.join(name)).into(),
            files: vec![root.join("tools/token")],
        };
        let mut request = request();
        (request.workdir, request.run_dir, request.hidden) = (root.join("work/a1"), root.join("runs/a1"), &hidden);
        request.mirror = Some(root.join("repos/m.git"));
        request.agent.homes = vec![root.join("home/.codex"), root.join("home/none")];
        request.agent.last_message_file = Some(root.join("runs/a1/last_message.md"));
        request.words = ["sh", "-c", "true"].map(str::to_owned).into();
        let environment = [("HOME", root.join("home").as_str()), ("PATH", "/usr/bin:/bin"), ("TMPDIR", "/x")]
            .map(|(name, value)| (name.into(), value.into()));
        request.variables = environment.to_vec();
        let bubblewrap =
            Bubblewrap { network: false, read: vec![root.join("tools").into_string()], write: vec!["~/.ssh".into()] };
        let kind = LauncherKind::Bubblewrap(bubblewrap.clone());
        let launcher = Launcher { name: "box".into(), kind, checkout: None, env: Vec::new() };
        let launch = bubblewrap.prepare(&launcher, &request).unwrap();
        let words = launch.words.join(" ").replace(root.as_str(), "ROOT");
        assert!(words.starts_with("env --ignore-signal=INT,TERM,HUP bwrap --die-with-parent"), "{words}");
        assert!(
            words.contains("--cap-drop ALL --unshare-net --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp"),
            "{words}"
        );
        let shown = "--ro-bind ROOT/home/.gitconfig ROOT/home/.gitconfig --ro-bind ROOT/repos/m.git/objects ROOT/repos/m.git/objects \
             --bind ROOT/work/a1 ROOT/work/a1 --bind ROOT/runs/a1/last_message.md ROOT/runs/a1/last_message.md \
             --bind ROOT/home/.codex ROOT/home/.codex --ro-bind ROOT/tools ROOT/tools --bind ROOT/home/.ssh ROOT/home/.ssh \
             --ro-bind /dev/null ROOT/tools/token --chdir ROOT/work/a1 -- env --default-signal=INT,TERM,HUP sh -c true";
        assert!(words.ends_with(shown), "{words}");
        // A folder of the host's is none inside.
        assert!(launch.variables.iter().all(|(name, _)| name != "TMPDIR"));
    }

    #[test]
    fn a_sandbox_that_could_not_be_made_is_told_from_an_agent_that_failed() {
        let check = |code: i32, said: &str, has_spoken: bool, expected: bool| {
            let end = ClientEnd { exit: Exit::Code(code), said, has_spoken, outcome: None };
            assert_eq!(Bubblewrap::default().why_not_started(&end).is_some(), expected, "{code} {said:?}");
        };
        check(127, "env: \u{2018}bwrap\u{2019}: No such file or directory", false, true);
        check(1, "bwrap: setting up uid map: Permission denied", false, true);
        check(1, "bwrap: Can't find source path /x: No such file or directory", false, true);
        check(127, "sh: 1: x: not found", false, false);
        check(1, "bwrap: of an agent's own tests", true, false);
        check(1, "Error: no key", false, false);
        check(0, "", false, false);
    }
}
