//! The checks of an agent's work, and the attempts that mend it.

use std::{fs, net::TcpListener, thread, time::Duration};

use pv_lib::job::{FailReason, JobRecord, JobState, Phase};

use super::fixture::{self, Fixture, git, wait_until};

/// An agent that is wrong at first, and right once it is told what the check found. It counts its runs.
const MENDS: &str = "echo run >> ../../witness; \
    if grep -q 'expected right' && grep -q 'do the work' \"$PV_PROMPT_FILE\"; then echo right > answer.txt; else echo wrong > answer.txt; fi";

/// A check that says what it expected.
const ANSWER: &str = "answer=grep -qx right answer.txt || { echo expected right, found $(cat answer.txt); exit 3; }";

fn checked(script: &str, checks: &str) -> Fixture {
    Fixture::new(script).set(fixture::CHECKS, checks).set(fixture::DELIVER, "branch")
}

fn state(record: &JobRecord) -> (JobState, Option<FailReason>, Option<bool>) {
    (record.state(), record.reason, record.verified)
}

const VERIFIED: (JobState, Option<FailReason>, Option<bool>) = (JobState::Succeeded, None, Some(true));
const RED: (JobState, Option<FailReason>, Option<bool>) = (JobState::Failed, Some(FailReason::Check), Some(false));

/// Returns the files of the delivered branch, and what the answer is in it.
fn delivered(fixture: &Fixture, record: &JobRecord) -> (String, String) {
    let branch = record.delivery.as_ref().unwrap().branch.clone().unwrap();
    let repository = fixture.root.join("repos/o/r");
    let files = git(&repository, &["ls-tree", "-r", "--name-only", &branch]);
    (files.replace('\n', " "), git(&repository, &["show", &format!("{branch}:answer.txt")]))
}

#[test]
fn green_checks_verify_the_work_and_it_is_delivered() {
    let fixture = checked("echo right > answer.txt", &format!("{ANSWER}\nlist=ls; echo seen"));
    let record = fixture.run();
    assert_eq!(state(&record), VERIFIED, "{record:?} {}", fixture.errors());
    let checks = record.checks.clone().unwrap();
    let all: Vec<_> = checks.iter().map(|check| (check.name.as_str(), check.exit_code, check.timed_out)).collect();
    assert_eq!(all, [("answer", Some(0), false), ("list", Some(0), false)]);
    assert_eq!(checks[1].command, "ls; echo seen");
    let attempts = record.attempts.clone().unwrap();
    assert_eq!((attempts.len(), attempts[0].number, attempts[0].checks.as_ref()), (1, 1, Some(&checks)));
    assert_eq!(attempts[0].commit, record.delivery.as_ref().unwrap().commit);
    assert_eq!(delivered(&fixture, &record), ("README.md answer.txt".into(), "right".into()));
    let expected = "[pv: check answer: grep";
    assert!(fixture.log_text().contains(expected) && fixture.run_file("checks.log").contains(expected));
    assert!(
        fixture.run_file("checks.log").contains("answer.txt\nseen\n[pv: check list: exit 0, "),
        "{}",
        fixture.run_file("checks.log")
    );
}

#[test]
fn red_checks_keep_the_work_and_deliver_nothing() {
    let fixture = checked("echo wrong > answer.txt", &format!("before=true\n{ANSWER}\nafter=exit 4"));
    let record = fixture.run();
    assert_eq!(state(&record), RED, "{record:?}");
    let message = record.message.unwrap();
    assert!(
        message.starts_with("the checks `answer` (exit 3, ") && message.contains("failed; the work is kept"),
        "{message}"
    );
    assert_eq!(record.phase, Some(Phase::Checking));
    assert_eq!(fixture.kept_file("answer.txt").as_deref(), Some("wrong\n"));
    assert!(fixture.run_file("changes.patch").contains("+wrong"));
    let branches = git(&fixture.root.join("repos/o/r"), &["branch", "--list"]);
    assert_eq!(branches, "* main");
    assert!(!fixture.store.layout().checkout_path(&fixture.id).exists());
}

