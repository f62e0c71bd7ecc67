//! What becomes of a job's work: where it is kept, and under which branch it is handed over.

use serde::{Deserialize, Serialize};

use super::{JobId, JobRecord, JobState, Phase};
use crate::time::Timestamp;

/// The longest part of a branch's name that comes from the prompt, in bytes.
const SLUG_BYTES_MAX: usize = 40;

/// What was handed over of a job's work.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Delivery {
    /// The branch on the remote, or the one that it is to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The commit that holds the work, at the tip of the branch once that is pushed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The pull request's page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pr_url: Option<String>,
    /// The saved patch. Shown, never opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch_path: Option<String>,
    /// The checkout, where it stays because it holds what was not saved. Shown, never opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkout_path: Option<String>,
    /// Why the checkout stays, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkout_reason: Option<String>,
    /// How large the checkout was when it was kept, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkout_bytes: Option<u64>,
    /// When a person had the checkout removed that was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkout_discarded_at: Option<Timestamp>,
    /// What the agent made that git ignores, where it made any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignored: Option<IgnoredWork>,
    /// Why handing over failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What an agent made that git ignores, and that is therefore in no commit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct IgnoredWork {
    /// How many files are to be kept.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// The archive that holds them, where they are in one. Shown, never opened: it is always `<run>/ignored.tar.zst`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_path: Option<String>,
    /// How many files there are in known caches, which are not kept.
    pub cached_files: u64,
}

/// Work that was saved and could not be handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// The job that did the work.
    pub job_id: JobId,
    /// The branch that it is to be.
    pub branch: String,
    /// The commit that holds it.
    pub commit: String,
    /// The commit that it began with.
    pub base_commit: String,
}

impl Undelivered {
    /// Returns what is left to hand over of a job that did not succeed and had got as far as that, whatever stopped it.
    ///
    /// `None` where its record does not name a branch and two commits that could be.
    #[must_use]
    pub fn of(record: &JobRecord) -> Option<Self> {
        let delivery = record.delivery.as_ref()?;
        let is_left = record.state() != JobState::Succeeded && record.phase == Some(Phase::Delivering);
        let found = Self {
            job_id: record.job_id.clone(),
            branch: delivery.branch.clone()?,
            commit: delivery.commit.clone()?,
            base_commit: record.base_commit.clone()?,
        };
        let usable = is_object_name(&found.commit) && is_object_name(&found.base_commit) && is_branch(&found.branch);
        (is_left && usable).then_some(found)
    }
}

impl JobRecord {
    /// Tells whether the checkout of a job that is over may hold work that is saved nowhere else: the record says so; or
    /// the agent was started, the job did not succeed, and nothing was saved.
    #[must_use]
    pub fn may_hold_unsaved_work(&self) -> bool {
        let delivery = self.delivery.as_ref();
        let is_kept = delivery.is_some_and(|delivery| delivery.checkout_path.is_some());
        if delivery.is_some_and(|delivery| delivery.checkout_discarded_at.is_some()) {
            return false;
        }
        let is_saved = delivery.is_some_and(|delivery| delivery.patch_path.is_some());
        let agent_started = !matches!(self.phase, None | Some(Phase::Preparing));
        is_kept || (agent_started && self.state() != JobState::Succeeded && !is_saved)
    }
}

/// Returns the name of the branch that a job's work is handed over as: `<prefix><slug>-<job_id>`.
///
/// The slug is made of the title's letters and digits; a title without any gives `<prefix><job_id>`. Given a prefix that
/// git takes, git takes the name.
#[must_use]
pub fn branch_name(prefix: &str, title: Option<&str>, id: &JobId) -> String {
    let slug = slug(title.unwrap_or_default());
    if slug.is_empty() { format!("{prefix}{id}") } else { format!("{prefix}{slug}-{id}") }
}

/// Tells whether `name` is a full object name, SHA-1 or SHA-256.
#[must_use]
pub fn is_object_name(name: &str) -> bool {
    matches!(name.len(), 40 | 64) && name.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
}

fn is_branch(name: &str) -> bool {
    crate::target::Target::new(None, "r", name).is_ok()
}

