//! A model that writes a wrong answer, and mends it once it is told what a check found: in the same session.

use std::fs;

use serde_json::{Value, json};

use super::{
    ALL, RealAgentFixture,
    model::{LAST_MESSAGE, Script},
};
use crate::fixture::git;

const MENDS: Script = Script::Mends("printf 'wrong\\n' > ANSWER.txt", "printf 'right\\n' > ANSWER.txt");

/// Prints what a check would say, and fails unless the answer is right.
const CHECKS: &str = "checks:\n  answer: 'grep -x right ANSWER.txt || { echo the answer is $(cat ANSWER.txt); exit 3; }'\n\
                      repos:\n  default: {checks: [answer], attempts: 3}\n";

#[test]
fn what_a_check_found_is_mended_in_the_same_session() {
    for agent in ALL {
        let real = RealAgentFixture::new(agent, MENDS, 40);
        let config = real.fixture.config();
        fs::write(&config, fs::read_to_string(&config).unwrap() + CHECKS).unwrap();
        let _watcher = real.watch();
        let id = real.fixture.submit("o/r");
        let result = real.wait_for_end(&id);
        let (record, log) = (&result.record, &result.log);
        assert_eq!((&record["state"], &record["verified"]), (&json!("succeeded"), &json!(true)), "{record:#} {log}");

        // Two attempts, red then green, in one session.
        let attempts = record["attempts"].as_array().unwrap();
        let codes: Vec<&Value> = attempts.iter().map(|attempt| &attempt["checks"][0]["exit_code"]).collect();
        assert_eq!(codes, [&json!(3), &json!(0)], "{record:#}");
        let sessions: Vec<&str> = attempts.iter().filter_map(|attempt| attempt["session"].as_str()).collect();
        assert!(sessions.len() == 2 && sessions[0] == sessions[1], "{record:#}");
        assert!(log.contains(&format!("in session {}", sessions[0])), "{log}");

        // The same tokens for each of two equal turns, and the sum for the job: what codex reports is the session's sum.
        let tokens = |of: &Value| of["usage"]["input_tokens"].as_u64().unwrap();
        let (first, second) = (tokens(&attempts[0]), tokens(&attempts[1]));
        assert_eq!((first, second, tokens(record)), (200, 200, 400), "{record:#}");

        // What the model was sent the second time: the first prompt, the first command, its answer, and what the check said.
        let requests = real.model().requests();
        let told = requests.iter().map(Value::to_string).find(|body| body.contains("fails on your work")).unwrap();
        for part in ["printf 'wrong", LAST_MESSAGE, "The check `answer`", "the answer is wrong", "exit 3"] {
            assert!(told.contains(&json!(part).to_string().trim_matches('"').to_owned()), "{part} in {told}");
        }
        if let Ok(dir) = std::env::var("PV_TEST_REQUESTS") {
            let body = serde_json::to_string_pretty(&requests).unwrap();
            fs::write(format!("{dir}/{}.json", agent.name()), body).unwrap();
            fs::write(format!("{dir}/{}-job.json", agent.name()), format!("{record:#}")).unwrap();
            fs::write(format!("{dir}/{}.log", agent.name()), log).unwrap();
            fs::write(format!("{dir}/{}-show.txt", agent.name()), real.fixture.output(&["show", &id], 0)).unwrap();
            fs::copy(real.fixture.run_file(&id, "prompt-2.md"), format!("{dir}/{}-prompt-2.md", agent.name())).unwrap();
        }

        // One commit has it, and its answer is right.
        let remote = real.fixture.path("remote.git");
        let branch = record["delivery"]["branch"].as_str().unwrap();
        assert_eq!(git(&remote, &["rev-list", "--count", &format!("main..{branch}")]).trim(), "1");
        assert_eq!(git(&remote, &["show", &format!("{branch}:ANSWER.txt")]).trim(), "right");
    }
}
