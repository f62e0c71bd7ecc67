//! The part of GitHub's other API that `gh` needs to open and find pull requests.

use serde_json::{Value, json};

use super::State;

impl State {
    /// Answers a query, by the words in it: `gh` asks few different things.
    pub(super) fn graphql(&mut self, request: &Value) -> Value {
        let query = request["query"].as_str().unwrap_or_default();
        let variables = &request["variables"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if query.contains("createPullRequest") {
            let input = &variables["input"];
            let (head, base) = (text(&input["headRefName"]), text(&input["baseRefName"]));
            let words = json!({ "title": input["title"], "body": input["body"], "draft": input["draft"] });
            let pull = self.open(&text(&input["repositoryId"]), &head, &base, words);
            let shown = json!({ "id": "PR", "url": pull["html_url"] });
            return json!({ "data": { "createPullRequest": { "pullRequest": shown } } });
        }
        if query.contains("__type") {
            // It asks what this host can do: nothing that is new.
            let none = json!({ "fields": [], "enumValues": [] });
            let names = ["Issue", "PullRequest", "Repository", "WorkflowRun", "StatusCheckRollupContextConnection"];
            return json!({ "data": names.map(|name| (name.to_owned(), none.clone())).into_iter().collect::<Value>() });
        }
        let owner = text(&variables["owner"]);
        let name = [&variables["name"], &variables["repo"]].into_iter().find_map(Value::as_str).unwrap_or_default();
        let mut repository = json!({
            "id": format!("{owner}/{name}"),
            "name": name,
            "nameWithOwner": format!("{owner}/{name}"),
            "owner": { "id": "U", "login": owner },
            "hasIssuesEnabled": true,
            "description": "",
            "viewerPermission": "WRITE",
            "defaultBranchRef": { "name": "main" },
            "isPrivate": false,
            "parent": null,
        });
        if query.contains("pullRequests(") {
            let head = ["headBranch", "headRefName"].into_iter().find_map(|name| variables[name].as_str());
            let base = ["baseBranch", "baseRefName"].into_iter().find_map(|name| variables[name].as_str());
            let found = head.and_then(|head| self.pull_of(head, base)).map(|pull| {
                json!({
                    "id": "PR", "number": pull["number"], "url": pull["html_url"], "state": "OPEN",
                    "headRefName": pull["head"]["ref"], "baseRefName": pull["base"]["ref"],
                    "headRepositoryOwner": { "id": "U", "login": owner }, "isCrossRepository": false,
                })
            });
            let nodes: Vec<Value> = found.into_iter().collect();
            repository["pullRequests"] = json!({
                "totalCount": nodes.len(), "nodes": nodes, "pageInfo": { "hasNextPage": false, "endCursor": null },
            });
        }
        json!({ "data": { "repository": repository, "viewer": { "id": "U", "login": "somebody" } } })
    }
}
