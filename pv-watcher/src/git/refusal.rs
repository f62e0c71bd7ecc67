//! Why a remote could not be reached, or refused: what git and ssh say, as kinds, each with the line that says so and what a
//! person can do, as whom.

use pv_lib::host;

use super::address::host_and_port;

/// Why a remote could not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// ssh is not installed.
    NoSsh,
    /// ssh does not know the host's key.
    UnknownHostKey,
    /// ssh knows another key of that host.
    ChangedHostKey,
    /// ssh and the host have no kind of key, or no cipher, in common.
    NothingInCommon,
    /// A private key that others may read, or that cannot be read.
    UnusableKey,
    /// No ssh key was accepted.
    KeyRefused,
    /// No certificate of the host is trusted here.
    Certificate,
    /// Nobody knows where the host is.
    UnresolvedHost,
    /// Nothing answered, or the connection broke.
    Unreachable,
    /// The host answered that it cannot.
    HostError,
    /// A name and a password were asked for, and there are none.
    NoCredentials,
    /// A token or a password was not accepted.
    CredentialsRefused,
    /// The account is known and may not.
    Forbidden,
    /// There is no such repository, or this account may not know of it.
    NotFound,
    /// There is no such branch.
    NoBranch,
    /// A repository on this host that belongs to somebody else.
    OtherOwner,
    /// A submodule at a path of this host.
    PathNotAllowed,
    /// No room on a disk of this host.
    DiskFull,
    /// ssh ended, and did not say why.
    Unexplained,
}

use Refusal::{
    Certificate, ChangedHostKey, CredentialsRefused, DiskFull, Forbidden, HostError, KeyRefused, NoBranch,
    NoCredentials, NoSsh, NotFound, NothingInCommon, OtherOwner, PathNotAllowed, Unexplained, UnknownHostKey,
    Unreachable, UnresolvedHost, UnusableKey,
};