#[test]
fn a_second_attempt_is_told_what_failed_and_mends_it() {
    let fixture = checked(MENDS, ANSWER).set(fixture::ATTEMPTS, "3");
    let record = fixture.run();
    assert_eq!(state(&record), VERIFIED, "{record:?} {}", fixture.log_text());
    let attempts = record.attempts.clone().unwrap();
    let codes: Vec<_> = attempts.iter().map(|attempt| attempt.checks.as_ref().unwrap()[0].exit_code).collect();
    assert_eq!(codes, [Some(3), Some(0)]);
    assert_eq!(fs::read_to_string(fixture.root.join("witness")).unwrap(), "run\nrun\n");
    let told = fixture.run_file("prompt-2.md");
    assert!(told.contains("The check `answer`") && told.contains("expected right, found wrong"), "{told}");
    let branch = record.delivery.as_ref().unwrap().branch.clone().unwrap();
    let count = git(&fixture.root.join("repos/o/r"), &["rev-list", "--count", &format!("main..{branch}")]);
    assert_eq!((count.as_str(), delivered(&fixture, &record).1.as_str()), ("1", "right"), "one commit has all of it");
    assert!(
        fixture.log_text().contains("[pv: attempt 2 of 3: the agent is told what the checks found, in a new session]")
    );
}

#[test]
fn the_last_attempt_ends_red_and_says_after_how_many() {
    let fixture = checked("cat >> all; echo $PV_PROMPT_FILE >> ../../witness", "no=echo never; false")
        .set(fixture::ATTEMPTS, "3");
    let record = fixture.run();
    assert_eq!(state(&record), RED, "{record:?}");
    assert_eq!(record.attempts.as_ref().unwrap().len(), 3);
    let message = record.message.unwrap();
    assert!(
        message.starts_with("the check `no` (exit 1, ") && message.contains("failed after 3 attempts"),
        "{message}"
    );
    let prompts = fs::read_to_string(fixture.root.join("witness")).unwrap();
    let names: Vec<&str> = prompts.lines().filter_map(|path| path.rsplit('/').next()).collect();
    assert_eq!(names, ["prompt.md", "prompt-2.md", "prompt-3.md"]);
}

#[test]
fn an_agent_that_fails_is_not_checked_and_a_job_without_changes_neither() {
    let fixture = checked("echo half > half; exit 7", "yes=touch ../../checked").set(fixture::ATTEMPTS, "2");
    let record = fixture.run();
    assert_eq!(state(&record), (JobState::Failed, Some(FailReason::Exit), None), "{record:?}");
    let fixture = checked("true", "yes=touch ../../checked");
    let record = fixture.run();
    assert_eq!((state(&record), record.message.as_deref()), ((JobState::Succeeded, None, None), Some("no changes")));
    assert!(!fixture.root.join("checked").exists());
}

#[test]
fn what_checks_write_is_not_delivered_and_the_next_attempt_finds_the_work_as_it_left_it() {
    // The check changes a tracked file, the agent's files, git's own, and makes new ones, ignored and not.
    let check = "messy=ls -a . sub 2>/dev/null | sort | tr '\\n' ' ' >> ../../seen; echo >> ../../seen; \
        echo check >> README.md; rm -f answer.txt; mkdir -p made; echo x > made/new; echo y > trash.ign; echo z >> own.ign; \
        git -c user.name=c -c user.email=c add -A; git -c user.name=c -c user.email=c commit -qm check; \
        grep -q right ../../answered";
    let agent = "echo run >> ../../witness; \
        if [ \"$(wc -l < ../../witness)\" = 2 ]; then \
          { git status --porcelain --ignored; cat answer.txt own.ign README.md; git log --oneline | wc -l; } > ../../found; \
          echo right > ../../answered; echo right > answer.txt; \
        else echo '*.ign' > .gitignore; echo mine > own.ign; echo wrong > answer.txt; fi";
    let fixture = checked(agent, check).set(fixture::ATTEMPTS, "2");
    fs::write(fixture.root.join("answered"), "").unwrap();
    let record = fixture.run();
    assert_eq!(state(&record), VERIFIED, "{record:?} {} {}", fixture.log_text(), fixture.errors());
    let found = fs::read_to_string(fixture.root.join("found")).unwrap();
    assert!(found.contains("wrong\nmine\nhello\n1\n"), "{found}");
    assert!(!found.contains("made") && !found.contains("trash"), "{found}");
    assert_eq!(delivered(&fixture, &record), (".gitignore README.md answer.txt".into(), "right".into()));
    let branch = record.delivery.as_ref().unwrap().branch.clone().unwrap();
    let repository = fixture.root.join("repos/o/r");
    assert_eq!(git(&repository, &["show", &format!("{branch}:README.md")]), "hello");
    assert_eq!(git(&repository, &["log", "--format=%an", &format!("main..{branch}")]), "Valet");
    let archived = pv_watcher::list_archive(&fixture.store.layout().ignored_archive_path(&fixture.id), 9).unwrap();
    let archived: Vec<&str> = archived.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(archived, ["own.ign"]);
    let seen = fs::read_to_string(fixture.root.join("seen")).unwrap();
    let (first, second) = seen.split_once('\n').unwrap();
    assert_eq!(first, second.trim_end_matches('\n'), "both runs of the check found the same files");
}

