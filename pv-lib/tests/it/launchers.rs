//! The section `launchers` of the settings: what it means, and what is refused with which words.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test, on a disk of its own")]

use std::time::Duration;

use camino::Utf8Path;
use pv_lib::{
    config::{self, Ask, AskSignal, CheckoutMode, Config, LauncherKind, Overrides, Warning},
    fs::OsFs,
};

fn load(yaml: &str) -> Result<(Config, Vec<Warning>), String> {
    let dir = tempfile::tempdir().unwrap();
    let file = Utf8Path::from_path(dir.path()).unwrap().join("pv.yaml");
    std::fs::write(&file, yaml).unwrap();
    let named = |name: &str| (name == "PV_CONFIG_PATH").then(|| file.as_str().into());
    let loaded = config::load(&OsFs, &named, &Overrides::default());
    loaded.map_err(|error| error.to_string().replace(file.as_str(), "pv.yaml"))
}

#[test]
fn without_a_section_agents_are_children_of_the_supervisor_and_presets_are_there_by_name() {
    let (config, warnings) = load("").unwrap();
    assert_eq!(warnings, []);
    assert_eq!(config.launchers.keys().collect::<Vec<_>>(), ["bubblewrap", "local", "slurm"]);
    assert!(config.agents.values().all(|agent| agent.launcher == "local"));
    assert_eq!(config.agents["codex"].sandbox.as_deref(), Some("workspace-write"));
    let (config, _) = load("agents: {codex: {launcher: bubblewrap}, mine: {launcher: slurm}}\n").unwrap();
    // Codex cannot make its own sandbox inside of ours.
    assert_eq!(config.agents["codex"].sandbox.as_deref(), Some("danger-full-access"));
    assert_eq!(config.agents["mine"].launcher, "slurm");
    let (config, _) = load("agents: {codex: {launcher: bubblewrap, sandbox: read-only}}\n").unwrap();
    assert_eq!(config.agents["codex"].sandbox.as_deref(), Some("read-only"));
}

#[test]
fn each_kind_has_its_own_keys() {
    let yaml = "
launchers:
  closed: {kind: bubblewrap, network: off, read: [~/.cargo, /opt/x], write: /var/cache/y, checkout: full}
  slurm: {partition: gpu, account: a, cpus: 4, memory: 8G, gres: 'gpu:1', time: 90m, options: --exclusive, env: [SLURM_CONF]}
  box:
    kind: command
    run: [podman, run, '{env}', '--name=pv-{launch_id}', image]
    stop: [podman, rm, -f, 'pv-{launch_id}']
    alive: podman ps -q --filter name=pv-{launch_id}
    ask: sigint
    start_failed: [125, 127]
agents:
  codex: {launcher: closed}
  mine: {launcher: box, checkout: shared}
";
    let (config, warnings) = load(yaml).unwrap();
    assert_eq!(warnings, []);
    let LauncherKind::Bubblewrap(closed) = &config.launchers["closed"].kind else { panic!("not a sandbox") };
    assert_eq!((closed.network, closed.read.join(" ").as_str()), (false, "~/.cargo /opt/x"));
    assert_eq!(closed.write, ["/var/cache/y"]);
    // What a launcher needs of the checkout counts where its agent says nothing.
    assert_eq!(config.agents["codex"].checkout, CheckoutMode::Full);
    assert_eq!(config.agents["mine"].checkout, CheckoutMode::Shared);
    let LauncherKind::Slurm(slurm) = &config.launchers["slurm"].kind else { panic!("not Slurm") };
    assert_eq!((slurm.partition.as_deref(), slurm.cpus, slurm.memory.as_deref()), (Some("gpu"), Some(4), Some("8G")));
    assert_eq!((slurm.time, slurm.options.join(" ").as_str()), (Some(Duration::from_secs(5400)), "--exclusive"));
    assert_eq!(config.launchers["slurm"].env, ["SLURM_CONF"]);
    let LauncherKind::Command(command) = &config.launchers["box"].kind else { panic!("not a command") };
    assert_eq!((&command.ask, &command.start_failed[..]), (&Ask::Signal(AskSignal::Int), &[125, 127][..]));
    assert_eq!(command.alive.as_ref().unwrap().to_string(), "podman ps -q --filter 'name=pv-{launch_id}'");
    assert_eq!((command.succeeds.as_str(), &command.outcome), ("COMPLETED", &None));
}

