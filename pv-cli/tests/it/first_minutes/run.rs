//! `pv run` on a clone with a remote: what it prints, what it makes, and what is left where it is stopped.

use std::{
    fs,
    io::Read,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use super::new_user::{NewUser, commit, state_of};
use crate::fixture::{finish, git, processes_of, text, wait_until};

#[test]
fn the_first_command_does_work_and_says_what_became_of_it() {
    let user = NewUser::with_agent();
    let clone = user.clone_of("example");
    let before = state_of(&clone);
    let printed = user.output(&clone, &["run", "mend the failing test"], 0);
    let record = user.records().remove(0);
    let id = record["job_id"].as_str().expect("an id");
    let branch = format!("codex/mend-the-failing-test-{id}");
    for part in [
        "repository   remote/example (",
        "starts from  main as origin has it",
        "agent        codex (logged in)",
        "watcher      started in the background (pid ",
        "At work.",
        "succeeded  in ",
        &format!("branch     {branch} on origin"),
        &format!("take over  pv diff {} | git apply", &id[..12]),
        &format!("switch     git fetch origin && git switch {branch}"),
    ] {
        assert!(printed.contains(part), "{part:?} is missing in\n{printed}");
    }
    assert_eq!(state_of(&clone), before, "the clone is as it was");
    git(&clone, &["fetch", "-q", "origin"]);
    assert_eq!(git(&clone, &["show", &format!("origin/{branch}:WORK.txt")]), "worked");
    // The second finds all of it there.
    let printed = user.output(&clone, &["run", "again"], 0);
    assert!(printed.contains("watcher      runs (pid "), "{printed}");
    assert_eq!(user.json(&clone, &["targets"]).as_array().map(Vec::len), Some(1));
    assert!(user.output(&clone, &["down"], 0).starts_with("stopped (pid "));
    assert!(user.output(&clone, &["down"], 0).starts_with("no watcher runs on "));
}

#[test]
fn what_is_to_be_done_comes_from_a_text_a_file_or_standard_input() {
    let user = NewUser::with_agent();
    let clone = user.clone_of("example");
    fs::write(clone.join("task.md"), "---\npv: {title: From a file}\n---\nDo it.\n").expect("writes");
    user.output(&clone, &["run", "task.md", "--detach"], 0);
    let mut pv = user.pv(&clone, &["run", "-", "-d", "--timeout", "9m", "--deliver", "none", "--title", "Flags win"]);
    let mut child = pv.stdin(Stdio::piped()).spawn().expect("starts");
    std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), b"---\npv: {title: Mine}\n---\nx\n")
        .expect("writes");
    assert!(finish(child).status.success());
    let records = user.wait_for_all();
    assert_eq!((&records[0]["title"], &records[1]["title"]), (&"From a file".into(), &"Flags win".into()));
    assert_eq!((&records[1]["state"], &records[1]["agent"]), (&"succeeded".into(), &"codex".into()));
    assert!(records[1]["message"].as_str().is_some_and(|message| message.contains("not pushed")), "{records:?}");
    let inbox_names: Vec<&str> = records.iter().filter_map(|record| record["inbox_rel"].as_str()).collect();
    assert!(inbox_names[0].contains("/task-"), "{inbox_names:?}");
    for (args, code, said) in [
        (&["run"][..], 2, "say what is to be done"),
        (&["run", " "], 2, "the prompt is empty"),
        (&["run", "x", "--json"], 2, "leave out --json, or add --detach"),
        (&["run", "x", "--api", "http://127.0.0.1:1"], 2, "pv submit --api URL"),
        (&["run", "x", "--deliver", "mail"], 2, "one of pr, branch, none"),
        (&["run", "x", "--dirty"], 2, "--local"),
        (&["run", "x", "--agent", "none"], 5, "name one of claude, codex, opencode"),
        (&["run", "--", "---\npv: {agent: none}\n---\nx"], 5, "name one of claude, codex, opencode"),
        (&["run", "--", "---\nnever closed"], 5, "front matter"),
    ] {
        let printed = user.output(&clone, args, code);
        assert!(printed.contains(said), "{args:?}: {printed}");
    }
    assert_eq!(user.records().len(), 2, "what was refused left nothing");
}

