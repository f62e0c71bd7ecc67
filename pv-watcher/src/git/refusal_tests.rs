//! What git 2.47 and OpenSSH 9.2 really said, with `LC_ALL=C` and nobody to ask, and what is made of it; and what hosts are
//! known to say.

use super::refusal::{
    Refusal::{self, *},
    explain_to,
};

/// What git adds to whatever ssh says.
const AFTER_SSH: &str = "fatal: Could not read from remote repository.\nPlease make sure you have the correct access rights\n\
    and the repository exists.";

/// Checks the kind of what was said, the line that is quoted for it, and a part of what a person is told to do.
fn check(said: &str, refusal: Refusal, line: &str, advice: &str) {
    let said = if said.contains("fatal:") { said.to_owned() } else { format!("{said}\n{AFTER_SSH}") };
    assert_eq!(Refusal::find(&said), Some((refusal, line)), "{said}");
    let told = explain_to(&said, "ssh://git@h.example:2299/o/r.git", "valet");
    let quoted = line.trim_end_matches('.');
    assert!(told.contains(quoted) && told.contains(advice), "{told}");
    assert!(!told.contains("correct access rights"), "only the cause is quoted: {told}");
}

#[test]
fn c28_an_unknown_host_key_is_to_be_added_by_the_services_user() {
    check("Host key verification failed.", UnknownHostKey, "Host key verification failed.", "as valet");
    let told = explain_to("Host key verification failed.", "git@h.example:o/r.git", "valet");
    let expected = "Host key verification failed; valet does not know the key of h.example: as valet, run `ssh-keyscan \
        h.example >> ~/.ssh/known_hosts`, and compare what it adds with the fingerprints that the host's owner publishes";
    assert_eq!(told, expected);
    let strict = "No ED25519 host key is known for h.example and you have requested strict checking.\n\
        Host key verification failed.";
    check(strict, UnknownHostKey, "Host key verification failed.", "ssh-keyscan -p 2299 h.example");
}

#[test]
fn c28_a_host_key_that_changed_is_not_just_replaced() {
    let said = "\
        @@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\n\
        @    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n\
        @@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\n\
        IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\n\
        Someone could be eavesdropping on you right now (man-in-the-middle attack)!\n\
        It is also possible that a host key has just been changed.\n\
        The fingerprint for the ED25519 key sent by the remote host is\n\
        SHA256:z7GsCvBNl/BVZFce6Hmnu5iojVjbUnNwOsH7k6lbQCs.\n\
        Please contact your system administrator.\n\
        Add correct host key in /home/valet/.ssh/known_hosts to get rid of this message.\n\
        Offending ED25519 key in /home/valet/.ssh/known_hosts:1\n\
        \u{20} remove with:\n\
        \u{20} ssh-keygen -f \"/home/valet/.ssh/known_hosts\" -R \"[127.0.0.1]:2299\"\n\
        Host key for [127.0.0.1]:2299 has changed and you have requested strict checking.\n\
        Host key verification failed.";
    let line = "Host key for [127.0.0.1]:2299 has changed and you have requested strict checking.";
    check(said, ChangedHostKey, line, "where its owner publishes the new fingerprint, run as valet `ssh-keygen -R");
    check(said, ChangedHostKey, line, "-R '[h.example]:2299'`, then `ssh-keyscan -p 2299 h.example");
}

#[test]
fn c28_ssh_says_what_is_wrong_with_a_key() {
    let denied = "root@127.0.0.1: Permission denied (publickey,password,keyboard-interactive).";
    check(denied, KeyRefused, denied, "none of the ssh keys of valet is accepted there");
    let denied = "git@github.com: Permission denied (publickey).";
    check(denied, KeyRefused, denied, "ssh-keygen -t ed25519");
    let open = "\
        @@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\n\
        @         WARNING: UNPROTECTED PRIVATE KEY FILE!          @\n\
        @@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\n\
        Permissions 0644 for '/home/valet/.ssh/open' are too open.\n\
        It is required that your private key files are NOT accessible by others.\n\
        This private key will be ignored.\n\
        Load key \"/home/valet/.ssh/open\": bad permissions\n\
        root@127.0.0.1: Permission denied (publickey,password,keyboard-interactive).";
    let line = "Permissions 0644 for '/home/valet/.ssh/open' are too open.";
    check(open, UnusableKey, line, "/home/valet/.ssh/open must be a private key that valet alone can read (chmod 600)");
    let junk = "Load key \"/k/junk\": error in libcrypto\nroot@127.0.0.1: Permission denied (publickey).";
    check(junk, UnusableKey, "Load key \"/k/junk\": error in libcrypto", "/k/junk must be");
    let tired = "Received disconnect from 140.82.121.4 port 22:2: Too many authentication failures";
    check(tired, KeyRefused, tired, "valet");
    let old = "Unable to negotiate with 127.0.0.1 port 2299: no matching host key type found. Their offer: ssh-rsa";
    check(old, NothingInCommon, old, "~/.ssh/config of valet");
    let none = "error: cannot run ssh: No such file or directory\nfatal: unable to fork";
    check(none, NoSsh, "error: cannot run ssh: No such file or directory", "openssh-client");
}

