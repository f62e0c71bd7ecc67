//! Submissions of many requests, which get their names on the disk together.

use std::sync::Arc;

use pv_lib::{
    prompt::Submission,
    store::{PreparedSubmission, Receipt},
};

use super::batches::Batches;
use crate::{
    context::{Answer, Context},
    openapi::Problem,
};

/// Submits the prompts of requests. Cheap to clone.
///
/// Each request writes its own prompts, all requests at once. The folders in which they then appear are synced for all that wait:
/// while that is done for some, others write theirs, and are the next.
#[derive(Debug, Clone)]
pub(super) struct Submissions {
    context: Context,
    prepared: Arc<Batches<Prepared>>,
}

type Prepared = (PreparedSubmission, Answer<Vec<Receipt>>);

impl Submissions {
    pub(super) fn new(context: Context) -> Self {
        Self { context, prepared: Arc::default() }
    }

    /// Submits what `read` returns, all or none, and returns a receipt for each when it is durable.
    ///
    /// # Errors
    /// As `read`, and as [`pv_lib::store::Store::submit`]; of other requests nothing is an error here.
    pub(super) async fn submit(
        &self,
        read: impl FnOnce() -> Result<Vec<Submission>, Problem> + Send + 'static,
    ) -> Result<Vec<Receipt>, Problem> {
        let batches = self.prepared.clone();
        let work = move |context: &Context, answer: Answer<Vec<Receipt>>| {
            let mint = context.settings().mint;
            let prepare = |submissions: Vec<Submission>| {
                Ok(context.store().prepare_submission(&submissions, &mut || mint(), context.now())?)
            };
            match read().and_then(prepare) {
                Ok(prepared) => batches.add((prepared, answer), |batch| publish(context, batch)),
                Err(problem) => answer.send(Err(problem)),
            }
        };
        self.context.blocking_answer(work).await
    }
}

fn publish(context: &Context, batch: Vec<Prepared>) {
    let (prepared, answers): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
    for (receipts, answer) in context.store().publish_submissions(prepared).into_iter().zip(answers) {
        answer.send(receipts.map_err(Problem::from));
    }
}