#[test]
fn an_editor_is_opened_on_a_terminal_and_an_empty_prompt_is_none() {
    let user = NewUser::with_agent();
    let clone = user.clone_of("example");
    user.install("write-it", "#!/bin/sh\ncat \"$1\" > \"$HOME/template\"\nprintf '# From an editor\\n' > \"$1.new\"\ncat \"$1\" >> \"$1.new\"\nmv \"$1.new\" \"$1\"\n");
    user.install("leave-it", "#!/bin/sh\n:\n");
    let on_terminal = |editor: &str| {
        let mut pv = user.pv(&clone, &[]);
        let program = pv.get_program().to_owned();
        // `script` gives it a terminal.
        let mut script = Command::new("script");
        script.env_clear().current_dir(&clone).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        script.envs(pv.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))));
        script.env("EDITOR", editor).args(["-qec", &format!("{} run", program.display()), "/dev/null"]);
        pv.stdin(Stdio::null());
        finish(script.spawn().expect("`script` is installed"))
    };
    let left = on_terminal("leave-it");
    assert_eq!(left.status.code(), Some(7), "{}", text(&left));
    assert!(text(&left).contains("nothing is submitted"));
    let written = on_terminal("write-it");
    assert_eq!(written.status.code(), Some(0), "{}", text(&written));
    assert_eq!(user.records()[0]["title"], "From an editor");
    let template = fs::read_to_string(user.home().join("template")).expect("a template");
    assert!(template.contains("say above what is to be done"), "{template}");
    let prompt = fs::read_to_string(
        user.root(format!("runs/{}/prompt.md", user.records()[0]["job_id"].as_str().expect("an id"))),
    );
    assert!(!prompt.expect("a prompt").contains("say above"), "the comment is left out");
}

#[test]
fn commits_and_changes_that_the_agent_does_not_see_are_named() {
    let user = NewUser::with_agent();
    let clone = user.clone_of("example");
    fs::write(clone.join("README.md"), "second\n").expect("writes");
    commit(&clone, "Second");
    fs::write(clone.join("README.md"), "third\n").expect("writes");
    let printed = user.output(&clone, &["run", "x"], 0);
    assert!(printed.contains("note: 1 commit is not on origin: the agent starts without it"), "{printed}");
    assert!(printed.contains("note: 1 changed file is not committed"), "{printed}");
    let branch = user.records()[0]["delivery"]["branch"].as_str().expect("a branch").to_owned();
    git(&clone, &["fetch", "-q", "origin"]);
    assert_eq!(git(&clone, &["show", &format!("origin/{branch}:README.md")]), "hello");
}

#[test]
fn an_agent_that_is_logged_in_is_found_and_one_that_is_not_is_named() {
    let user = NewUser::new();
    let clone = user.clone_of("example");
    let printed = user.output(&clone, &["run", "x"], 5);
    assert!(printed.contains("none of codex, claude, opencode is on the PATH"), "{printed}");
    assert!(!user.root("inbox").exists() && !user.root("repos").exists(), "nothing was made");
    user.install("codex", "#!/bin/sh\nexit 1\n");
    let printed = user.output(&clone, &["run", "x"], 5);
    assert!(printed.contains("codex is installed and says that it is not logged in: type `codex login`"), "{printed}");
    assert_eq!(user.records().len(), 0);
    let claude = r#"#!/bin/sh
if [ "$1" = auth ]; then echo '{"loggedIn": true}'; exit; fi
cat > /dev/null
echo by claude > WORK.txt
echo '{"type":"result","subtype":"success","is_error":false,"result":"Done."}'
"#;
    user.install("claude", claude);
    let printed = user.output(&clone, &["run", "x"], 0);
    assert!(printed.contains("agent        claude (logged in; codex is not logged in (`codex login`))"), "{printed}");
    assert_eq!(user.records()[0]["agent"], "claude");
}

