//! Asking a git host's REST API, once or a few times, so that there is one pull request in the end.

use std::{
    thread,
    time::{Duration, Instant},
};

use camino::Utf8PathBuf;
use pv_lib::config::Secret;
use serde_json::{Value, json};

use super::{
    Extras, Opened, PullRequest, Refusal, RestError,
    api::{Answer, Api, segment},
    page_address, read_token, sanitize,
};

/// How much of what a host says is repeated, in characters.
const SAID_CHARS_MAX: usize = 300;

/// How many pull requests of one branch are looked at.
const FOUND_MAX: &str = "10";

/// A REST API like GitHub's.
///
/// Owns all that it needs, so that it can be asked from a thread of its own.
#[derive(Debug, Clone)]
pub struct Rest {
    /// Its address, such as `https://api.github.com` or `https://git.example.com/api/v3`.
    pub api_base: String,
    /// The file with the token, read when it is asked.
    pub token_file: Utf8PathBuf,
    /// How long and how often to try.
    pub patience: Patience,
}

/// How long and how often to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long all of it may take.
    pub total: Duration,
    /// How long one call may take.
    pub call: Duration,
    /// How long to wait before each further try; there are as many as pauses.
    pub pauses: [Duration; 3],
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            total: Duration::from_secs(55),
            call: Duration::from_secs(15),
            pauses: [1, 3, 9].map(Duration::from_secs),
        }
    }
}

impl Rest {
    /// Opens a pull request, or finds the one that is open for the same two branches. Returns within
    /// [`Patience::total`].
    ///
    /// Nothing is asked before the first try. Where one gets no answer, or a fault of the host, it may have had its
    /// effect; so before each further one, and after the last, this looks whether the pull request is there.
    ///
    /// # Errors
    /// [`RestError`]; where it is transient, later may be better.
    pub fn open(&self, wanted: &PullRequest) -> Result<Opened, RestError> {
        let api = Api::new(&self.api_base)?;
        let token = read_token(&self.token_file)?;
        let call = Call { rest: self, api: &api, token: &token, wanted, begun: Instant::now() };
        call.open().map_err(|refusal| RestError::Refused { host: api.host().to_owned(), refusal })
    }
}

impl Rest {
    /// Adds labels and reviewers to a pull request that is open, and returns a sentence for each that could not be added.
    /// Returns within [`Patience::total`].
    #[must_use]
    pub fn add(&self, wanted: &PullRequest, number: u64, extras: &Extras) -> Vec<String> {
        let api = match Api::new(&self.api_base) {
            Ok(api) => api,
            Err(error) => return vec![error.to_string()],
        };
        let token = match read_token(&self.token_file) {
            Ok(token) => token,
            Err(error) => return vec![error.to_string()],
        };
        let call = Call { rest: self, api: &api, token: &token, wanted, begun: Instant::now() };
        let repo = format!("repos/{}/{}", segment(&wanted.owner), segment(&wanted.repo));
        extras.add(&repo, number, &mut |path, json| {
            let limit = call.limit().map_err(|refusal| format!("the host {refusal}"))?;
            let answer = call.api.post(&format!("/{path}"), json, call.token, limit);
            let answer = answer.map_err(|refusal| format!("the host {refusal}"))?;
            match answer.status {
                200..=299 => Ok(()),
                status => Err(format!("{status}: {}", call.quote(&said(&answer)))),
            }
        })
    }
}

struct Call<'a> {
    rest: &'a Rest,
    api: &'a Api,
    token: &'a Secret,
    wanted: &'a PullRequest,
    begun: Instant,
}

