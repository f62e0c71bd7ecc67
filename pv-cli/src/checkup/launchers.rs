//! Whether the launchers that are configured start anything.

use std::collections::BTreeSet;

use pv_lib::{
    config::{Config, LauncherKind},
    layout::Layout,
};
use pv_watcher::{LauncherAnswer, Plan, try_launcher};

use super::Finding;

/// Returns what came of each launcher that an agent uses, or that has a section in the settings.
pub(super) fn launchers(plan: &Plan, layout: &Layout, names: &BTreeSet<String>) -> Vec<Finding> {
    let tried = names.iter().filter_map(|name| plan.launchers.get(name)).filter(|launcher| !launcher.is_local());
    tried.map(|launcher| finding(&launcher.name, &launcher.kind, try_launcher(launcher, plan, layout))).collect()
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
    use crate::checkup::Level;

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
    }
}