#[test]
fn ctrl_c_leaves_the_job_running_and_says_how_to_come_back() {
    let user = NewUser::with_agent();
    let clone = user.clone_of("example");
    fs::write(user.home().join("wait"), "").expect("writes");
    let mut child = user.pv(&clone, &["run", "x"]).spawn().expect("starts");
    // Its log is passed on as it comes, so that the agent is at work.
    let mut begin = [0; 8];
    child.stdout.as_mut().expect("a pipe").read_exact(&mut begin).expect("reads");
    assert_eq!(&begin, b"At work.");
    let signalled = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(signalled.expect("runs kill").success());
    let ended = finish(child);
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended.status), Some(2), "{ended:?}");
    let printed = text(&ended);
    let id = user.records()[0]["job_id"].as_str().expect("an id").to_owned();
    assert!(printed.contains(&format!("the job goes on: `pv log -f {}` follows it", &id[..12])), "{printed}");
    assert_eq!(user.records()[0]["state"], "running");
    fs::write(user.home().join("go"), "").expect("writes");
    assert!(user.output(&clone, &["log", "-f", &id], 0).contains("At work."));
    assert_eq!(user.wait_for_all()[0]["state"], "succeeded");
}

#[test]
fn killed_at_ten_moments_it_leaves_whole_jobs_and_the_next_works() {
    let user = NewUser::with_agent();
    let clone = user.clone_of("example");
    let before = state_of(&clone);
    // The moments are spread over what one run takes, from its first step to its end.
    let begun = std::time::Instant::now();
    user.output(&clone, &["run", "the first"], 0);
    let whole = begun.elapsed();
    user.output(&clone, &["down"], 0);
    for moment in 0..10 {
        let mut child = user.pv(&clone, &["run", &format!("number {moment}")]).spawn().expect("starts");
        thread::sleep(whole * moment / 10 + Duration::from_millis(3));
        child.kill().expect("kills");
        child.wait().expect("waits");
    }
    let printed = user.output(&clone, &["run", "the last"], 0);
    assert!(printed.contains("succeeded"), "{printed}");
    let records = user.wait_for_all();
    for record in &records {
        assert_eq!(record["state"], "succeeded", "{record}");
        let id = record["job_id"].as_str().expect("an id");
        wait_until("nothing of it lives", || processes_of(id).is_empty().then_some(()));
        wait_until("its checkout is gone", || (!user.root(format!("work/{id}")).exists()).then_some(()));
    }
    assert_eq!(records.last().expect("a record")["title"], "the last");
    assert_eq!(state_of(&clone), before);
    let waiting = fs::read_dir(user.root("inbox/remote/example/main")).expect("an inbox").flatten();
    assert_eq!(waiting.count(), 0, "no prompt is left");
    assert_eq!(user.json(&clone, &["status"])["unusable"]["entries"].as_array().map_or(0, Vec::len), 0);
}

#[test]
fn five_at_once_from_nothing_share_one_watcher_and_all_are_done() {
    let user = NewUser::with_agent();
    let clone = user.clone_of("example");
    let start = |number: usize| user.pv(&clone, &["run", &format!("number {number}")]).spawn().expect("starts");
    let children: Vec<_> = (0..5).map(start).collect();
    for child in children {
        let output = finish(child);
        assert!(output.status.success(), "{}\n{}", text(&output), user.service_log());
    }
    let records = user.records();
    assert!(records.len() == 5 && records.iter().all(|record| record["state"] == "succeeded"), "{records:?}");
    assert!(user.output(&clone, &["down"], 0).starts_with("stopped (pid "));
    assert!(user.output(&clone, &["down"], 0).starts_with("no watcher runs on "));
}
