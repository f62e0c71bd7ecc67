//! What a pull request gets once it is open: labels, and reviewers. None of it is worth failing for.

use serde_json::{Value, json};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extras {
    /// Labels.
    pub labels: Vec<String>,
    /// Names of users, and of teams as `org/team`.
    pub reviewers: Vec<String>,
}

impl Extras {
    /// Tells whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.reviewers.is_empty()
    }

    /// Adds all of it to the pull request of this number; `repo` is the path of its repository, `repos/OWNER/REPO`. `send`
    /// sends JSON to a path of the host's API, and says why that failed, if it did.
    ///
    /// Returns a sentence for each that could not be added. A host takes all of one kind or none, so that each is tried by
    /// itself where all together are refused.
    #[must_use]
    pub fn add(
        &self,
        repo: &str,
        number: u64,
        send: &mut dyn FnMut(&str, &Value) -> Result<(), String>,
    ) -> Vec<String> {
        let labels = format!("{repo}/issues/{number}/labels");
        let mut warnings =
            each_or_all(&self.labels, send, &labels, &|labels| json!({ "labels": labels }), &|label, why| {
                format!("the label `{label}` could not be added ({why})")
            });
        let reviewers = format!("{repo}/pulls/{number}/requested_reviewers");
        warnings.extend(each_or_all(&self.reviewers, send, &reviewers, &reviewers_json, &|name, why| {
            format!("`{name}` could not be asked to review it ({why})")
        }));
        warnings
    }
}

fn reviewers_json(names: &[String]) -> Value {
    let users: Vec<&str> = names.iter().filter(|name| !name.contains('/')).map(String::as_str).collect();
    // Teams are those of the repository's organisation, which knows them by their names alone.
    let teams: Vec<&str> = names.iter().filter_map(|name| Some(name.split_once('/')?.1)).collect();
    json!({ "reviewers": users, "team_reviewers": teams })
}

fn each_or_all(
    names: &[String],
    send: &mut dyn FnMut(&str, &Value) -> Result<(), String>,
    path: &str,
    json: &dyn Fn(&[String]) -> Value,
    warning: &dyn Fn(&str, &str) -> String,
) -> Vec<String> {
    if names.is_empty() {
        return Vec::new();
    }
    match (send(path, &json(names)), names) {
        (Ok(()), _) => Vec::new(),
        (Err(why), [only]) => vec![warning(only, &why)],
        (Err(_), _) => names
            .iter()
            .filter_map(|name| send(path, &json(std::slice::from_ref(name))).err().map(|why| warning(name, &why)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host that refuses what is named so, whatever else it is asked for.
    fn add(labels: &[&str], reviewers: &[&str], refused: &str) -> (Vec<String>, Vec<String>) {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let (extras, mut sent) = (Extras { labels: own(labels), reviewers: own(reviewers) }, Vec::new());
        let warnings = extras.add("repos/o/r", 7, &mut |path, json| {
            sent.push(format!("{path} {json}"));
            if !refused.is_empty() && json.to_string().contains(refused) { Err("422: no".into()) } else { Ok(()) }
        });
        (sent, warnings)
    }

    #[test]
    fn all_are_added_at_once_and_one_that_is_refused_costs_no_other() {
        assert_eq!(add(&[], &[], ""), (vec![], vec![]));
        let (sent, warnings) = add(&["a", "help wanted"], &["octocat", "o/core", "bot[bot]"], "");
        let expected = [
            r#"repos/o/r/issues/7/labels {"labels":["a","help wanted"]}"#,
            r#"repos/o/r/pulls/7/requested_reviewers {"reviewers":["octocat","bot[bot]"],"team_reviewers":["core"]}"#,
        ];
        assert_eq!((sent, warnings), (expected.map(String::from).to_vec(), vec![]));
        let (sent, warnings) = add(&["a", "b"], &["octocat", "o/core"], "core");
        assert_eq!((sent.len(), warnings), (4, vec!["`o/core` could not be asked to review it (422: no)".to_owned()]));
        let (sent, warnings) = add(&["a"], &[], "a");
        assert_eq!((sent.len(), warnings), (1, vec!["the label `a` could not be added (422: no)".to_owned()]));
    }
}
