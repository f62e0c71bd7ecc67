//! Whether the launchers that are configured start anything.

use std::collections::BTreeSet;

use pv_lib::{
    config::{Config, LauncherKind},
    layout::Layout,
};
use pv_watcher::{LauncherAnswer, Plan, try_agent_program, try_launcher};

use super::{Finding, Level};

/// Returns what came of each launcher that an agent uses, or that has a section in the settings, and whether those that work
/// find the programs of their agents.
pub(super) fn launchers(plan: &Plan, layout: &Layout, names: &BTreeSet<String>) -> Vec<Finding> {
    let mut found = Vec::new();
    for launcher in names.iter().filter_map(|name| plan.launchers.get(name)).filter(|launcher| !launcher.is_local()) {
        let answer = try_launcher(launcher, plan, layout);
        let works = matches!(answer, LauncherAnswer::Works { .. });
        found.push(finding(&launcher.name, &launcher.kind, answer));
        for (name, agent) in plan.agents.iter().filter(|(_, agent)| works && agent.launcher == launcher.name) {
            let why = try_agent_program(name, agent, launcher, plan, layout);
            found.push(of_agent(name, *name == plan.default_agent, &launcher.name, why));
        }
    }
    found
}

fn of_agent(name: &str, is_default: bool, launcher: &str, why: Option<String>) -> Finding {
    let check = format!("agent {name}{}", if is_default { " (default)" } else { "" });
    match why {
        None => Finding::ok(check, format!("its program is found by the launcher `{launcher}`")),
        Some(why) => {
            let level = if is_default { Level::Problem } else { Level::Warning };
            let remedy = format!("install it where `{launcher}` runs it, or set agents.{name}.command");
            Finding::new(level, check, format!("by the launcher `{launcher}`: {why}")).with_remedy(remedy)
        }
    }
}

/// Returns the names of the launchers that are tried: the presets that nobody uses are not.
pub(super) fn used(config: &Config) -> BTreeSet<String> {
    let of_agents = config.agents.values().map(|agent| agent.launcher.clone());
    let set = config.rows.iter().filter(|row| !row.origin.is_default());
    let named = set.filter_map(|row| Some(row.name.strip_prefix("launchers.")?.split('.').next()?.to_owned()));
    of_agents.chain(named).collect()
}

fn finding(name: &str, kind: &LauncherKind, answer: LauncherAnswer) -> Finding {
    let check = format!("launcher {name}");
    match answer {
        LauncherAnswer::Works { took, proof: Some(proof) } => {
            Finding::ok(check, format!("ran a command in {} ms; an agent's end is proved ({proof})", took.as_millis()))
        }
        LauncherAnswer::Works { took, proof: None } => {
            let message = format!(
                "ran a command in {} ms; nothing proves that an agent is gone, since it has no `alive`",
                took.as_millis()
            );
            Finding::warning(check, message)
                .with_remedy(format!("set launchers.{name}.stop and launchers.{name}.alive"))
        }
        LauncherAnswer::Waits(why) => {
            let message = format!("did not begin with a command within 15 s: {why}");
            Finding::warning(check, message).with_remedy("jobs wait as long, and say so")
        }
        LauncherAnswer::Remains(why) => {
            let message = format!("ran a command, and {why}");
            Finding::problem(check, message)
                .with_remedy(format!("check launchers.{name}.stop and launchers.{name}.alive"))
        }
        LauncherAnswer::Fails(why) => {
            let remedy = match kind {
                LauncherKind::Bubblewrap(_) => {
                    "install bubblewrap, and let this user make namespaces: on Ubuntu by an AppArmor profile for bwrap"
                        .to_owned()
                }
                LauncherKind::Slurm(_) => {
                    format!(
                        "look at what srun says, and at launchers.{name}: partition, account; SLURM_CONF in the service's environment"
                    )
                }
                _ => format!("try the command in launchers.{name}.run by hand"),
            };
            Finding::problem(check, format!("cannot run a command: {why}")).with_remedy(remedy)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_answer_has_its_level_and_a_remedy_where_there_is_one() {
        let kind = LauncherKind::Slurm(pv_lib::config::Slurm::default());
        for (answer, level, part) in [
            (LauncherAnswer::Works { took: Duration::from_millis(7), proof: Some("p") }, Level::Ok, "in 7 ms"),
            (LauncherAnswer::Works { took: Duration::from_millis(7), proof: None }, Level::Warning, "no `alive`"),
            (LauncherAnswer::Waits("PENDING (Resources)".into()), Level::Warning, "PENDING (Resources)"),
            (LauncherAnswer::Remains("it is still there".into()), Level::Problem, "it is still there"),
            (LauncherAnswer::Fails("no partition".into()), Level::Problem, "no partition"),
        ] {
            let found = finding("x", &kind, answer);
            assert!(found.level == level && found.message.contains(part), "{found:?}");
            assert_eq!(found.remedy.is_some(), level != Level::Ok, "{found:?}");
        }
        let found = of_agent("codex", true, "x", Some("`codex` is no program there".into()));
        assert_eq!(
            (found.level, found.message.as_str()),
            (Level::Problem, "by the launcher `x`: `codex` is no program there")
        );
        assert_eq!(of_agent("codex", false, "x", None).level, Level::Ok);
    }
}
