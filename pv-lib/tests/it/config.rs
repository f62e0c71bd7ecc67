//! Settings: which layer wins, what is refused and with which message, what leads to a warning.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test, on a disk of its own")]

use std::{collections::BTreeMap, io, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use pv_lib::{
    config::{self, AgentEvents, Config, ConfigError, Overrides, RepoSettings, SubmoduleMode, Warning, vars},
    fs::OsFs,
    inbox_tree::BranchMode,
    layout::InboxMode,
    prompt::Deliver,
};
use serde_json::{Value, json};

struct Fixture {
    dir: tempfile::TempDir,
}

impl Fixture {
    fn with(yaml: &[u8]) -> Self {
        let fixture = Self { dir: tempfile::tempdir().unwrap() };
        std::fs::write(fixture.file(), yaml).unwrap();
        fixture
    }

    fn file(&self) -> Utf8PathBuf {
        Utf8Path::from_path(self.dir.path()).unwrap().join("pv.yaml")
    }

    fn load(&self, env: &[(&str, &str)], flags: &Overrides) -> Result<(Config, Vec<Warning>), ConfigError> {
        let mut vars: BTreeMap<&str, String> = env.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        vars.entry("PV_CONFIG_PATH").or_insert_with(|| self.file().into());
        config::load(&OsFs, &|name| vars.get(name).map(Into::into), flags)
    }

    /// Messages without the place that differs from run to run.
    fn tidy(&self, text: &str) -> String {
        text.replace(self.file().as_str(), "pv.yaml")
    }
}

/// Loads the file and the environment, and compares the rows named in `expected`: value and origin.
fn check(yaml: &str, env: &[(&str, &str)], expected: &[(&str, Value, &str)]) {
    let fixture = Fixture::with(yaml.as_bytes());
    let (config, _) = fixture.load(env, &Overrides::default()).unwrap();
    for (name, value, origin) in expected {
        let row = config.rows.iter().find(|row| row.name == *name).unwrap_or_else(|| panic!("no setting {name}"));
        let found = (&row.value, fixture.tidy(&row.origin.to_string()));
        assert_eq!(found, (value, (*origin).to_owned()), "{name} with {yaml:?} {env:?}");
    }
}

fn check_error(yaml: &str, env: &[(&str, &str)], expected: &str) {
    let fixture = Fixture::with(yaml.as_bytes());
    let error = fixture.load(env, &Overrides::default()).expect_err(yaml).to_string();
    assert_eq!(fixture.tidy(&error), expected, "{yaml:?} {env:?}");
}

fn check_warnings(yaml: &str, env: &[(&str, &str)], expected: &[&str]) {
    let fixture = Fixture::with(yaml.as_bytes());
    let (_, warnings) = fixture.load(env, &Overrides::default()).unwrap();
    let warnings: Vec<_> = warnings.iter().map(|warning| fixture.tidy(&warning.to_string())).collect();
    assert_eq!(warnings, expected, "{yaml:?} {env:?}");
}

#[test]
fn nothing_set_gives_the_documented_defaults() {
    let expected = [
        ("pv_root", json!("/srv/prompt-valet"), "default"),
        ("inbox", json!("/srv/prompt-valet/inbox"), "default"),
        ("PV_RUNS_ROOT", json!("/srv/prompt-valet/runs"), "default"),
        ("PV_BIND_HOST", json!("127.0.0.1"), "default"),
        ("PV_BIND_PORT", json!(8888), "default"),
        ("PV_STALL_THRESHOLD_SECONDS", json!(60), "default"),
        ("PV_API_TOKEN", Value::Null, "default"),
        ("PV_API_BASE_URL", json!("http://127.0.0.1:8888/api/v1"), "default"),
        ("PV_UI_BIND_HOST", json!("0.0.0.0"), "default"),
        ("PV_UI_BIND_PORT", json!(8080), "default"),
        ("PV_UI_API_TIMEOUT_SECONDS", json!(5), "default"),
        ("inbox_mode", json!("multi_owner"), "default"),
        ("watcher.max_concurrent", json!(2), "default"),
        ("watcher.settle_seconds", json!(2), "default"),
        ("watcher.abort_grace_seconds", json!(10), "default"),
        ("watcher.quiet_seconds", json!(300), "default"),
        ("agents.codex.command", json!(["codex"]), "default"),
        ("limits.prompt_bytes", json!(16 << 20), "default"),
        ("limits.disk_floor_bytes", Value::Null, "default"),
        ("delivery.mode", json!("pr"), "default"),
    ];
    check("", &[], &expected);
    let everything_empty: Vec<_> =
        vars::ALL.iter().filter(|var| **var != &vars::CONFIG_PATH).map(|var| (var.name, "")).collect();
    check("pv_root:\ninbox: ''\nwatcher:\nagents:\n", &everything_empty, &expected);
}

#[test]
fn every_variable_is_a_setting() {
    let fixture = Fixture::with(b"");
    let (config, _) = fixture.load(&[], &Overrides::default()).unwrap();
    for var in vars::ALL {
        let rows = config.rows.iter().filter(|row| row.var == Some(var.name));
        assert_eq!(rows.count(), 1, "{}", var.name);
    }
}

#[test]
fn the_environment_wins_over_the_file_and_flags_win_over_both() {
    check("pv_root: /a\n", &[], &[("inbox", json!("/a/inbox"), "default"), ("pv_root", json!("/a"), "pv.yaml:1")]);
    check("pv_root: /a\n", &[("PV_ROOT", "/b")], &[("pv_root", json!("/b"), "PV_ROOT")]);
    check("pv_root: /a\ninbox: /c\n", &[("PV_ROOT", "/b")], &[("inbox", json!("/c"), "pv.yaml:2")]);
    check("inbox: /c\n", &[("PV_REPOS_ROOT", "/d/")], &[("inbox", json!("/d"), "PV_REPOS_ROOT")]);

    let fixture = Fixture::with(b"pv_root: /a\n");
    let mut flags = Overrides::default();
    flags.set(&vars::ROOT, "--root", "/f");
    let (config, _) = fixture.load(&[("PV_ROOT", "/b")], &flags).unwrap();
    assert_eq!(config.folders.root.value, "/f");
    assert_eq!(config.folders.root.origin.to_string(), "--root");
    assert_eq!(config.layout().runs, "/f/runs");
}

#[test]
fn keys_of_the_earlier_service_keep_their_meaning() {
    let yaml = "pv_root: /srv/pv
inbox: /srv/pv/in
finished: /srv/pv/fin
repos_root: /srv/pv/clones
git_owner: nova-rey
git_host: git.example.org
git_protocol: ssh
watcher:
  auto_clone_missing_repos: no
  runner_cmd: /opt/codex --quiet
  runner_model: gpt-5.10
  runner_sandbox: danger-full-access
";
    let fixture = Fixture::with(yaml.as_bytes());
    let (config, warnings) = fixture.load(&[], &Overrides::default()).unwrap();
    assert_eq!(warnings, []);
    let layout = config.layout();
    assert_eq!(layout.inbox_mode, InboxMode::SingleOwner { owner: Some("nova-rey".into()) });
    assert_eq!((layout.finished.as_str(), layout.repos.as_str()), ("/srv/pv/fin", "/srv/pv/clones"));
    let codex = &config.agents["codex"];
    assert_eq!(codex.command, ["/opt/codex", "--quiet"]);
    assert_eq!(codex.model.as_deref(), Some("gpt-5.10"));
    assert_eq!(codex.sandbox.as_deref(), Some("danger-full-access"));
    assert!(!config.git.auto_clone.value);

    let old = "watcher: {git_default_owner: o, git_default_host: h, git_protocol: https, inbox_mode: multi_owner}\n";
    check(old, &[], &[("git_owner", json!("o"), "pv.yaml:1"), ("git_host", json!("h"), "pv.yaml:1")]);
    check(old, &[], &[("inbox_mode", json!("multi_owner"), "pv.yaml:1")]);
}

#[test]
fn the_inbox_tree_keeps_the_earlier_services_keys() {
    let yaml = "tree_builder:
  branch_mode: Both
  branch_whitelist: []
  branch_blacklist: [agent/, dependabot/]
  branch_name_blacklist:
    - HEAD
  scan_interval_seconds: 60
  allow: [nova-rey/*, '*@main']
  deny: nova-rey/old
delivery: {branch_prefix: bot/}
";
    let (config, warnings) = Fixture::with(yaml.as_bytes()).load(&[], &Overrides::default()).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(config.tree_builder.scan_interval.value, Some(Duration::from_secs(60)));
    let rules = config.tree_rules();
    assert_eq!((rules.mode, rules.whitelist.len(), rules.blacklist.len()), (BranchMode::Both, 0, 2));
    assert_eq!((rules.never, rules.deny), (vec!["HEAD".into()], vec!["nova-rey/old".into()]));
    assert_eq!((rules.allow.len(), rules.delivered_prefix.as_str()), (2, "bot/"));

    let (config, _) =
        Fixture::with(b"tree_builder: {scan_interval_seconds: none}\n").load(&[], &Overrides::default()).unwrap();
    assert_eq!(config.tree_builder.scan_interval.value, None);
    assert_eq!(config.tree_rules().never, ["HEAD"]);
    check_error(
        "tree_builder: {branch_mode: some}\n",
        &[],
        "pv.yaml:1: `tree_builder.branch_mode` is `some`: use all, whitelist, blacklist or both",
    );
}

#[test]
fn what_a_pull_request_gets_is_read_as_people_write_it() {
    let yaml = "delivery:
  include_prompt: yes
  draft: true
  labels: [agent, help wanted]
  reviewers: octocat, my-org/core-team, dependabot[bot]
";
    check(
        yaml,
        &[],
        &[
            ("delivery.include_prompt", json!(true), "pv.yaml:2"),
            ("delivery.draft", json!(true), "pv.yaml:3"),
            ("delivery.labels", json!(["agent", "help wanted"]), "pv.yaml:4"),
            ("delivery.reviewers", json!(["octocat", "my-org/core-team", "dependabot[bot]"]), "pv.yaml:5"),
        ],
    );
    check(
        "delivery: {labels: 'a, good first issue'}\n",
        &[],
        &[("delivery.labels", json!(["a", "good first issue"]), "pv.yaml:1")],
    );
    check("", &[], &[("delivery.labels", json!([]), "default"), ("delivery.draft", json!(false), "default")]);
    for (yaml, says) in [
        ("delivery: {reviewers: ['@octocat']}\n", "names of users, and of teams as `org/team`"),
        ("delivery: {reviewers: [a/b/c]}\n", "names of users, and of teams as `org/team`"),
        ("delivery: {reviewers: https://github.com/octocat}\n", "names of users, and of teams as `org/team`"),
        (&format!("delivery: {{labels: [{}]}}\n", "x".repeat(51)), "labels of 1 to 50 characters"),
        (&format!("delivery: {{labels: [{}]}}\n", vec!["x"; 21].join(", ")), "up to 20 labels"),
        ("delivery: {draft: maybe}\n", "use true or false"),
    ] {
        let error = Fixture::with(yaml.as_bytes()).load(&[], &Overrides::default()).unwrap_err().to_string();
        assert!(error.contains(says), "{yaml}: {error}");
    }
}

#[test]
fn agents_are_what_the_file_says() {
    let yaml = "default_agent: claude
allowed_agents: [claude, my-tool]
agents:
  claude: {model: opus, timeout: 30m, idle_timeout: 90s, env: [CLAUDE_HOME], hold_when: quota exceeded, events: None}
  my-tool:
    command: [/opt/tool, run]
    args: --fast 'a b'
    timeout: none
";
    let (config, warnings) = Fixture::with(yaml.as_bytes()).load(&[], &Overrides::default()).unwrap();
    assert_eq!(warnings, []);
    let claude = config.agent("claude").unwrap();
    assert_eq!(claude.command, ["claude"]);
    assert_eq!(claude.timeout, Some(Duration::from_secs(1800)));
    assert_eq!(claude.idle_timeout, Some(Duration::from_secs(90)));
    assert_eq!((claude.events, &claude.hold_when[..]), (AgentEvents::None, &["quota exceeded".to_owned()][..]));
    assert_eq!(claude.env, ["CLAUDE_HOME"]);
    let tool = config.agent("my-tool").unwrap();
    assert_eq!((tool.command.as_slice(), tool.timeout), (["/opt/tool".into(), "run".into()].as_slice(), None));
    assert_eq!(tool.args, ["--fast", "a b"]);
    assert_eq!(config.agent("codex"), None, "configured, but not allowed");
    assert_eq!(config.agent("other"), None);
}

#[test]
fn every_agent_has_a_timeout_unless_it_is_configured_and_none_ends_for_silence() {
    let (config, _) = Fixture::with(b"agents: {mine: {}}\n").load(&[], &Overrides::default()).unwrap();
    for name in ["codex", "mine"] {
        let agent = config.agent(name).unwrap();
        assert_eq!((agent.timeout, agent.idle_timeout), (Some(Duration::from_secs(2 * 3600)), None), "{name}");
        assert_eq!(agent.events, AgentEvents::Auto);
    }
}

#[test]
fn a_comment_in_a_variable_is_dropped_with_a_warning() {
    let dropped = "PV_BIND_PORT: dropped `# the port` from its value: comments need a line of their own in an env file";
    check("", &[("PV_BIND_PORT", "9999   # the port")], &[("PV_BIND_PORT", json!(9999), "PV_BIND_PORT")]);
    check_warnings("", &[("PV_BIND_PORT", "9999   # the port")], &[dropped]);
    check_warnings("", &[("PV_BIND_PORT", "# the port")], &[dropped]);
    check("", &[("PV_BIND_PORT", "# the port")], &[("PV_BIND_PORT", json!(8888), "default")]);
    check("", &[("PV_ROOT", "/a#b")], &[("pv_root", json!("/a#b"), "PV_ROOT")]);
}

#[test]
fn a_value_that_cannot_be_used_is_refused_with_a_remedy() {
    check_error("", &[("PV_BIND_PORT", "http")], "PV_BIND_PORT is `http`: use a port from 1 to 65535");
    check_error("", &[("PV_BIND_PORT", "0")], "PV_BIND_PORT is `0`: use a port from 1 to 65535");
    check_error("", &[("PV_ROOT", "./pv")], "PV_ROOT is `./pv`: use an absolute path, such as /srv/prompt-valet");
    check_error(
        "",
        &[("PV_BIND_HOST", "0.0.0.0:80")],
        "PV_BIND_HOST is `0.0.0.0:80`: use an address or a host name without a port, such as 127.0.0.1 (the port is a setting of its own)",
    );
    check_error(
        "pv_root: /a\nwatcher:\n  max_concurrent: many\n",
        &[],
        "pv.yaml:3: `watcher.max_concurrent` is `many`: use a whole number from 1 to 1000",
    );
    check_error(
        "watcher:\n  poll_seconds: 0\n",
        &[],
        "pv.yaml:2: `watcher.poll_seconds` is `0`: use a time above zero in seconds, or with a unit, such as 90s, 30m or 2h",
    );
    let wanted =
        "use a list of up to 32 texts of 3 to 200 characters, in YAML such as [\"quota exceeded\", RateLimitError]";
    check_error(
        "agents:\n  mine: {hold_when: [quota, '  x ']}\n",
        &[],
        &format!("pv.yaml:2: `agents.mine.hold_when` is `[quota,   x ]`: {wanted}"),
    );
    check_error(
        "agents:\n  codex: {events: jsonl}\n",
        &[],
        "pv.yaml:2: `agents.codex.events` is `jsonl`: use auto, or none for a program that writes plain text and whose exit \
         code says how it went",
    );
    check_error("inbox_mode: both\n", &[], "pv.yaml:1: `inbox_mode` is `both`: use legacy_single_owner or multi_owner");
    check_error(
        "watcher: fast\n",
        &[],
        "pv.yaml:1: `watcher` is `fast`: use a mapping with its keys indented below it",
    );
    check_error(
        "watcher:\n  max_concurrent: {a: 1}\n",
        &[],
        "pv.yaml:2: `watcher.max_concurrent` is `{…}`: use a whole number from 1 to 1000",
    );
    check_error(
        "default_agent: clod\n",
        &[],
        "pv.yaml:1: `default_agent` is `clod`: use one that is configured: codex (`agents.<name>: {}` configures another)",
    );
    check_error(
        "inbox: /x\n",
        &[("PV_RUNS_ROOT", "/x/")],
        "`inbox` and `PV_RUNS_ROOT` are both `/x`: give each a folder of its own",
    );
    // A wrong value in the file is wrong even where a variable covers it.
    check_error(
        "pv_root: here\n",
        &[("PV_ROOT", "/a")],
        "pv.yaml:1: `pv_root` is `here`: use an absolute path, such as /srv/prompt-valet",
    );
}

#[test]
fn a_file_that_is_no_settings_file_is_refused_by_line() {
    check_error("- a\n", &[], "pv.yaml:1: the file is no mapping: write `key: value` lines");
    let fixture = Fixture::with(b"a: 1\nb: \xff\n");
    let error = fixture.load(&[], &Overrides::default()).unwrap_err().to_string();
    assert_eq!(fixture.tidy(&error), "pv.yaml:2: the file is not UTF-8");
    let fixture = Fixture::with(b"pv_root: /a\npv_root: /b\n");
    let error = fixture.tidy(&fixture.load(&[], &Overrides::default()).unwrap_err().to_string());
    assert!(error.starts_with("pv.yaml:2: ") && error.contains("pv_root"), "{error}");
}

#[test]
fn a_missing_file_is_fine_and_an_unreadable_one_is_not() {
    let fixture = Fixture::with(b"");
    let (_, warnings) = config::load(&OsFs, &|_| None, &Overrides::default()).unwrap();
    assert_eq!(warnings, [], "the default file is not there, and nobody named it");

    let missing = fixture.file().with_file_name("none.yaml");
    let (_, warnings) = fixture.load(&[("PV_CONFIG_PATH", missing.as_str())], &Overrides::default()).unwrap();
    assert!(matches!(warnings.as_slice(), [Warning::MissingFile { path, .. }] if *path == missing));

    let folder = missing.with_file_name("");
    let error = fixture.load(&[("PV_CONFIG_PATH", folder.as_str())], &Overrides::default()).unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }), "{error}");
}

#[test]
fn unknown_keys_are_named_with_the_nearest_known_one() {
    check_warnings(
        "inbx: /a\nwatcher:\n  max_concurent: 3\n  zzz: 1\nqqq: 1\nmax_concurrent: 1\n",
        &[],
        &[
            "pv.yaml:1: unknown key `inbx`: did you mean `inbox`?",
            "pv.yaml:6: unknown key `max_concurrent`: did you mean `watcher.max_concurrent`?",
            "pv.yaml:5: unknown key `qqq`",
            "pv.yaml:3: unknown key `watcher.max_concurent`: did you mean `watcher.max_concurrent`?",
            "pv.yaml:4: unknown key `watcher.zzz`",
        ],
    );
    check_warnings(
        "agents:\n  codex:\n    modle: x\n",
        &[],
        &["pv.yaml:3: unknown key `agents.codex.modle`: did you mean `agents.codex.model`?"],
    );
    check_warnings("qqq:\n  a: {b: 1}\n", &[], &["pv.yaml:1: unknown key `qqq`"]);
    check_warnings(
        "git_owner: a\nwatcher: {git_default_owner: b}\n",
        &[],
        &["pv.yaml:2: `watcher.git_default_owner` is not used, since `git_owner` says the same thing"],
    );
}

#[test]
fn keys_without_effect_are_listed_and_not_warned_about() {
    let yaml = "queue:\n  enabled: true\n  jobs_root: /x\ntree_builder: {greedy_inboxes: true, placeholder_branches: [a]}\nprocessed: /p\nfailed: /f\n";
    let fixture = Fixture::with(yaml.as_bytes());
    let (config, warnings) = fixture.load(&[], &Overrides::default()).unwrap();
    assert_eq!(warnings, []);
    let listed: Vec<_> = config.without_effect.iter().map(|key| (key.line, key.key.as_str())).collect();
    assert_eq!(
        listed,
        [
            (1, "queue"),
            (4, "tree_builder.greedy_inboxes"),
            (4, "tree_builder.placeholder_branches"),
            (5, "processed"),
            (6, "failed"),
        ]
    );
}

#[test]
fn the_token_comes_from_its_file_and_is_never_shown() {
    let fixture = Fixture::with(b"");
    let token_file = fixture.file().with_file_name("token");
    let env = [("PV_API_TOKEN_FILE", token_file.as_str())];
    let (config, _) = fixture.load(&env, &Overrides::default()).unwrap();
    let fault = |config: &Config| match config.api_token(&OsFs) {
        Err(ConfigError::TokenFile { kind, .. }) => Some(kind),
        _ => None,
    };
    assert_eq!(fault(&config), Some(io::ErrorKind::NotFound), "it is not there");
    std::fs::write(&token_file, "\n").unwrap();
    assert_eq!(fault(&config), Some(io::ErrorKind::InvalidData), "it holds nothing");
    std::fs::write(&token_file, "tok-123\n").unwrap();
    assert_eq!(config.api_token(&OsFs).unwrap().unwrap().expose(), "tok-123");

    let (config, _) = fixture.load(&[("PV_API_TOKEN", "s3cret")], &Overrides::default()).unwrap();
    assert!(!format!("{config:?}").contains("s3cret"));
    assert_eq!(config.api_token(&OsFs).unwrap().unwrap().expose(), "s3cret");
}

#[test]
fn hosts_are_names_with_or_without_a_port() {
    for (value, read) in [
        ("valet.example, 10.0.0.7:8080", json!(["valet.example", "10.0.0.7:8080"])),
        ("[2001:db8::1]:443,[2001:db8::1]", json!(["[2001:db8::1]:443", "[2001:db8::1]"])),
    ] {
        check("", &[("PV_ALLOWED_HOSTS", value)], &[("PV_ALLOWED_HOSTS", read, "PV_ALLOWED_HOSTS")]);
    }
    for wrong in ["*", "http://valet.example", "valet.example:x", "valet.example:99999", "a/b", "valet.example:"] {
        let wanted = "use host names with commas between them, each with or without a port, such as `valet.example, \
                      10.0.0.7:8080`";
        check_error("", &[("PV_ALLOWED_HOSTS", wrong)], &format!("PV_ALLOWED_HOSTS is `{wrong}`: {wanted}"));
    }
}

#[test]
fn repositories_have_settings_of_their_own() {
    let yaml = "agents: {claude: {}}\nrepos:\n  default: {deliver: branch}\n  octo-org/site.js:\n    agent: claude\n    \
                checkout: full\n  hello: {deliver: none}\n";
    check(
        yaml,
        &[],
        &[
            ("repos.default.deliver", json!("branch"), "pv.yaml:3"),
            ("repos.\"octo-org/site.js\".agent", json!("claude"), "pv.yaml:5"),
            ("repos.\"octo-org/site.js\".deliver", Value::Null, "default"),
        ],
    );
    let fixture = Fixture::with(yaml.as_bytes());
    let (config, warnings) = fixture.load(&[], &Overrides::default()).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let site = config.repos.of("octo-org/site.js");
    assert_eq!((site.agent.as_deref(), site.deliver), (Some("claude"), Some(Deliver::Branch)));
    assert_eq!(config.repos.of("hello").deliver, Some(Deliver::Nothing));
}

#[test]
fn c20_whether_submodules_must_be_there_is_set_for_one_repository_or_for_all() {
    let fixture = Fixture::with(b"repos: {default: {submodules: none}, a/b: {submodules: Must}, c/d: {deliver: pr}}\n");
    let (config, _) = fixture.load(&[], &Overrides::default()).unwrap();
    let mode = |name: &str| config.repos.of(name).submodules;
    let (none, must) = (Some(SubmoduleMode::None), Some(SubmoduleMode::Must));
    assert_eq!((mode("a/b"), mode("c/d"), mode("e")), (must, none, none));
    assert_eq!(RepoSettings::default().submodules.unwrap_or_default(), SubmoduleMode::Try);
}

#[test]
fn what_is_wrong_with_a_repositorys_settings_is_named() {
    check_error(
        "repos: {../x: {}}\n",
        &[],
        "pv.yaml:1: `repos` is `../x`: use the name of a repository, such as `octo-org/hello`, or `default` for all",
    );
    check_error(
        "repos: {a/b: {agent: nobody}}\n",
        &[],
        "pv.yaml:1: `repos.a/b.agent` is `nobody`: use one that prompts may use: claude, codex, opencode",
    );
    check_error(
        "repos: {a/b: {submodules: maybe}}\n",
        &[],
        "pv.yaml:1: `repos.a/b.submodules` is `maybe`: use must, try or none",
    );
    check_error("repos: [a/b]\n", &[], "pv.yaml:1: `repos` is `[a/b]`: use a mapping with its keys indented below it");
    check_warnings(
        "repos:\n  a/b: {delivr: branch}\n",
        &[],
        &["pv.yaml:2: unknown key `repos.a/b.delivr`: did you mean `repos.a/b.deliver`?"],
    );
}

#[test]
fn checks_and_what_prepares_a_checkout_are_commands_by_name() {
    let yaml = "checks:\n  test: cargo test --locked\n  lint: [cargo, clippy, \"a b\"]\nsetup_timeout: 90s\nrepos:\n  \
                default: {checks: [test], attempts: 2}\n  o/site:\n    setup: [npm ci, [make, tools]]\n    \
                copy: [.env, \"config/*.local\"]\n    checks: test, lint\n  o/plain: {checks: []}\n";
    check(
        yaml,
        &[],
        &[
            ("checks.lint", json!("cargo clippy 'a b'"), "pv.yaml:3"),
            ("setup_timeout", json!(90), "pv.yaml:4"),
            ("checks_timeout", json!(900), "default"),
            ("repos.o/site.setup", json!(["npm ci", "make tools"]), "pv.yaml:8"),
        ],
    );
    let fixture = Fixture::with(yaml.as_bytes());
    let (config, warnings) = fixture.load(&[], &Overrides::default()).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let site = config.repos.of("o/site");
    assert_eq!((site.checks.unwrap(), site.attempts), (vec!["test".to_owned(), "lint".into()], Some(2)));
    let words: Vec<Vec<String>> = site.setup.unwrap().iter().map(config::Command::words).collect();
    assert_eq!(words, [vec!["sh", "-c", "npm ci"], vec!["make", "tools"]]);
    assert_eq!(config.verification.checks["lint"].words(), ["cargo", "clippy", "a b"]);
    assert_eq!(config.repos.of("o/plain").checks.unwrap(), [""; 0], "a repository can be without those for all");
    assert_eq!(config.repos.of("o/other").checks.unwrap(), ["test"]);
}

#[test]
fn what_is_wrong_with_checks_is_named_and_no_command_is_shown() {
    let at = |yaml: &str, expected: &str| {
        let error = Fixture::with(yaml.as_bytes()).load(&[], &Overrides::default()).unwrap_err();
        assert!(error.to_string().contains(expected), "{yaml}: {error}");
    };
    at(
        "repos: {o/r: {checks: [test]}}\n",
        "`repos.o/r.checks` is `test`: use a check that is configured, by `checks.<name>: command`",
    );
    at("checks: {a: x}\nrepos: {o/r: {checks: [test]}}\n", "pv.yaml:2: `repos.o/r.checks` is `test`: use a");
    at("checks: {\"a b\": x}\n", "pv.yaml:1: `checks.a b` is `a b`: use a name of up to 64 letters");
    at("checks: [a]\n", "pv.yaml:1: `checks` is `…`: use a mapping");
    at("checks: {a: [[x]]}\n", "pv.yaml:1: `checks.a`");
    at("repos: {o/r: {setup: [{a: b}]}}\n", "pv.yaml:1: `repos.o/r.setup`");
    at("repos: {o/r: {attempts: 11}}\n", "`repos.o/r.attempts` is `11`: use a whole number from 1 to 10");
    for path in ["/etc/passwd", "../x", "a/../b", ".git/config", "", "[x"] {
        at(&format!("repos: {{o/r: {{copy: [\"{path}\"]}}}}\n"), "`repos.o/r.copy`");
    }
}
