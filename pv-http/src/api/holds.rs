//! Holds: why jobs of an agent wait, and letting them start.

use poem::http::StatusCode;
use poem_openapi::{ApiResponse, OpenApi, param::Path};
use pv_lib::{api::HoldList, job::HoldKind};

use crate::{
    context::Context,
    openapi::{Compact, HoldErrors, OperationError, Problem, ReadErrors, Tag, schema},
    query::PathText,
};

pub(super) struct Holds(pub(super) Context);

/// The response to a hold that was lifted.
#[derive(ApiResponse)]
enum Lifted {
    /// It is lifted, and stays so after a power cut
    #[oai(status = 204)]
    Done,
}

#[OpenApi(tag = "Tag::Holds")]
impl Holds {
    /// List the holds, by agent and kind.
    ///
    /// A hold keeps the jobs of one agent waiting, because one of them found out what would befall them all. `held`: none of
    /// them starts until `until`. `probing`: that is over, and one at a time is tried until one works.
    #[oai(path = "/holds", method = "get", operation_id = "list_holds")]
    async fn list(&self) -> Result<Compact<schema::HoldList>, OperationError<ReadErrors>> {
        let read = |context: &Context| Ok(Compact::new(&HoldList::read(context.store(), context.now())?));
        Ok(self.0.blocking(read).await?)
    }

    /// Lift a hold: the agent's jobs may start at once.
    ///
    /// Where the cause is still there the next job finds it out again.
    #[oai(path = "/holds/:kind/:scope", method = "delete", operation_id = "lift_hold")]
    async fn lift(
        &self,
        /// Why the jobs wait.
        kind: Path<PathText<HoldKind>>,
        /// The agent's name, percent-encoded.
        scope: Path<String>,
    ) -> Result<Lifted, OperationError<HoldErrors>> {
        let kind = kind.read("kind")?;
        let lift = move |context: &Context| match context.store().lift_hold(&scope, kind)? {
            true => Ok(Lifted::Done),
            false => Err(Problem::new(
                StatusCode::NOT_FOUND,
                format!("no hold of the kind `{kind}` is on that agent: `GET /holds` lists those that there are"),
            )),
        };
        Ok(self.0.blocking(lift).await?)
    }
}
