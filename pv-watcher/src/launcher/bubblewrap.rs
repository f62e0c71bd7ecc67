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
        show(request.mirror.clone(), Mount::Read);
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