#[test]
fn what_cannot_be_used_is_refused_at_the_start_and_named() {
    let check = |yaml: &str, expected: &str| {
        let text = load(yaml).expect_err(yaml);
        assert!(text.contains(expected), "{yaml}\n{text}");
    };
    check(
        "agents: {codex: {launcher: farm}}\n",
        "pv.yaml:1: `agents.codex.launcher` is `farm`: use one that there is: bubblewrap, local, slurm (`launchers.<name>`",
    );
    let command = |line: &str| format!("launchers:\n  x:\n    kind: command\n    {line}\n");
    check(
        &command("run: [ssh, node, 'cd {workdirr} && {command}']"),
        "pv.yaml:4: `launchers.x.run` is `{workdirr}`: use what is known here: {job_id} {launch_id} {workdir}",
    );
    check(
        &command("run: [a]\n    stop: [b, '{env_file}']\n    alive: [c]"),
        "`launchers.x.stop` is `{env_file}`: use what",
    );
    check(&command("run: [a]\n    ask: [kill, '{pid}']"), "`launchers.x.ask` is `{pid}`: use what is known here:");
    check(&command("run: [a, 'x{env}']"), "`launchers.x.run` is `{env}`: use {env} as a word of its own");
    check(&command("run: [a]\n    alive: [b]"), "`launchers.x.stop` is ``: use both `stop` and `alive`, or neither");
    check(&command("run: [a]\n    ask: KILL"), "`launchers.x.ask` cannot be used (what it says is not shown");
    check(&command("alive: [b]"), "`launchers.x.run` is ``: use the command that is put before the agent's");
    check(
        &command("run: [a]\n    partition: p"),
        "`launchers.x.partition` is `…`: use it in a launcher of `kind: slurm` only",
    );
    check("launchers: {x: {network: off}}\n", "`launchers.x.kind` is ``: use local, bubblewrap, slurm or command");
    check(
        "launchers: {x: {kind: docker}}\n",
        "`launchers.x.kind` is `docker`: use local, bubblewrap, slurm or command",
    );
    check("launchers: {bubblewrap: {read: [cargo]}}\n", "`launchers.bubblewrap.read` is `[cargo]`: use up to 64 paths");
    check("launchers: {bubblewrap: {write: [/a/../b]}}\n", "use up to 64 paths");
    check("launchers: {slurm: {memory: lots}}\n", "`launchers.slurm.memory` is `lots`: use a number of MB");
    check("launchers: {'a b': {}}\n", "`launchers.a b` is `a b`: use a name of letters");
    check("launchers: podman run\n", "`launchers` is `…`: use a mapping");
    check("launchers: {x: podman run --env KEY=secret}\n", "`launchers.x` is `…`: use a mapping");
}

#[test]
fn a_key_that_no_launcher_has_is_a_warning_with_the_nearest_that_there_is() {
    let (_, warnings) = load("launchers: {slurm: {partitions: gpu}}\n").unwrap();
    let text = warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(
        text.contains("unknown key `launchers.slurm.partitions`: did you mean `launchers.slurm.partition`?"),
        "{text}"
    );
}

#[test]
fn the_settings_in_the_guides_are_settings() {
    let mut count = 0;
    for page in ["launchers.md", "cluster.md"] {
        let path = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
        let text = std::fs::read_to_string(path).unwrap();
        for block in text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
            // One is no example: it says what each key is for.
            if block.contains("words…") {
                continue;
            }
            let (_, warnings) = load(block).unwrap_or_else(|error| panic!("{page}: {error}\n{block}"));
            assert_eq!(warnings, [], "{block}");
            count += 1;
        }
    }
    assert_eq!(count, 4, "examples");
}
