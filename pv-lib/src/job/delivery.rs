//! What becomes of a job's work: where it is kept, and as which branch it is delivered.

use serde::{Deserialize, Deserializer, Serialize};

use super::JobId;
use crate::time::Timestamp;

/// The longest part of a branch's name that comes from the prompt, in bytes.
const SLUG_BYTES_MAX: usize = 40;

/// What was delivered of a job's work.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Delivery {
    /// The branch on the remote, or the one that it is to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The commit that holds the work, at the tip of the branch once that is pushed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// How far the push of that branch got, as far as that is known.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "known")]
    pub push: Option<PushState>,
    /// What git and the remote said about a push that failed. Shown, never opened: it is always `<run>/push.log`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub push_log_path: Option<String>,
    /// The pull request's page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pr_url: Option<String>,
    /// The saved patch. Shown, never opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch_path: Option<String>,
    /// The checkout, where it stays because it holds what was not saved. Shown, never opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkout_path: Option<String>,
    /// Why the checkout stays, in a sentence for people.
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
    /// Why the delivery failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How far the push of a job's branch got. It is written before the push begins, so that a crash leaves `begun`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PushState {
    /// It began, and how it ended was not seen: a remote may have the branch.
    Begun,
    /// It ended, and no remote had the branch afterwards.
    Refused,
    /// A remote has the branch.
    Pushed,
}

/// Reads a state; one that a newer version wrote counts as none.
fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PushState>, D::Error> {
    Ok(PushState::deserialize(serde_json::Value::deserialize(deserializer)?).ok())
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

/// Returns the name of the branch that a job's work is delivered as: `<prefix><slug>-<job_id>`.
///
/// The slug is made of the title's letters and digits; a title without any gives `<prefix><job_id>`. Given a prefix
/// that git takes, git takes the name.
#[must_use]
pub fn branch_name(prefix: &str, title: Option<&str>, id: &JobId) -> String {
    let slug = slug(title.unwrap_or_default());
    if slug.is_empty() { format!("{prefix}{id}") } else { format!("{prefix}{slug}-{id}") }
}

/// Returns the name that a branch made by [`branch_name`] has with another prefix; `None` where it is none of those.
///
/// Of the same work it is always the same name, whichever job delivers it: the slug and the id are those of the branch.
#[must_use]
pub fn with_prefix(branch: &str, prefix: &str, title: Option<&str>) -> Option<String> {
    let id = branch.get(branch.len().checked_sub(JobId::MINTED_LEN)?..).and_then(JobId::minted)?;
    let rests = [branch_name("", title, &id), id.to_string()];
    let rest = rests.into_iter().find(|rest| branch.ends_with(rest.as_str()))?;
    Some(format!("{prefix}{rest}"))
}

/// Tells whether `name` is a full object name, SHA-1 or SHA-256.
#[must_use]
pub fn is_object_name(name: &str) -> bool {
    matches!(name.len(), 40 | 64) && name.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
}

fn slug(title: &str) -> String {
    let mut slug = String::new();
    for word in title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let dash = usize::from(!slug.is_empty());
        let left = SLUG_BYTES_MAX.saturating_sub(slug.len() + dash);
        if word.len() > left && !slug.is_empty() {
            break;
        }
        if dash == 1 {
            slug.push('-');
        }
        slug.push_str(&word[..word.len().min(left)].to_ascii_lowercase());
    }
    slug
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0190f5c2a7b97c31b1c5b1d1a1e1f101";

    #[test]
    fn c13_a_branch_keeps_all_but_its_prefix() {
        let check = |branch: &str, title: Option<&str>, expected: Option<String>| {
            assert_eq!(with_prefix(branch, "agents/", title), expected, "{branch} {title:?}");
        };
        let named = |name: &str| Some(format!("agents/{name}{ID}"));
        check(&format!("codex/mend-it-{ID}"), Some("Mend it"), named("mend-it-"));
        check(&format!("codex/{ID}"), None, named(""));
        check(ID, Some("Mend it"), named(""));
        check(&format!("codex-mend-it-{ID}"), Some("Mend it"), named("mend-it-"));
        check(&format!("codex/mend-it-{ID}"), Some("Another title"), named(""));
        check("codex/mend-it-a1", Some("Mend it"), None);
        check("", None, None);
        check("codex/é", None, None);
    }

    #[test]
    fn branches_are_named_after_what_the_prompt_is_about() {
        let check = |title: Option<&str>, expected: &str| {
            let name = branch_name("codex/", title, &ID.parse().unwrap());
            assert_eq!(name, format!("codex/{expected}{ID}"));
            assert!(crate::target::Target::new(None, "r", &name).is_ok(), "{name}");
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
}
