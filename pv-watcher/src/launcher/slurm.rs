//! `slurm`: a job of one task on a cluster whose nodes have the work folder under the same path.
//!
//! `srun` is the client. It passes SIGINT on to the agent, and ends the step at once for SIGTERM; a step that lost its `srun`
//! runs on. So a step is ended by the name of its job, and `squeue` is the proof that it is gone, where the cluster tracks
//! processes by cgroup; where it does not, a namespace of its own holds them together.

use pv_lib::config::{Launcher, Slurm};
use rustix::process::Signal;

use super::{
    adapter::{Adapter, Launch, NotLaunched},
    client::ClientEnd,
    request::Request,
    tools::{AskBy, Tools, variables_of, with_variables_of_client},
};

/// Enters the checkout, and becomes the command. `srun --chdir` would run it elsewhere if the folder is not there.
const ENTER: &str =
    "cd -- \"$0\" 2>/dev/null || { echo \"pv: this node has no folder $0\" >&2; exit 126; }; exec \"$@\"";

/// Ends what has this name: the steps at once, by SIGKILL, since a job that is cancelled has a time to end by itself; then
/// what is left, such as an allocation that lost its `srun`. The steps are found by the job's number: a list of steps by a name
/// is the list of all steps.
const STOP: &str = "for id in $(squeue -h -n \"$0\" -o %A); do squeue -s -h -j \"$id\" -o %i; done | \
     xargs -r scancel --signal=KILL; scancel --name=\"$0\"";

/// What a kernel's namespace holds together ends with its first process, and that ends with its parent.
const NAMESPACE: [&str; 16] = [
    "env",
    "--ignore-signal=INT,TERM,HUP",
    "bwrap",
    "--die-with-parent",
    "--unshare-pid",
    "--bind",
    "/",
    "/",
    "--dev-bind",
    "/dev",
    "/dev",
    "--proc",
    "/proc",
    "--",
    "env",
    "--default-signal=INT,TERM,HUP",
];

impl Adapter for Slurm {
    fn prepare(&self, launcher: &Launcher, request: &Request<'_>) -> Result<Launch, NotLaunched> {
        let name = format!("pv-{}", request.launch_id);
        let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let mut words = own(&["srun", &format!("--job-name={name}")]);
        words.extend(own(&["--ntasks=1", "--input=0", "--unbuffered", "--disable-status"]));
        words.extend(self.limits());
        words.extend(self.options.iter().cloned());
        let join = if request.is_joined { " 2>&1" } else { "" };
        words.extend(own(&["sh", "-c", &format!("{ENTER}{join}"), request.workdir.as_str()]));
        if self.namespace {
            words.extend(own(&NAMESPACE));
        }
        words.extend_from_slice(&request.words);
        let mut names = launcher.env.clone();
        names.push("SLURM_CONF".to_owned());
        let variables = variables_of(request.environment, &names);
        let squeue = |more: &[&str]| Some([own(&["squeue", "-h", "-n", &name]), own(more)].concat());
        // What a job of Slurm has in its environment would make ours a step of that.
        let is_free = |name: &std::ffi::OsStr| {
            name.to_str().is_none_or(|name| !name.starts_with("SLURM_") || name == "SLURM_CONF")
        };
        let free = request.variables.iter().filter(|(name, _)| is_free(name)).cloned().collect::<Vec<_>>();
        Ok(Launch {
            words,
            variables: with_variables_of_client(&free, &variables),
            env_file: None,
            tools: Tools {
                ask: AskBy::Signal(Signal::INT),
                stop: Some(own(&["sh", "-c", STOP, &name])),
                alive: squeue(&["-o", "%T"]),
                outcome: squeue(&["--states=all", "-o", "%T"]),
                succeeds: "COMPLETED".to_owned(),
                waiting: squeue(&["--states=PENDING,CONFIGURING", "-o", "%T (%r)"]),
                variables,
            },
        })
    }

    fn own_words(&self) -> &'static [&'static str] {
        &["srun: ", "slurmstepd: ", "pv: ", "sh: "]
    }

    /// It was not started where the request was refused, where the node has no checkout or no such program, and where the
    /// cluster knows of no such job.
    fn why_not_started(&self, end: &ClientEnd<'_>) -> Option<String> {
        let code = end.exit.code();
        if code == 0 || end.has_spoken {
            return None;
        }
        let refused =
            ["srun: error: Unable to", "srun: fatal: ", "srun: error: Invalid", "pv: this node", "srun: unrecognized"];
        let is_refused = end.said.lines().any(|line| refused.iter().any(|begin| line.starts_with(begin)));
        let is_missing = matches!(code, 126 | 127) && !end.said.is_empty();
        (is_refused || is_missing || end.outcome == Some("")).then(|| end.said.to_owned())
    }

    fn proof(&self) -> Option<&'static str> {
        Some("nothing left in squeue")
    }
}