#[test]
fn c28_a_host_that_cannot_be_reached_is_not_one_that_refuses() {
    let said = "ssh: Could not resolve hostname no-such-host.invalid: Name or service not known";
    check(said, UnresolvedHost, said, "DNS");
    let access = |why: &str| format!("fatal: unable to access 'https://h.example/certificates/r.git/': {why}");
    let said = access("Could not resolve host: h.example");
    check(&said, UnresolvedHost, &said, "DNS");
    let said = access("Could not resolve proxy: no-proxy.invalid");
    check(&said, UnresolvedHost, &said, "DNS");
    for why in [
        "Failed to connect to 127.0.0.1 port 1 after 0 ms: Couldn't connect to server",
        "Operation too slow. Less than 1 bytes/sec transferred the last 5 seconds",
    ] {
        check(&access(why), Unreachable, &access(why), "pv retry");
    }
    for why in ["The requested URL returned error: 503", "The requested URL returned error: 429"] {
        check(&access(why), HostError, &access(why), "pv retry");
    }
    for said in [
        "ssh: connect to host 127.0.0.1 port 1: Connection refused",
        "ssh: connect to host h.example port 22: No route to host",
        "kex_exchange_identification: Connection closed by remote host",
        "Connection closed by 140.82.121.4 port 22",
        "error: RPC failed; curl 92 HTTP/2 stream 0 was not closed cleanly: CANCEL (err 8)",
    ] {
        check(said, Unreachable, said, "pv retry");
    }
}

#[test]
fn c28_a_certificate_that_is_not_trusted_has_a_remedy() {
    for why in [
        "server certificate verification failed. CAfile: /etc/ssl/certs/ca-certificates.crt CRLfile: none",
        "SSL: certificate subject name (localhost) does not match target host name '127.0.0.1'",
        "Problem with the SSL CA cert (path? access rights?)",
        "SSL certificate problem: self-signed certificate in certificate chain",
        "SSL certificate problem: certificate has expired",
    ] {
        let said = format!("fatal: unable to access 'https://h.example/o/r.git/': {why}");
        check(&said, Certificate, &said, "update-ca-certificates");
    }
}

#[test]
fn c28_a_missing_login_a_wrong_one_and_one_that_may_not_are_told_apart() {
    let said = "fatal: could not read Username for 'https://h.example': terminal prompts disabled";
    check(said, NoCredentials, said, "delivery.token_file");
    let said = "fatal: could not read Password for 'https://u@h.example': terminal prompts disabled";
    check(said, NoCredentials, said, "credential helper");
    let refused = "fatal: Authentication failed for 'https://h.example/o/r.git/'";
    let said = format!("remote: Invalid username or token. Password authentication is not supported.\n{refused}");
    check(&said, CredentialsRefused, refused, "remote: Invalid username or token");
    let said = "fatal: unable to access 'https://h.example/o/r.git/': The requested URL returned error: 403";
    let words = format!("remote: Your account is suspended. Please visit https://support.example.\n{said}");
    check(&words, Forbidden, said, "Your account is suspended");
    let said = "ERROR: Permission to o/r.git denied to deploy key";
    check(said, Forbidden, said, "give it access");
    let said = "ERROR: The 'o' organization has enabled or enforced SAML SSO.";
    check(said, Forbidden, said, "give it access");
}

#[test]
fn c28_what_is_not_there_is_named_so() {
    let said = "fatal: repository 'https://h.example/o/r.git/' not found";
    check(&format!("remote: Repository not found.\n{said}"), NotFound, said, "check owner and name, and that valet");
    check("ERROR: Repository not found.", NotFound, "ERROR: Repository not found.", "check owner");
    let said = "fatal: '/srv/none.git' does not appear to be a git repository";
    check(&format!("{said}\n{AFTER_SSH}"), NotFound, said, "check owner");
    let said = "fatal: https://h.example/info/refs not valid: is this a git repository?";
    check(said, NotFound, said, "check owner");
    let said = "fatal: couldn't find remote ref refs/heads/x";
    check(said, NoBranch, said, "make the branch");
    let said = "fatal: detected dubious ownership in repository at '/x'";
    check(said, OtherOwner, said, "another user than valet");
    let words = "fatal: transport 'file' not allowed\nfatal: clone of '/e.git' into submodule path '/c/lib' failed";
    check(words, PathNotAllowed, "fatal: transport 'file' not allowed", "protocol.file.allow");
    let said = "fatal: write error: No space left on device";
    check(&format!("{said}\nfatal: fetch-pack: invalid index-pack output"), DiskFull, said, "make room");
    check("", Unexplained, "fatal: Could not read from remote repository.", "git ls-remote");
}

#[test]
fn what_a_host_says_in_its_own_words_is_no_refusal_that_is_known() {
    for said in [
        "remote: Host key verification failed.\nremote: error: hook declined",
        "remote: git@h: Permission denied (publickey).",
        "error: corrupt",
        "remote: not on a Friday: fatal: Authentication failed for 'x'",
        "",
    ] {
        assert_eq!(Refusal::find(said), None, "{said}");
        assert_eq!(explain_to(said, "https://h/o/r", "valet"), said);
    }
}