#[test]
fn a_check_that_hangs_floods_or_forks_is_ended_with_all_that_it_started() {
    let hangs = "hangs=trap '' TERM; setsid sleep 1000 & sleep 1000";
    let floods = "floods=head -c 3000000 /dev/zero | tr '\\0' x; echo; echo the end";
    let forks = "forks=for i in 1 2 3 4 5 6 7 8; do (setsid sh -c 'sleep 1000 & sleep 1000' &) ; done; exit 0";
    let fixture = checked("echo x > x", &format!("{hangs}\n{floods}\n{forks}"))
        .set(fixture::CHECKS_MS, "1500")
        .set(fixture::LOG_BYTES, "100000");
    let record = fixture.run();
    assert_eq!(state(&record), RED, "{record:?}");
    let checks = record.checks.unwrap();
    assert!(checks[0].timed_out && checks[0].exit_code.is_some_and(|code| code < 0), "{checks:?}");
    assert_eq!((checks[1].exit_code, checks[2].exit_code), (Some(0), Some(0)), "{checks:?}");
    assert!(record.message.unwrap().contains("the check `hangs` (ended at its time limit, "));
    assert_eq!(fixture.alive(), Vec::<String>::new());
    for log in ["job.log", "checks.log"] {
        let text = fixture.run_file(log);
        assert!(text.len() < 400_000 && text.contains("the log is at its limit"), "{log}: {}", text.len());
        assert!(text.contains("check forks: exit 0"), "{log}");
    }
}

#[test]
fn a_daemon_that_the_agent_left_is_gone_before_the_checks() {
    let agent = "echo x > x; (setsid sh -c 'exec 9>>../../port; flock 9; echo held > ../../held; exec sleep 1000' &); \
        until [ -s ../../held ]; do sleep 0.01; done";
    let fixture = checked(agent, "port=exec 9>>../../port; flock -n 9");
    let record = fixture.run();
    assert_eq!(state(&record), VERIFIED, "{record:?} {}", fixture.log_text());
}

/// The port of loopback that [`port_process`] binds.
const PORT: &str = "TEST_PORT";

/// Not a test of its own: what an agent leaves running, and what a check is, where both need the same port.
#[test]
fn port_process() {
    let Ok(port) = std::env::var(PORT) else { return };
    let bound = TcpListener::bind(("127.0.0.1", port.parse().unwrap()));
    let held = std::env::var_os("TEST_HELD");
    println!("{}", if bound.is_ok() { "the port is free" } else { "the port is taken" });
    if let Some(held) = held {
        fs::write(held, bound.is_ok().to_string()).unwrap();
        thread::sleep(Duration::from_secs(1000));
    }
    bound.unwrap();
}

#[test]
fn a_server_that_the_agent_left_holds_no_port_that_a_check_needs() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let exe = std::env::current_exe().unwrap();
    let binds = format!("{PORT}={port} {} --exact supervise::checking::port_process --nocapture", exe.display());
    let agent = format!(
        "echo x > x; (TEST_HELD=../../held setsid env {binds} &); until [ -s ../../held ]; do sleep 0.01; done"
    );
    let fixture = checked(&agent, &format!("port=env {binds}"));
    let record = fixture.run();
    assert_eq!(fs::read_to_string(fixture.root.join("held")).unwrap(), "true", "the agent's server had it");
    assert_eq!(state(&record), VERIFIED, "{record:?} {}", fixture.log_text());
    assert!(fixture.run_file("checks.log").contains("the port is free"), "{}", fixture.run_file("checks.log"));
}

