//! `command`: commands that are configured, for containers, other hosts and whatever else can run a command.

use pv_lib::config::{Ask, AskSignal, CommandLauncher, Launcher, Place, Template};

use super::{
    adapter::{Adapter, Launch, NotLaunched},
    client::ClientEnd,
    places::{Places, env_file_text},
    request::Request,
    tools::{ASKED_BY, AskBy, Tools, signal, variables_of, with_variables_of_client},
};

impl Adapter for CommandLauncher {
    /// Programs of the launcher see no more of the environment than what is named.
    fn prepare(&self, launcher: &Launcher, request: &Request<'_>) -> Result<Launch, NotLaunched> {
        let places = Places { request, signal: AskSignal::Term };
        let filled = |template: &Option<Template>| template.as_ref().map(|template| template.filled(&places));
        let mut words = self.run.filled(&places);
        if !self.run.names(Place::Command) {
            words.extend_from_slice(&request.words);
        }
        let ask = match &self.ask {
            Ask::OwnSignal => AskBy::OwnSignal,
            Ask::Signal(asked) => AskBy::Signal(signal(*asked)),
            Ask::Command(template) => AskBy::Command(
                ASKED_BY.map(|asked| (asked.as_str(), template.filled(&Places { request, signal: asked }))).into(),
            ),
        };
        let variables = variables_of(request.environment, &launcher.env);
        Ok(Launch {
            words,
            variables: with_variables_of_client(&request.variables, &variables),
            env_file: self.run.names(Place::EnvFile).then(|| env_file_text(request)),
            tools: Tools {
                ask,
                stop: filled(&self.stop),
                alive: filled(&self.alive),
                outcome: filled(&self.outcome),
                succeeds: self.succeeds.clone(),
                waiting: filled(&self.waiting),
                variables,
            },
        })
    }

    fn own_words(&self) -> &'static [&'static str] {
        &[]
    }

    fn why_not_started(&self, end: &ClientEnd<'_>) -> Option<String> {
        let said =
            if end.said.is_empty() { format!("it exited with {}", end.exit.code()) } else { end.said.to_owned() };
        self.start_failed.contains(&end.exit.code()).then_some(said)
    }

    fn proof(&self) -> Option<&'static str> {
        self.alive.is_some().then_some("nothing left by its `alive`")
    }
}

#[cfg(test)]
mod tests {
    use pv_lib::{
        config::{LauncherKind, Purpose},
        supervise::Exit,
    };

    use super::*;
    use crate::launcher::request::tests::request;

    fn template(words: &[&str], purpose: Purpose) -> Template {
        Template::parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>(), purpose).unwrap()
    }

    fn command(run: &[&str]) -> CommandLauncher {
        CommandLauncher {
            run: template(run, Purpose::Run),
            ask: Ask::Command(template(&["kill", "{signal}", "pv-{launch_id}"], Purpose::Ask)),
            stop: Some(template(&["stop", "pv-{launch_id}"], Purpose::Look)),
            alive: Some(template(&["ps", "{job_id}"], Purpose::Look)),
            outcome: None,
            succeeds: "COMPLETED".into(),
            waiting: None,
            start_failed: vec![125],
        }
    }

    #[test]
    fn the_places_are_filled_in_and_the_agents_command_follows_unless_it_is_inside() {
        let check = |run: &[&str], expected: &str| {
            let command = command(run);
            let kind = LauncherKind::Command(Box::new(command.clone()));
            let launcher = Launcher { name: "box".into(), kind, checkout: None, env: Vec::new() };
            let launch = command.prepare(&launcher, &request()).unwrap();
            assert_eq!(launch.words.join(" "), expected);
            assert_eq!(launch.tools.stop.unwrap().join(" "), "stop pv-a1.7");
            let AskBy::Command(asks) = launch.tools.ask else { panic!("not by a command") };
            assert_eq!(asks[1].1.join(" "), "kill INT pv-a1.7");
            launch.env_file
        };
        let last = "podman run --env OPENAI_API_KEY -v /pv/runs/a1/last_message.md image codex exec";
        check(&["podman", "run", "{env}", "-v", "{last_message_file}", "image"], last);
        check(
            &["ssh", "node", "cd {workdir} && exec {command}{join}"],
            "ssh node cd /pv/work/a1 && exec codex exec 2>&1",
        );
        let with_file = check(
            &["docker", "--env-file={env_file}", "{agent_home}"],
            "docker --env-file=/pv/runs/.launch/a1.env /home/me codex exec",
        );
        assert_eq!(with_file.as_deref(), Some("OPENAI_API_KEY=k\n"));
    }

    #[test]
    fn the_configured_exit_codes_mean_that_it_was_not_started() {
        let check = |code: i32, said: &str, expected: Option<&str>| {
            let end = ClientEnd { exit: Exit::Code(code), said, has_spoken: false, outcome: None };
            assert_eq!(command(&["a"]).why_not_started(&end).as_deref(), expected);
        };
        check(125, "Error: no image", Some("Error: no image"));
        check(125, "", Some("it exited with 125"));
        check(1, "Error: no key", None);
        check(0, "", None);
    }
}