fn slug(title: &str) -> String {
    let mut slug = String::new();
    for word in title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let dash = usize::from(!slug.is_empty());
        let room = SLUG_BYTES_MAX.saturating_sub(slug.len() + dash);
        if word.len() > room && !slug.is_empty() {
            break;
        }
        if dash == 1 {
            slug.push('-');
        }
        slug.push_str(&word[..word.len().min(room)].to_ascii_lowercase());
    }
    slug
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0190f5c2a7b97c31b1c5b1d1a1e1f101";
    const OID: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn branches_are_named_after_what_the_prompt_is_about() {
        let check = |title: Option<&str>, expected: &str| {
            let name = branch_name("codex/", title, &ID.parse().unwrap());
            assert_eq!(name, format!("codex/{expected}{ID}"));
            assert!(is_branch(&name), "{name}");
        };
        check(None, "");
        check(Some("Greet the reader"), "greet-the-reader-");
        check(Some("  --Fix: `a/../b`.lock@{1} ~^: \u{202e}x"), "fix-a-b-lock-1-x-");
        check(Some("Über Größe: naïve"), "ber-gr-e-na-ve-");
        check(Some("漢字"), "");
        check(
            Some("a title that goes on and on until nobody reads it any more"),
            "a-title-that-goes-on-and-on-until-nobody-",
        );
        check(Some(&"x".repeat(500)), &format!("{}-", "x".repeat(SLUG_BYTES_MAX)));
    }

    fn undelivered(json: &str) -> Option<Undelivered> {
        Undelivered::of(&JobRecord::from_bytes(json.as_bytes()).unwrap())
    }

    #[test]
    fn only_a_delivery_that_had_begun_and_did_not_succeed_is_left_to_do() {
        let record = |state: &str, branch: &str, commit: &str| {
            format!(
                r#"{{"job_id":"{ID}",{state},"base_commit":"{OID}","delivery":{{"branch":"{branch}","commit":"{commit}"}}}}"#
            )
        };
        let failed = r#""state":"failed","reason":"delivery","phase":"delivering""#;
        let found = undelivered(&record(failed, "codex/x", OID)).unwrap();
        assert_eq!((found.branch.as_str(), found.commit.as_str()), ("codex/x", OID));
        for state in [r#""state":"running""#, r#""state":"failed","reason":"interrupted""#, r#""state":"aborted""#] {
            let state = format!(r#"{state},"phase":"delivering""#);
            assert!(undelivered(&record(&state, "codex/x", OID)).is_some(), "{state}");
        }
        for (state, branch, commit) in [
            (r#""state":"failed","reason":"exit","phase":"agent""#, "codex/x", OID),
            (r#""state":"succeeded","phase":"delivering""#, "codex/x", OID),
            (failed, "../x", OID),
            (failed, "-x", OID),
            (failed, "codex/x", "HEAD"),
            (failed, "codex/x", "--upload-pack=x"),
        ] {
            assert_eq!(undelivered(&record(state, branch, commit)), None, "{state} {branch} {commit}");
        }
    }

    #[test]
    fn a_checkout_is_needless_only_where_all_of_its_work_is_saved() {
        let check = |facts: &str, expected: bool| {
            let record = JobRecord::from_bytes(format!(r#"{{"job_id":"{ID}",{facts}}}"#).as_bytes()).unwrap();
            assert_eq!(record.may_hold_unsaved_work(), expected, "{facts}");
        };
        let saved = r#""delivery":{"patch_path":"p"}"#;
        let kept = r#""delivery":{"patch_path":"p","checkout_path":"c"}"#;
        check(r#""state":"failed""#, false);
        check(r#""state":"failed","phase":"preparing""#, false);
        check(r#""state":"failed","phase":"agent""#, true);
        check(r#""state":"aborted","phase":"agent""#, true);
        check(&format!(r#""state":"failed","phase":"agent",{saved}"#), false);
        check(&format!(r#""state":"failed","phase":"agent",{kept}"#), true);
        check(r#""state":"succeeded","phase":"agent""#, false);
        check(r#""state":"failed","phase":"agent","delivery":{"checkout_discarded_at":"2026-01-31T12:00:00Z"}"#, false);
        check(&format!(r#""state":"succeeded","phase":"delivering",{saved}"#), false);
        check(&format!(r#""state":"succeeded","phase":"delivering",{kept}"#), true);
    }
}