#[test]
fn a_check_has_the_basic_environment_and_none_of_our_keys() {
    let fixture = checked("env > ../../agent.env; echo x > x", "env=env > ../../check.env; ls /proc/self/fd; cat")
        .set("OPENAI_API_KEY", "secret");
    let record = fixture.run();
    assert_eq!(state(&record), VERIFIED, "{record:?}");
    let env = fs::read_to_string(fixture.root.join("check.env")).unwrap();
    assert!(env.contains("PATH=") && env.contains(&format!("PV_JOB_ID={}", fixture.id)), "{env}");
    assert!(!env.contains("secret") && !env.contains("PV_TEST") && !env.contains("PV_API_TOKEN"), "{env}");
}

#[test]
fn an_abort_while_checks_run_ends_them_and_keeps_the_work() {
    let fixture = checked("echo right > answer.txt", &format!("{ANSWER}\nlong=echo begun; sleep 1000"));
    let mut supervisor = fixture.start();
    fixture.wait_for_log("begun");
    fixture.abort();
    assert!(supervisor.wait(), "{}", fixture.errors());
    let record = fixture.record();
    assert_eq!(state(&record), (JobState::Aborted, None, None), "{record:?}");
    assert_eq!(fixture.alive(), Vec::<String>::new());
    assert_eq!(record.checks, None, "of the work as it is nothing is known");
    let checks = record.attempts.unwrap()[0].checks.clone().unwrap();
    assert_eq!((checks[0].exit_code, checks[1].error.as_deref()), (Some(0), Some("stopped before its end")));
    assert_eq!(fixture.kept_file("answer.txt").as_deref(), Some("right\n"));
}

#[test]
fn work_that_changes_what_checks_run_from_is_said_to() {
    let fixture = checked("mkdir -p tests; echo easy > tests/a.sh; echo x > x", "yes=true")
        .set(fixture::CHECKS_PATHS, "tests/**");
    let record = fixture.run();
    assert_eq!(state(&record), VERIFIED, "{record:?}");
    assert_eq!(record.checks_changed.as_deref(), Some(&["tests/a.sh".to_owned()][..]));
    assert!(record.message.unwrap().ends_with("the work changes what its checks run from: tests/a.sh"));
}

#[test]
fn a_prompt_names_its_checks_and_fewer_attempts() {
    let checks = "a=false\nb=true";
    let with = |pv: &str| {
        Fixture::with_prompt("echo x > x", &format!("---\npv: {{{pv}}}\n---\ndo it\n"))
            .set(fixture::CHECKS, checks)
            .set(fixture::ATTEMPTS, "2")
            .set(fixture::DELIVER, "branch")
    };
    let record = with("checks: [b]").run();
    assert_eq!((state(&record), record.checks.unwrap().len()), (VERIFIED, 1));
    let record = with("attempts: 1").run();
    assert_eq!((state(&record), record.attempts.unwrap().len()), (RED, 1));
    for (pv, why) in
        [("checks: [c]", "there is no check `c`: name one of a, b"), ("attempts: 3", "3 attempts are more than")]
    {
        let record = with(pv).run();
        assert_eq!((record.state(), record.reason), (JobState::Failed, Some(FailReason::Prompt)), "{record:?}");
        assert!(record.message.as_ref().is_some_and(|message| message.contains(why)), "{record:?}");
    }
}

