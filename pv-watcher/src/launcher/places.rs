//! What stands for the places in a launcher's commands.

use pv_lib::config::{AskSignal, Filling, Place};

use super::request::Request;

/// Variables that what runs elsewhere has of its own.
const NOT_PASSED: [&str; 4] = ["PATH", "HOME", "USER", "TMPDIR"];

/// What stands for the places of one start.
pub(super) struct Places<'a> {
    pub(super) request: &'a Request<'a>,
    /// The signal that it is asked to end by.
    pub(super) signal: AskSignal,
}

impl Filling for Places<'_> {
    fn text(&self, place: Place) -> String {
        let Self { request, signal } = self;
        let text = |path: Option<&camino::Utf8PathBuf>| path.map(|path| path.as_str().to_owned()).unwrap_or_default();
        match place {
            Place::JobId => request.id.to_string(),
            Place::LaunchId => request.launch_id.clone(),
            Place::Workdir => request.workdir.to_string(),
            Place::RunDir => request.run_dir.to_string(),
            Place::AgentHome => match request.agent.homes.first() {
                Some(home) => home.to_string(),
                None => self.text(Place::Home),
            },
            Place::Mirror => text(request.mirror.as_ref()),
            // A command that is no agent has none, and an option with it must not be empty.
            Place::LastMessageFile => text(request.agent.last_message_file.as_ref().or(Some(&request.run_dir))),
            Place::Home => request.home().map(ToString::to_string).unwrap_or_default(),
            Place::Signal => signal.as_str().to_owned(),
            Place::Join => if request.is_joined { " 2>&1" } else { "" }.to_owned(),
            Place::EnvFile => request.env_file.to_string(),
            Place::Env | Place::Command => String::new(),
        }
    }

    fn env(&self) -> Vec<String> {
        passed(self.request).flat_map(|(name, _)| ["--env".to_owned(), name]).collect()
    }

    fn command(&self) -> &[String] {
        &self.request.words
    }
}

/// Returns the lines of a file with the variables. One with a line break in it cannot be written there.
pub(super) fn env_file_text(request: &Request<'_>) -> String {
    let lines = passed(request).filter(|(_, value)| !value.contains('\n'));
    lines.map(|(name, value)| format!("{name}={value}\n")).collect()
}

fn passed(request: &Request<'_>) -> impl Iterator<Item = (String, String)> {
    let texts = request.variables.iter().filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)));
    texts.filter(|(name, _)| !NOT_PASSED.contains(name)).map(|(name, value)| (name.to_owned(), value.to_owned()))
}