/// What a line is compared with.
enum Line {
    /// It is this.
    Is(&'static str),
    /// It begins so.
    Begins(&'static str),
    /// It begins so, and has this in it.
    With(&'static str, &'static str),
    /// It ends so.
    Ends(&'static str),
    /// It is what git says of an address over HTTP, and has this in it after that.
    Access(&'static str),
}

use Line::{Access, Begins, Ends, Is, With};

/// The lines by which a refusal is known. The first one of this table that any line matches counts: what is told beside a
/// cause, such as that the repository could not be read, comes after it.
///
/// What a host says itself begins with `remote: ` over HTTP and with `ERROR: ` over ssh.
const KNOWN: &[(Refusal, Line)] = &[
    (NoSsh, Begins("error: cannot run ssh: ")),
    (NoSsh, Ends("ssh: not found")),
    (NoSsh, Ends("ssh: command not found")),
    (ChangedHostKey, With("Host key for ", " has changed and you have requested strict checking.")),
    (ChangedHostKey, With("@ ", "REMOTE HOST IDENTIFICATION HAS CHANGED!")),
    (UnknownHostKey, Is("Host key verification failed.")),
    (UnknownHostKey, With("No ", " host key is known for ")),
    (NothingInCommon, Begins("Unable to negotiate with ")),
    (UnusableKey, With("Permissions ", " are too open.")),
    (UnusableKey, Begins("Load key \"")),
    (Certificate, Access("certificate")),
    (Certificate, Access("SSL CA cert")),
    (UnresolvedHost, Begins("ssh: Could not resolve hostname ")),
    (UnresolvedHost, Access("Could not resolve host: ")),
    (UnresolvedHost, Access("Could not resolve proxy: ")),
    (UnresolvedHost, Begins("fatal: unable to look up ")),
    (KeyRefused, With("", ": Permission denied (")),
    (KeyRefused, With("Received disconnect from ", "Too many authentication failures")),
    (Forbidden, With("ERROR: Permission to ", " denied to ")),
    (Forbidden, With("remote: Permission to ", " denied to ")),
    (Forbidden, Is("remote: Write access to repository not granted.")),
    (Forbidden, With("remote: ", "SAML SSO")),
    (Forbidden, With("ERROR: ", "SAML SSO")),
    (CredentialsRefused, Begins("fatal: Authentication failed for ")),
    (NoCredentials, Begins("fatal: could not read Username for ")),
    (NoCredentials, Begins("fatal: could not read Password for ")),
    (Forbidden, Access("The requested URL returned error: 403")),
    (Forbidden, Access("The requested URL returned error: 401")),
    (HostError, Access("The requested URL returned error: ")),
    (NotFound, Is("ERROR: Repository not found.")),
    (NotFound, Begins("ERROR: The project you were looking for could not be found")),
    (NotFound, With("fatal: repository '", "' not found")),
    (NotFound, With("fatal: repository '", "' does not exist")),
    (NotFound, With("fatal: '", "' does not appear to be a git repository")),
    (NotFound, With("fatal: ", " not valid: is this a git repository?")),
    (NoBranch, Begins("fatal: couldn't find remote ref ")),
    (OtherOwner, Begins("fatal: detected dubious ownership in repository at ")),
    (PathNotAllowed, Is("fatal: transport 'file' not allowed")),
    (DiskFull, Ends("No space left on device")),
    (DiskFull, Ends("Disk quota exceeded")),
    (Unreachable, Begins("ssh: connect to host ")),
    (Unreachable, Begins("kex_exchange_identification: ")),
    (Unreachable, With("Connection ", " by ")),
    (Unreachable, Begins("fatal: unable to connect to ")),
    (Unreachable, With("error: RPC failed; ", "curl ")),
    (Unreachable, Begins("fatal: early EOF")),
    (Unreachable, Begins("fetch-pack: unexpected disconnect")),
    (Unreachable, Begins("fatal: the remote end hung up unexpectedly")),
    (Unreachable, Access("")),
    (Unexplained, Is("fatal: Could not read from remote repository.")),
];

/// What a line begins with that a host says over HTTP, or by a hook.
const HOST: &str = "remote: ";

/// How many lines of a host's own are quoted.
const HOSTS_LINES_MAX: usize = 4;

impl Refusal {
    /// Finds out why git failed that said this, and which line says so.
    pub(crate) fn find(words: &str) -> Option<(Self, &str)> {
        KNOWN.iter().find_map(|(refusal, line)| Some((*refusal, words.lines().find(|said| line.matches(said))?)))
    }

    /// Tells whether the host did not answer at all: it will not answer for another repository either.
    pub(super) fn is_silence(self) -> bool {
        matches!(self, UnresolvedHost | Unreachable)
    }

    /// Returns what can be done about it, by the user that git runs as; `address` is the remote's, `line` what was said.
    fn remedy(self, address: &str, line: &str, user: &str) -> String {
        let (name, port) = host_and_port(address).unwrap_or(("HOST", None));
        match self {
            NoSsh => "install ssh (openssh-client), where the watcher's PATH has it".to_owned(),
            UnknownHostKey | ChangedHostKey => {
                let port = port.map(|port| format!("-p {port} ")).unwrap_or_default();
                let known = format!("`ssh-keyscan {port}{name} >> ~/.ssh/known_hosts`");
                if self == UnknownHostKey {
                    format!(
                        "{user} does not know the key of {name}: as {user}, run {known}, and compare what it adds with the \
                         fingerprints that the host's owner publishes"
                    )
                } else {
                    let old =
                        if port.is_empty() { name.to_owned() } else { format!("'[{name}]:{}'", &port[3..].trim()) };
                    format!(
                        "either the host has a new key or somebody is between: where its owner publishes the new \
                         fingerprint, run as {user} `ssh-keygen -R {old}`, then {known}"
                    )
                }
            }
            NothingInCommon => {
                format!("one of the two is old: allow what the host offers for it in ~/.ssh/config of {user}")
            }
            UnusableKey => {
                let file = line.split(['\'', '"']).nth(1).unwrap_or("the key's file");
                format!("{file} must be a private key that {user} alone can read (chmod 600), without a passphrase")
            }
            KeyRefused => format!(
                "none of the ssh keys of {user} is accepted there: add the public one (~/.ssh/id_ed25519.pub; as {user}, \
                 `ssh-keygen -t ed25519` makes one; nobody can be asked for a passphrase) to an account that may use the \
                 repository"
            ),
            Certificate => format!(
                "no certificate of {name} is trusted here: install the one of its authority (update-ca-certificates), or as \
                 {user} name its file in `git config --global http.sslCAInfo`; a clock that is wrong does the same"
            ),
            UnresolvedHost => "check the name, and the DNS of this host; `pv retry` when it can be reached".to_owned(),
            Unreachable => "the remote could not be reached, after several tries: `pv retry` when it can be".to_owned(),
            HostError => "that is what the host answers: `pv retry` when it does otherwise".to_owned(),
            NoCredentials => format!(
                "nobody is asked for a password: for git_host write a token to the file of delivery.token_file, else give \
                 {user} a credential helper, or use an ssh key"
            ),
            CredentialsRefused => format!(
                "the token or password is not accepted; it may be over, or not for this repository: write a new one to the \
                 file of delivery.token_file, or to the credential helper of {user}"
            ),
            Forbidden => format!(
                "the account that {user} uses there is known, but may not do this: give it access to the repository, or \
                 use another's token or key"
            ),
            NotFound => format!(
                "check owner and name, and that {user} may read the repository: hosts say the same of a private one"
            ),
            NoBranch => "make the branch there, or name another".to_owned(),
            OtherOwner => {
                let path = line.split('\'').nth(1).unwrap_or("its folder");
                format!(
                    "that clone belongs to another user than {user}, as whom the watcher runs: give it to that user \
                     (chown -R), or as {user} run `git config --global --add safe.directory {path}`"
                )
            }
            PathNotAllowed => format!(
                "git takes no submodule from a path of this host: as {user}, `git config --global protocol.file.allow \
                 always` allows it"
            ),
            DiskFull => "make room on the disk".to_owned(),
            Unexplained => format!("try `git ls-remote` of its address as {user}"),
        }
    }
}

impl Line {
    fn matches(&self, said: &str) -> bool {
        match self {
            // What a host says itself may have anything in it.
            With("", _) | Ends(_) if said.starts_with(HOST) => false,
            Is(text) => said == *text,
            Begins(start) => said.starts_with(start),
            With(start, part) => said.strip_prefix(start).is_some_and(|rest| rest.contains(part)),
            Ends(end) => said.ends_with(end),
            Access(part) => {
                let said = said.strip_prefix("fatal: unable to access '").and_then(|rest| rest.split_once("': "));
                said.is_some_and(|(_, why)| why.contains(part))
            }
        }
    }
}

/// Returns why git failed that said this about an address, and what a person can do: of a refusal that is known what the host
/// said itself and the line that says why, else all the words.
pub(crate) fn explain(words: &str, address: &str) -> String {
    explain_to(words, address, &host::user_name())
}

pub(super) fn explain_to(words: &str, address: &str, user: &str) -> String {
    let Some((refusal, line)) = Refusal::find(words) else { return words.to_owned() };
    let is_hosts = |said: &&str| (said.starts_with(HOST) || said.starts_with("ERROR: ")) && *said != line;
    let hosts: Vec<&str> = words.lines().filter(is_hosts).take(HOSTS_LINES_MAX).collect();
    let said = [hosts.as_slice(), &[line]].concat().join("\n");
    format!("{}; {}", said.trim_end_matches('.'), refusal.remedy(address, line, user))
}
