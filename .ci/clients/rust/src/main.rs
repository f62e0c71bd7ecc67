//! Submits, lists, follows and aborts jobs with the client that progenitor generates.
//!
//! usage: prompt-valet-rust-client BASE_URL OWNER/REPO BRANCH

use std::{collections::HashMap, env, error::Error};

use client::{Client, types};
use futures::StreamExt;

#[allow(dead_code, clippy::all, reason = "generated, and more than is used here")]
mod client {
    include!(concat!(env!("OUT_DIR"), "/client.rs"));
}

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What a followed log said.
#[derive(Debug, Default)]
struct Followed {
    lines: Vec<String>,
    /// How the job ended.
    end: HashMap<String, serde_json::Value>,
}

async fn submit(client: &Client, repo: &str, branch: &str, text: &str) -> Result<String> {
    let prompt = types::NewJob {
        repo: repo.parse()?,
        attempts: None,
        branch: branch.parse()?,
        markdown_text: text.parse()?,
        filename: Some("from rust.md".parse()?),
        checks: None,
    };
    let receipt = client.submit_job(&prompt).await?.into_inner();
    println!("rust: submitted {} as {}", receipt.job_id, receipt.inbox_path);
    Ok(receipt.job_id)
}

/// Follows a log to the end of its job; asks for an abort after its first line, if that is wanted.
async fn follow(client: &Client, id: &str, abort: bool) -> Result<Followed> {
    let mut stream = client.stream_job_log(id, Some(true), None).await?.into_inner();
    let (mut followed, mut text, mut event) = (Followed::default(), String::new(), String::new());
    while let Some(part) = stream.next().await {
        text.push_str(str::from_utf8(&part?)?);
        while let Some((line, rest)) = text.split_once('\n') {
            if let Some(name) = line.strip_prefix("event: ") {
                event = name.to_owned();
            } else if let Some(data) = line.strip_prefix("data: ").or((line == "data:").then_some("")) {
                if event == "end" {
                    followed.end = serde_json::from_str(data)?;
                } else {
                    followed.lines.push(data.to_owned());
                    if abort && followed.lines.len() == 1 {
                        let receipt = client.abort_job(id, None).await?.into_inner();
                        println!("rust: abort of a {} job asked for", receipt.previous_state);
                    }
                }
            } else if line.is_empty() {
                event.clear();
            }
            text = rest.to_owned();
        }
    }
    Ok(followed)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [base, repo, branch] = &args[..] else { return Err("usage: BASE_URL OWNER/REPO BRANCH".into()) };
    let client = Client::new(base);

    let finished = submit(&client, repo, branch, "# Print three lines\n").await?;
    let followed = follow(&client, &finished, false).await?;
    assert_eq!(followed.lines, ["one", "", "three"]);
    assert_eq!(followed.end["state"], "succeeded");

    let stopped = submit(&client, repo, branch, "# Work until you are stopped\n").await?;
    let followed = follow(&client, &stopped, true).await?;
    assert_eq!((&followed.lines[0], &followed.end["state"]), (&"one".to_owned(), &"aborted".into()));

    // What is only read, decoded as the description says.
    println!("rust: {}", client.health().await?.into_inner().version);
    assert_eq!(client.status().await?.into_inner().watcher.alive, Some(true));
    assert!(!client.config().await?.into_inner().settings.is_empty());
    assert_eq!(client.list_targets().await?.into_inner()[0].full_repo, *repo);
    assert!(client.list_holds().await?.into_inner().holds.is_empty());
    assert_eq!(client.get_job(&finished).await?.into_inner().exit_code, Some(0));

    let of_repo = client.list_jobs(None, None, Some(10.try_into()?), Some(repo), None, None, None).await?.into_inner();
    let states: HashMap<_, _> = of_repo.jobs.iter().map(|job| (job.job_id.as_str(), job.state)).collect();
    assert_eq!(states[finished.as_str()], types::State::Succeeded);
    assert_eq!(states[stopped.as_str()], types::State::Aborted);
    assert_eq!(states["20251205-1216-32"], types::State::Succeeded);

    let again = client.abort_job(&stopped, None).await.expect_err("a job that is over");
    assert_eq!(again.status().map(|status| status.as_u16()), Some(409));
    let client::Error::ErrorResponse(refused) = again else { return Err(format!("no typed error: {again}").into()) };
    let types::ErrorDetailDetail::String(sentence) = refused.into_inner().detail else { return Err("a list".into()) };
    println!("rust: a second abort: {sentence}");
    Ok(())
}
