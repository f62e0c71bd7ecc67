//! Targets: where prompts can be submitted for.

use poem_openapi::OpenApi;
use pv_lib::api::TargetItem;

use crate::{
    context::Context,
    openapi::{Compact, OperationError, ReadErrors, Tag, schema},
};

pub(super) struct Targets(pub(super) Context);

#[OpenApi(tag = "Tag::Targets")]
impl Targets {
    /// List the targets, sorted.
    ///
    /// A target is a branch folder of the inbox. Those that cannot be read are left out: `/status` names them.
    #[oai(path = "/targets", method = "get", operation_id = "list_targets")]
    async fn list(&self) -> Result<Compact<Vec<schema::TargetItem>>, OperationError<ReadErrors>> {
        let read = |context: &Context| {
            let targets = context.store().targets().found;
            Ok(Compact::new(&targets.iter().map(TargetItem::from).collect::<Vec<_>>()))
        };
        Ok(self.0.blocking(read).await?)
    }
}
