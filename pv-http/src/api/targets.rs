//! Targets: where prompts can be submitted for.

use poem_openapi::OpenApi;
use pv_lib::store::InboxTarget;

use crate::{
    context::Context,
    openapi::{Compact, OperationError, ReadErrors, Tag, schema::TargetItem},
};

pub(super) struct Targets(pub(super) Context);

#[OpenApi(tag = "Tag::Targets")]
impl Targets {
    /// List the targets, sorted.
    ///
    /// A target is a branch folder of the inbox. Those that cannot be read are left out: `/status` names them.
    #[oai(path = "/targets", method = "get", operation_id = "list_targets")]
    async fn list(&self) -> Result<Compact<Vec<TargetItem>>, OperationError<ReadErrors>> {
        let read = |context: &Context| {
            let targets = context.store().targets().found;
            Ok(Compact::new(&targets.into_iter().map(item).collect::<Vec<_>>()))
        };
        Ok(self.0.blocking(read).await?)
    }
}

fn item(found: InboxTarget) -> TargetItem {
    TargetItem {
        repo: found.target.repo().to_owned(),
        branch: found.target.branch().to_owned(),
        inbox_path: found.dir.into_string(),
        owner: found.target.owner().map(str::to_owned),
        full_repo: found.target.full_repo(),
    }
}