impl Call<'_> {
    fn open(&self) -> Result<Opened, Refusal> {
        let mut problem = match self.post() {
            Err(problem) if problem.is_transient() => problem,
            done => return done,
        };
        for pause in self.rest.patience.pauses {
            let pause = match problem {
                Refusal::RateLimited { wait: Some(wait) } => pause.max(wait),
                _ => pause,
            };
            if pause >= self.left() {
                break;
            }
            thread::sleep(pause);
            let again = self.find().and_then(|found| found.map_or_else(|| self.post(), Ok));
            problem = match again {
                Err(problem) if problem.is_transient() => problem,
                done => return done,
            };
        }
        match problem {
            Refusal::RateLimited { .. } => Err(problem),
            _ => self.find().ok().flatten().ok_or(problem),
        }
    }

    fn post(&self) -> Result<Opened, Refusal> {
        let PullRequest { base, head, title, body, draft, .. } = self.wanted;
        let mut json = json!({ "title": title, "body": body, "head": head, "base": base });
        if *draft {
            json["draft"] = true.into();
        }
        let mut answer = self.api.post(&self.path(), &json, self.token, self.limit()?)?;
        // Some repositories may have none; one that is no draft is better than none at all.
        let lacks_draft = *draft && answer.status == 422 && said(&answer).to_lowercase().contains("draft");
        if lacks_draft {
            json["draft"] = false.into();
            answer = self.api.post(&self.path(), &json, self.token, self.limit()?)?;
        }
        match answer.status {
            201 => {
                let url = answer.json.as_ref().and_then(page_of).ok_or(Refusal::Unexpected { status: 201 })?;
                Ok(Opened { url, was_there: false, lacks_draft })
            }
            422 if said(&answer).to_lowercase().contains("already exists") => {
                self.find()?.ok_or_else(|| self.refused(&answer))
            }
            _ => Err(self.refused(&answer)),
        }
    }

    fn find(&self) -> Result<Option<Opened>, Refusal> {
        let PullRequest { owner, base, head, .. } = self.wanted;
        let branch = format!("{owner}:{head}");
        let query = [("state", "open"), ("head", &branch), ("base", base), ("per_page", FOUND_MAX)];
        let answer = self.api.get(&self.path(), &query, self.token, self.limit()?)?;
        if answer.status != 200 {
            return Err(self.refused(&answer));
        }
        let Some(Value::Array(found)) = answer.json else { return Err(Refusal::Unexpected { status: 200 }) };
        // A filter that a host does not understand is ignored by it.
        let is_ours = |pull: &&Value| pull["head"]["ref"] == **head && pull["base"]["ref"] == **base;
        let url = found.iter().filter(is_ours).find_map(page_of);
        Ok(url.map(|url| Opened { url, was_there: true, lacks_draft: false }))
    }

    fn path(&self) -> String {
        format!("/repos/{}/{}/pulls", segment(&self.wanted.owner), segment(&self.wanted.repo))
    }

    fn left(&self) -> Duration {
        self.rest.patience.total.saturating_sub(self.begun.elapsed())
    }

    /// Returns how long the next call may take.
    fn limit(&self) -> Result<Duration, Refusal> {
        Some(self.left().min(self.rest.patience.call)).filter(|limit| !limit.is_zero()).ok_or(Refusal::Timeout)
    }

    fn refused(&self, answer: &Answer) -> Refusal {
        let (said, repo, token_file) =
            (self.quote(&said(answer)), self.wanted.full_repo(), self.rest.token_file.clone());
        let is_slowed = answer.retry_after.is_some() || answer.is_used_up || said.contains("rate limit");
        match answer.status {
            429 => Refusal::RateLimited { wait: answer.retry_after },
            403 if is_slowed => Refusal::RateLimited { wait: answer.retry_after },
            401 => Refusal::Unauthorized { said, token_file },
            403 => Refusal::Forbidden { said, repo, token_file },
            404 if answer.json.is_some() => Refusal::NotFound { repo, token_file },
            422 if is_about_head(answer) => Refusal::NotYet { said },
            422 => Refusal::Invalid { said },
            status @ 300..=399 => {
                Refusal::Moved { status, location: answer.location.as_deref().map(|said| self.quote(said)) }
            }
            status @ 500.. => Refusal::Fault { status },
            status => Refusal::Unexpected { status },
        }
    }

    /// Makes a host's words fit for a record. One that repeats what it was sent must not get the token shown.
    fn quote(&self, said: &str) -> String {
        sanitize::words(&said.replace(self.token.expose(), "…"), SAID_CHARS_MAX)
    }
}

fn page_of(pull: &Value) -> Option<String> {
    pull["html_url"].as_str().and_then(page_address).map(str::to_owned)
}

/// Tells whether a host refuses a pull request because of the branch that is to be taken: it was seen there by git.
fn is_about_head(answer: &Answer) -> bool {
    let errors = answer.json.as_ref().and_then(|json| json["errors"].as_array());
    errors.into_iter().flatten().any(|error| {
        let text = |key: &str| error[key].as_str().unwrap_or_default();
        (text("field") == "head" && text("code") == "invalid") || text("message").starts_with("No commits between")
    })
}

/// Returns what a host says about a refusal: its message, and what it names as wrong.
fn said(answer: &Answer) -> String {
    let Some(json) = &answer.json else { return String::new() };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let problem = |error: &Value| {
        let field = || Some(format!("{}: {}", error["field"].as_str()?, error["code"].as_str()?));
        text(&error["message"]).or_else(field).or_else(|| text(error))
    };
    let errors = json["errors"].as_array().into_iter().flatten().filter_map(problem);
    text(&json["message"]).into_iter().chain(errors).collect::<Vec<_>>().join(": ")
}
