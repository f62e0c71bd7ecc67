//! The operations on jobs, as requests to an API.

use std::time::Duration;

use pv_lib::{
    api::JobList,
    job::{HoldKind, JobFilter, JobId, ListedState},
};
use reqwest::{
    Url,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use super::{client::Client, log_stream::LogStream};
use crate::{
    backend::{
        answers::{state, text},
        operations::{Backend, Prompt, Sink, SyncedTargets},
        prefix,
    },
    exit::{Exit, Failure},
};

/// How often a job that is waited for is read.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The jobs of an API.
#[derive(Debug)]
pub(crate) struct Remote(Client);

impl Remote {
    /// Prepares to use the API at `url`. Sends nothing yet.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub(crate) fn new(url: &str) -> Result<Self, Failure> {
        Ok(Self(Client::new(url)?))
    }

    fn ids(&self) -> Result<Vec<JobId>, Failure> {
        Ok(ids(&self.list(&JobFilter::default())?))
    }
}

impl Backend for Remote {
    fn submit(&self, repo: &str, branch: &str, mut prompts: Vec<Prompt>) -> Result<Vec<Value>, Failure> {
        if prompts.len() == 1
            && let Some(prompt) = prompts.pop()
        {
            let markdown_text = String::from_utf8(prompt.bytes)
                .map_err(|_| Failure::new(Exit::Refused, "the prompt is not UTF-8 text: save it as UTF-8"))?;
            let body =
                json!({ "repo": repo, "branch": branch, "markdown_text": markdown_text, "filename": prompt.name });
            return Ok(vec![self.0.json(self.0.post("/jobs").json(&body))?]);
        }
        let mut form = Form::new().text("repo", repo.to_owned()).text("branch", branch.to_owned());
        for prompt in prompts {
            let name = prompt.name.unwrap_or_else(|| "prompt.md".into());
            form = form.part("files", Part::bytes(prompt.bytes).file_name(name));
        }
        rows(self.0.json(self.0.post("/jobs/upload").multipart(form))?, "jobs")
    }

    fn list(&self, filter: &JobFilter) -> Result<JobList, Failure> {
        let mut query: Vec<(&str, String)> = Vec::new();
        let mut add = |key, value: Option<String>| query.extend(value.map(|value| (key, value)));
        add("repo", filter.repo.clone());
        add("branch", filter.branch.clone());
        add("stalled", filter.stalled.map(|stalled| stalled.to_string()));
        add("verified", filter.verified.map(|verified| verified.to_string()));
        // The API takes one state. Several are filtered here, and limited after that.
        let has_several_states = filter.states.len() > 1;
        if !has_several_states {
            add("limit", filter.limit.map(|limit| limit.to_string()));
            add("state", filter.states.first().map(ListedState::to_string));
        }
        let mut address = Url::parse(&format!("{}/jobs", self.0.url())).map_err(Failure::usage)?;
        address.query_pairs_mut().extend_pairs(query);
        let path = format!("/jobs?{}", address.query().unwrap_or_default());
        let mut jobs = rows(self.0.json(self.0.get(&path))?, "jobs")?;
        if has_several_states {
            jobs.retain(|job| filter.states.contains(&state(job).into()));
            jobs.truncate(filter.limit.unwrap_or(usize::MAX));
        }
        Ok(JobList { jobs, next_cursor: None })
    }

    fn list_with_ids(&self, filter: &JobFilter) -> Result<(JobList, Vec<JobId>), Failure> {
        let list = self.list(filter)?;
        let all = if *filter == JobFilter::default() { ids(&list) } else { self.ids()? };
        Ok((list, all))
    }

    fn resolve(&self, prefix: &str) -> Result<String, Failure> {
        match JobId::minted(prefix) {
            Some(whole) => Ok(whole.to_string()),
            None => Ok(prefix::resolve(&self.ids()?, prefix)?),
        }
    }

    fn job(&self, id: &str) -> Result<Value, Failure> {
        self.0.json(self.0.get(&format!("/jobs/{id}")))
    }