#[test]
fn the_checks_of_a_red_job_run_again_on_its_work_alone() {
    let mut fixture = checked(
        "echo ran >> ../../witness; echo work > answer.txt; echo kept > k.ign; echo '*.ign' > .gitignore",
        "outside=cat k.ign && test -e ../../fixed",
    );
    assert_eq!(state(&fixture.run()), RED);
    let (first, _) = (fixture.id.clone(), fixture.retry_checks());
    let record = fixture.run();
    assert_eq!(state(&record), RED, "{record:?}");
    assert!(record.attempts.is_none() && record.checks_only == Some(true));
    fs::write(fixture.root.join("fixed"), "").unwrap();
    fixture.retry_checks();
    let record = fixture.run();
    assert_eq!(state(&record), VERIFIED, "{record:?} {}", fixture.log_text());
    assert_eq!(delivered(&fixture, &record), (".gitignore README.md answer.txt".into(), "work".into()));
    assert_eq!(fs::read_to_string(fixture.root.join("witness")).unwrap(), "ran\n", "no agent ran again");
    assert_eq!(
        fixture
            .store
            .retry_checks(&first, &pv_lib::host::new_job_id(), pv_lib::host::now())
            .map(drop)
            .map_err(|e| e.to_string()),
        Ok(())
    );
    let refused =
        fixture.store.retry_checks(&fixture.id, &pv_lib::host::new_job_id(), pv_lib::host::now()).unwrap_err();
    assert!(refused.to_string().contains("it succeeded, so that its work is delivered already"), "{refused}");
}

#[test]
fn a_supervisor_that_is_told_to_end_while_checks_run_says_so() {
    let fixture = checked("echo x > x", "long=echo begun; sleep 1000");
    let mut supervisor = fixture.start();
    fixture.wait_for_log("begun");
    supervisor.signal(rustix::process::Signal::TERM);
    assert!(supervisor.wait());
    let record = fixture.record();
    assert_eq!(state(&record), (JobState::Failed, Some(FailReason::Interrupted), None), "{record:?}");
    wait_until("nothing is left", || fixture.alive().is_empty());
}

/// A codex that notes what it was called with; `session` says which session its first event names in a later attempt.
fn codex(session: &str) -> Fixture {
    let script = format!(
        "echo \"$*\" >> ../../calls; cat > ../../told; n=$(wc -l < ../../calls); \
         id=s-1; tokens=200; case \"$*\" in *' resume s-1 -') id={session}; tokens=500;; esac; \
         echo '{{\"type\":\"thread.started\",\"thread_id\":\"'$id'\"}}'; \
         if [ $n = 1 ]; then echo wrong > answer.txt; else echo right > answer.txt; fi; \
         echo '{{\"type\":\"turn.completed\",\"usage\":{{\"input_tokens\":'$tokens'}}}}'"
    );
    checked(&script, ANSWER).set(fixture::AGENT, "codex").set(fixture::ATTEMPTS, "2")
}

#[test]
fn a_further_attempt_goes_on_in_the_same_session_and_counts_what_it_took_itself() {
    let fixture = codex("s-1");
    let record = fixture.run();
    assert_eq!(state(&record), VERIFIED, "{record:?} {}", fixture.log_text());
    let calls = fs::read_to_string(fixture.root.join("calls")).unwrap();
    let calls: Vec<&str> = calls.lines().collect();
    assert!(calls[0].ends_with("--json -") && calls[1].ends_with("--json resume s-1 -"), "{calls:?}");
    let told = fs::read_to_string(fixture.root.join("told")).unwrap();
    assert!(told.contains("expected right, found wrong") && !told.contains("do the work"), "it knows the task: {told}");
    let attempts = record.attempts.unwrap();
    let tokens: Vec<_> =
        attempts.iter().map(|attempt| attempt.usage.as_ref().unwrap()["input_tokens"].clone()).collect();
    assert_eq!(tokens, [200, 300], "what it reports is the session's sum");
    assert_eq!(record.usage.unwrap()["input_tokens"], 500);
}

#[test]
fn an_agent_that_begins_another_session_in_silence_ends_the_job_and_its_work_is_kept() {
    let fixture = codex("s-2");
    let record = fixture.run();
    assert_eq!(state(&record), (JobState::Failed, Some(FailReason::Check), None), "{record:?}");
    let message = record.message.unwrap();
    assert!(message.contains("was to go on in session s-1, and ran in session s-2"), "{message}");
    assert_eq!(fixture.kept_file("answer.txt").as_deref(), Some("right\n"));
    let branches = git(&fixture.root.join("repos/o/r"), &["branch", "--list"]);
    assert_eq!(branches, "* main", "and not delivered");
}