trait Limits {
    /// Returns the options of `srun` for what a job may have.
    fn limits(&self) -> Vec<String>;
}

impl Limits for Slurm {
    fn limits(&self) -> Vec<String> {
        let option = |name: &str, value: &Option<String>| value.as_ref().map(|value| format!("--{name}={value}"));
        // Whole minutes: a limit that is rounded down to none would be unlimited.
        let minutes = self.time.map(|time| time.as_secs().div_ceil(60).max(1).to_string());
        [
            option("partition", &self.partition),
            option("account", &self.account),
            option("cpus-per-task", &self.cpus.map(|cpus| cpus.to_string())),
            option("mem", &self.memory),
            option("gres", &self.gres),
            option("time", &minutes),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pv_lib::{config::LauncherKind, supervise::Exit};

    use super::*;
    use crate::launcher::request::tests::request;

    fn launch(slurm: &Slurm) -> Launch {
        let kind = LauncherKind::Slurm(slurm.clone());
        let launcher = Launcher { name: "slurm".into(), kind, checkout: None, env: vec!["MUNGE_X".into()] };
        let environment =
            ["PATH", "SLURM_CONF", "SLURM_JOB_ID", "MUNGE_X", "OTHER"].map(|name| (name.into(), "x".into()));
        let mut request = request();
        request.environment = &environment;
        request.variables.push(("SLURM_JOB_ID".into(), "8".into()));
        slurm.prepare(&launcher, &request).unwrap()
    }

    #[test]
    fn it_is_a_job_of_one_task_under_a_name_of_its_own() {
        let launch = launch(&Slurm::default());
        let words = launch.words.join(" ");
        assert!(
            words.starts_with("srun --job-name=pv-a1.7 --ntasks=1 --input=0 --unbuffered --disable-status sh -c cd")
        );
        assert!(words.ends_with("exec \"$@\" 2>&1 /pv/work/a1 codex exec"), "{words}");
        assert_eq!(launch.tools.alive.unwrap().join(" "), "squeue -h -n pv-a1.7 -o %T");
        assert_eq!(launch.tools.stop.unwrap().last().unwrap(), "pv-a1.7");
        let names = |variables: &[(std::ffi::OsString, std::ffi::OsString)]| {
            variables.iter().filter_map(|(name, _)| name.to_str().map(str::to_owned)).collect::<Vec<_>>().join(" ")
        };
        // A job inside a job of Slurm's would be a step of that one.
        assert_eq!(names(&launch.variables), "HOME OPENAI_API_KEY PATH SLURM_CONF MUNGE_X");
        assert_eq!(names(&launch.tools.variables), "PATH SLURM_CONF MUNGE_X");
    }

    #[test]
    fn what_is_configured_becomes_options() {
        let text = |text: &str| Some(text.to_owned());
        let slurm = Slurm {
            partition: text("gpu"),
            account: text("a"),
            cpus: Some(4),
            memory: text("8G"),
            gres: text("gpu:1"),
            time: Some(Duration::from_secs(61)),
            options: vec!["--exclusive".into()],
            namespace: true,
        };
        let words = launch(&slurm).words.join(" ");
        let limits = "--partition=gpu --account=a --cpus-per-task=4 --mem=8G --gres=gpu:1 --time=2 --exclusive sh -c";
        assert!(words.contains(limits), "{words}");
        let inside = "/pv/work/a1 env --ignore-signal=INT,TERM,HUP bwrap --die-with-parent --unshare-pid --bind / /";
        assert!(words.contains(inside) && words.ends_with("env --default-signal=INT,TERM,HUP codex exec"), "{words}");
    }

    #[test]
    fn a_request_that_was_refused_is_told_from_an_agent_that_failed() {
        let check = |code: i32, said: &str, has_spoken: bool, outcome: Option<&str>, expected: bool| {
            let end = ClientEnd { exit: Exit::Code(code), said, has_spoken, outcome };
            assert_eq!(Slurm::default().why_not_started(&end).is_some(), expected, "{code} {said:?} {outcome:?}");
        };
        let refused = "srun: error: Unable to allocate resources: Invalid partition name specified";
        check(1, refused, false, Some(""), true);
        check(1, refused, true, Some("FAILED"), false);
        check(1, "srun: error: Unable to allocate resources: Unable to contact slurm controller", false, None, true);
        check(126, "pv: this node has no folder /srv/pv/work/a1", false, Some("FAILED"), true);
        check(
            127,
            "sh: 1: exec: codex: not found\nsrun: error: n1: task 0: Exited with exit code 127",
            false,
            None,
            true,
        );
        check(7, "srun: error: n1: task 0: Exited with exit code 7", false, Some("FAILED"), false);
        check(1, "Error: no key", false, Some("FAILED"), false);
        check(0, "", false, Some(""), false);
        check(137, "", false, Some("CANCELLED"), false);
    }
}
