//! Handing over prompts.

use poem_openapi::{ApiResponse, OpenApi};
use pv_lib::{
    prompt::{Source, Submission},
    store::Receipt,
};

use crate::{
    context::Context,
    openapi::{
        Compact, Problem, Refusal, SentJob, Submitting, Tag, UploadBody,
        schema::{Taken, TakenJobs},
    },
};

pub(super) struct Submit(pub(super) Context);

/// A prompt was taken.
#[derive(ApiResponse)]
pub(super) enum Created {
    /// The prompt was taken, and survives a power cut
    #[oai(status = 201)]
    Taken(
        Compact<Taken>,
        /// Where the job can be looked at.
        #[oai(header = "Location")]
        String,
    ),
}

/// Prompts were taken.
#[derive(ApiResponse)]
enum CreatedAll {
    /// All prompts were taken, and survive a power cut
    #[oai(status = 201)]
    Taken(Compact<TakenJobs>),
}

#[OpenApi(tag = "Tag::Submit")]
impl Submit {
    /// Hand over several prompts as files: all, or none.
    #[oai(path = "/jobs/upload", method = "post", operation_id = "upload_jobs")]
    async fn upload(&self, body: UploadBody) -> Result<CreatedAll, Refusal<Submitting>> {
        let submission = |(filename, markdown)| Submission {
            repo: body.repo.clone(),
            branch: body.branch.clone(),
            markdown,
            filename: Some(filename),
            source: Source::Upload,
            retry_of: None,
        };
        let submissions: Vec<_> = body.files.into_iter().map(submission).collect();
        let taken = self.0.blocking(move |context| take(context, &submissions)).await?;
        let jobs = taken.into_iter().map(Taken::from).collect();
        Ok(CreatedAll::Taken(Compact::new(&TakenJobs { jobs })))
    }
}

/// Submits the prompt of `POST /jobs`.
pub(super) async fn submit(context: &Context, sent: SentJob) -> Result<Created, Problem> {
    let write = move |context: &Context| {
        let body = sent.read()?;
        let submission = Submission {
            repo: body.repo,
            branch: body.branch,
            markdown: body.markdown_text.into_bytes(),
            filename: body.filename,
            source: Source::Api,
            retry_of: None,
        };
        take(context, &[submission])
    };
    let taken = context.blocking(write).await?.pop();
    Ok(created(taken.ok_or_else(Problem::internal)?))
}

fn take(context: &Context, submissions: &[Submission]) -> Result<Vec<Receipt>, Problem> {
    let mint = context.settings().mint;
    Ok(context.store().submit(submissions, &mut || mint(), context.now())?)
}

pub(super) fn created(receipt: Receipt) -> Created {
    let location = format!("/api/v1/jobs/{}", receipt.job_id);
    Created::Taken(Compact::new(&Taken::from(receipt)), location)
}

impl From<Receipt> for Taken {
    fn from(receipt: Receipt) -> Self {
        Self {
            job_id: receipt.job_id.to_string(),
            inbox_path: receipt.inbox_path.into_string(),
            created_at: receipt.created_at.to_string(),
        }
    }
}
