//! The real agents in a real sandbox: `bwrap` has to be there, too.

use std::{fs, path::Path};

use serde_json::json;

use super::{ALL, Agent, JobResult, RealAgentFixture, WRITES, model::Script};
use crate::fixture::{processes_of, wait_until};

/// Makes an installation whose agent runs in a sandbox that shows its program.
fn sandboxed(agent: Agent, script: Script) -> RealAgentFixture {
    let real = RealAgentFixture::new(agent, script, 50);
    let program = fs::canonicalize(agent.program()).unwrap();
    let package = |dir: &&Path| dir.file_name().is_some_and(|name| name == "node_modules");
    let shown = program.ancestors().find(package).unwrap_or(&program).to_owned();
    let settings = fs::read_to_string(real.fixture.config()).unwrap();
    let settings = settings.replace("    timeout: 50s\n", "    timeout: 50s\n    launcher: bubblewrap\n");
    let launchers = format!("launchers:\n  bubblewrap: {{read: [{}]}}\n", shown.display());
    fs::write(real.fixture.config(), settings + &launchers).unwrap();
    real
}

#[test]
fn every_agent_works_in_the_sandbox() {
    for agent in ALL {
        let real = sandboxed(agent, WRITES);
        let _watcher = real.watch();
        let id = real.fixture.submit("o/r");
        let JobResult { record, log, last_message, patch, .. } = real.wait_for_end(&id);
        assert_eq!(record["state"], "succeeded", "{agent:?}: {record:#} {log}");
        assert_eq!(record["containment"], "bubblewrap (its process namespace ended)");
        assert!(patch.is_some_and(|patch| patch.contains("+from the model")), "{agent:?}: {log}");
        assert!(last_message.is_some_and(|text| !text.trim().is_empty()), "{agent:?}: {log}");
    }
}

#[test]
fn an_abort_ends_every_agent_in_the_sandbox() {
    for agent in ALL {
        let real = sandboxed(agent, Script::Runs("echo begun > begun.txt; sleep 600"));
        let _watcher = real.watch();
        let id = real.fixture.submit("o/r");
        let begun = real.fixture.path("work").join(&id).join("begun.txt");
        wait_until(&format!("{agent:?} runs its command"), || begun.exists().then_some(()));
        real.fixture.output(&["abort", &id], 0);
        let JobResult { record, .. } = real.wait_for_end(&id);
        assert_eq!(record["state"], json!("aborted"), "{agent:?}: {record:#}");
        assert_eq!(processes_of(&id), [""; 0], "{agent:?}");
    }
}
