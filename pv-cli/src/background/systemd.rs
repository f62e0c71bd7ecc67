//! The user's own systemd, which keeps services of a user.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
    process::Command,
};

use camino::Utf8Path;
use pv_lib::host;

/// Returns the call that starts a program as a service of the user's systemd and waits until it is ready, with this process's
/// environment and `variables`; `None` where there is no such systemd.
pub(super) fn command(
    unit: &str,
    log: &Utf8Path,
    program: &[OsString],
    variables: &[(&str, String)],
) -> Option<Command> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty())?;
    let runs = Path::new(&runtime).join("systemd/private").exists();
    let systemd_run = host::find_programs("systemd-run", &path).into_iter().next().filter(|_| runs)?;
    let mut command = Command::new(systemd_run);
    command.args(["--user", "--quiet", "--collect", "--service-type=notify"]).arg(format!("--unit={unit}"));
    // As the unit for the whole system: a stop ends the watcher alone, and each job may have a control group of its own.
    let log = format!("append:{log}");
    let ours = ["KillMode=process", "Delegate=yes", "OOMPolicy=continue"].map(str::to_owned);
    let mask = rustix::process::umask(rustix::fs::Mode::RWXO);
    rustix::process::umask(mask);
    let of_this_call =
        [format!("UMask={:04o}", mask.bits()), format!("StandardOutput={log}"), format!("StandardError={log}")];
    for property in ours.into_iter().chain(of_this_call) {
        command.arg("-p").arg(property);
    }
    let own = std::env::vars_os().map(|(name, _)| name);
    let names = own.chain(variables.iter().map(|(name, _)| (*name).into())).filter(|name| is_passed_on(name));
    for name in names {
        let mut flag = OsString::from("--setenv=");
        flag.push(name);
        command.arg(flag);
    }
    command.envs(variables.iter().map(|(name, value)| (name, value))).arg("--").args(program);
    Some(command)
}

/// Tells whether a variable is passed on, by its name alone: its value is in no argument. What systemd sets itself is not.
fn is_passed_on(name: &OsStr) -> bool {
    const ITS_OWN: [&str; 6] =
        ["INVOCATION_ID", "JOURNAL_STREAM", "NOTIFY_SOCKET", "SYSTEMD_EXEC_PID", "MAINPID", "MANAGERPID"];
    let Some(name) = name.to_str().filter(|name| !ITS_OWN.contains(name)) else { return false };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty() && !name.as_bytes()[0].is_ascii_digit() && name.bytes().all(is_plain)
}

/// Returns the system's unit that a process belongs to, where a systemd keeps it for the whole system.
pub(super) fn unit_of(pid: i32) -> Option<String> {
    unit_in(&std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?).map(str::to_owned)
}

/// Reads a unit from a list of control groups: one directly in the slice of the system.
fn unit_in(cgroups: &str) -> Option<&str> {
    let mut parts = cgroups.lines().find_map(|line| line.strip_prefix("0::/system.slice/"))?.split('/');
    parts.next().filter(|unit| unit.starts_with("prompt-valet-") && unit.ends_with(".service"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_systemd_takes_are_passed_on() {
        for (name, expected) in [("PATH", true), ("_x1", true), ("BASH_FUNC_x%%", false), ("1x", false), ("", false)] {
            assert_eq!(is_passed_on(OsStr::new(name)), expected, "{name}");
        }
        assert!(!is_passed_on(OsStr::new("NOTIFY_SOCKET")));
    }

    #[test]
    fn a_unit_of_the_system_is_told_from_all_else() {
        let check = |cgroups: &str, expected: Option<&str>| assert_eq!(unit_in(cgroups), expected, "{cgroups}");
        let unit = Some("prompt-valet-watcher.service");
        check("0::/system.slice/prompt-valet-watcher.service\n", unit);
        check("1:name=x:/\n0::/system.slice/prompt-valet-watcher.service/watcher\n", unit);
        check("0::/system.slice/ssh.service\n", None);
        check("0::/user.slice/user-1000.slice/user@1000.service/app.slice/prompt-valet-1.service\n", None);
        check("", None);
    }
}