    fn log(&self, id: &str, lines: usize) -> Result<Vec<u8>, Failure> {
        self.0.bytes(self.0.get(&format!("/jobs/{id}/log?lines={lines}")))
    }

    fn follow(&self, id: &str, lines: Option<usize>, sink: Sink<'_>) -> Result<(), Failure> {
        LogStream::new(&self.0, id, lines).follow(sink)
    }

    fn push_log(&self, id: &str) -> Result<Vec<u8>, Failure> {
        self.0.bytes(self.0.get(&format!("/jobs/{id}/push-log")))
    }

    fn last_message(&self, id: &str) -> Result<Option<Vec<u8>>, Failure> {
        match self.0.bytes(self.0.get(&format!("/jobs/{id}/last-message"))) {
            // An API of an older version does not know it either.
            Err(failure) if matches!(failure.exit, Exit::NotFound | Exit::Conflict) => Ok(None),
            read => Ok(Some(read?)),
        }
    }

    fn patch(&self, id: &str, sink: Sink<'_>) -> Result<(), Failure> {
        let client = &self.0;
        client.wait(async {
            let mut response = client.send(client.get(&format!("/jobs/{id}/patch"))).await?;
            while let Some(chunk) = response.chunk().await.map_err(|error| client.unreachable(&error))? {
                sink(&chunk)?;
            }
            Ok(())
        })
    }

    fn abort(&self, id: &str, forget: bool) -> Result<Value, Failure> {
        let query = if forget { "?forget=true" } else { "" };
        self.0.json(self.0.post(&format!("/jobs/{id}/abort{query}")))
    }

    fn retry(&self, id: &str, checks_only: bool) -> Result<Value, Failure> {
        let query = if checks_only { "?checks=true" } else { "" };
        self.0.json(self.0.post(&format!("/jobs/{id}/retry{query}")))
    }

    fn holds(&self) -> Result<Vec<Value>, Failure> {
        rows(self.0.json(self.0.get("/holds"))?, "holds")
    }

    fn lift_hold(&self, agent: &str, kind: HoldKind) -> Result<bool, Failure> {
        match self.0.bytes(self.0.delete(&format!("/holds/{kind}/{}", encoded(agent)))) {
            Ok(_) => Ok(true),
            // It was listed a moment ago: somebody else was quicker.
            Err(failure) if failure.exit == Exit::NotFound => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    fn status(&self) -> Result<Value, Failure> {
        self.0.json(self.0.get("/status"))
    }

    fn targets(&self) -> Result<Vec<Value>, Failure> {
        match self.0.json(self.0.get("/targets"))? {
            Value::Array(targets) => Ok(targets),
            _ => Err(Failure::new(Exit::Refused, format!("{}/targets returned no list", self.0.url()))),
        }
    }

    fn add_target(&self, _repo: &str, _branch: Option<&str>) -> Result<Value, Failure> {
        Err(makes_no_targets())
    }

    fn sync_targets(&self, _is_trial: bool) -> Result<SyncedTargets, Failure> {
        Err(makes_no_targets())
    }

    fn poll_interval(&self) -> Duration {
        POLL_INTERVAL
    }
}

fn makes_no_targets() -> Failure {
    Failure::new(Exit::Refused, "the API makes no targets: run `pv targets` on its host, without --api")
}

/// Returns a name as one part of an address.
fn encoded(name: &str) -> String {
    let spell = |byte: u8| match byte {
        b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(spell).collect()
}

fn rows(mut response: Value, key: &str) -> Result<Vec<Value>, Failure> {
    match response.get_mut(key).map(Value::take) {
        Some(Value::Array(rows)) => Ok(rows),
        _ => Err(Failure::new(Exit::Refused, format!("the API's response has no `{key}`: is it a Prompt Valet API?"))),
    }
}

/// Returns the ids of the jobs of a list.
fn ids(list: &JobList) -> Vec<JobId> {
    list.jobs.iter().filter_map(|job| text(job, "job_id").parse().ok()).collect()
}
