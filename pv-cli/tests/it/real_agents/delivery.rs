//! From a POST to a commit on the remote and a pull request, with the real agents.

use std::fs;

use pv_watcher::pull_request::fake::{FakeGitHub, TOKEN};
use serde_json::{Value, json};

use crate::fixture::git;

use super::{ALL, LAST_MESSAGE, RealAgentFixture, Script, WRITES};

/// Lets the installation open its pull requests on this host.
fn use_host(real: &RealAgentFixture, host: &FakeGitHub) {
    let (settings, token) = (real.fixture.config(), real.fixture.path("token"));
    fs::write(&token, format!("{TOKEN}\n")).unwrap();
    let changed = fs::read_to_string(&settings).unwrap().replace(
        "mode: branch",
        &format!("mode: pr\n  pull_request: rest\n  api_base: {}\n  token_file: {}", host.api_base(), token.display()),
    );
    fs::write(settings, changed).unwrap();
}

#[test]
fn from_a_post_to_a_commit_on_the_remote_and_a_pull_request() {
    for agent in ALL {
        let (real, host) = (RealAgentFixture::new(agent, WRITES, 40), FakeGitHub::start().unwrap());
        use_host(&real, &host);
        let (_watcher, _api) = (real.watch(), real.fixture.start_api());
        let body = json!({"repo": "o/r", "branch": "main", "markdown_text": "# Say hello\n\nMake HELLO.txt.\n"});
        let (status, receipt) = real.fixture.request("POST", "/jobs", &body.to_string());
        assert_eq!(status, 201, "{receipt}");
        let id = receipt["job_id"].as_str().unwrap();
        let result = real.wait_for_end(id);
        assert_eq!(result.record["state"], "succeeded", "{:#} {}", result.record, result.log);
        let (branch, remote) = (format!("codex/say-hello-{id}"), real.fixture.path("remote.git"));
        let commit = result.record["delivery"]["commit"].as_str().unwrap();
        assert_eq!(git(&remote, &["rev-parse", &format!("refs/heads/{branch}")]), commit);
        assert_eq!(git(&remote, &["show", &format!("{commit}:HELLO.txt")]), "from the model");
        assert_eq!(git(&remote, &["show", "--no-patch", "--format=%an|%s", commit]), "Prompt Valet|Say hello");
        let pulls = host.pulls();
        assert_eq!((pulls.len(), &pulls[0]["html_url"]), (1, &result.record["delivery"]["pr_url"]));
        let asked: Value = host.seen()[0].json.clone();
        let body = asked["body"].as_str().unwrap();
        assert!(body.contains(LAST_MESSAGE) && body.contains("HELLO.txt") && body.contains(id), "{body}");
        let shown = real.fixture.run(&["show", id]);
        eprintln!(
            "--- {}: the log\n{}\n--- pv show\n{}",
            agent.name(),
            result.log,
            String::from_utf8_lossy(&shown.stdout)
        );
        assert!(String::from_utf8_lossy(&shown.stdout).contains(result.record["delivery"]["pr_url"].as_str().unwrap()));
    }
}

#[test]
fn no_token_is_in_what_an_agent_and_its_tools_see() {
    for agent in ALL {
        let (real, host) =
            (RealAgentFixture::new(agent, Script::Runs("env | sort > seen.txt"), 40), FakeGitHub::start().unwrap());
        use_host(&real, &host);
        let _watcher = real.watch();
        let result = real.wait_for_end(&real.fixture.submit("o/r"));
        let seen = result.patch.unwrap();
        assert!(seen.contains("+PV_JOB_ID=") && seen.contains("+PATH="), "{seen}");
        assert!(!seen.contains(TOKEN) && !seen.contains("/token"), "{seen}");
        let names: Vec<&str> =
            seen.lines().filter_map(|line| line.strip_prefix('+')?.split_once('=').map(|(name, _)| name)).collect();
        eprintln!("--- {}: {}", agent.name(), names.join(" "));
        let is_secret = |name: &&&str| name.contains("TOKEN") || name.starts_with("PV_API");
        assert_eq!(names.iter().filter(is_secret).count(), 0, "{names:?}");
    }
}
