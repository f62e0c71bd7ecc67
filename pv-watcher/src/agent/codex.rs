//! How the Codex command line is called.

use super::{Places, command};
use crate::plan::AgentPlan;

/// Returns its arguments: the configured ones come last, so that they win, before the `-` that reads the prompt.
pub(super) fn arguments(plan: &AgentPlan, places: &Places<'_>) -> Vec<String> {
    let fixed = ["exec", "--skip-git-repo-check", "--cd", places.workdir.as_str()];
    let fixed = fixed.into_iter().chain(["--output-last-message", places.last_message_file.as_str()]);
    let model = places.model.map(|model| ["--model", model]).into_iter().flatten();
    let sandbox = plan.sandbox.as_deref().map(|sandbox| ["--sandbox", sandbox]).into_iter().flatten();
    let mut arguments: Vec<String> = fixed.chain(model).chain(sandbox).chain(["--json"]).map(str::to_owned).collect();
    arguments.extend(command::arguments(plan, places));
    arguments.push("-".to_owned());
    arguments
}
