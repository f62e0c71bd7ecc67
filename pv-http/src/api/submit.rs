//! Submitting prompts.

use poem_openapi::{ApiResponse, OpenApi};
use pv_lib::{
    api::SubmitReceipts,
    prompt::{Source, Submission},
    store::Receipt,
};

use super::submissions::Submissions;
use crate::openapi::{Compact, OperationError, Problem, SubmitBody, SubmitErrors, Tag, UploadBody, schema};

pub(super) struct Submit(pub(super) Submissions);

/// The response to a prompt that was accepted.
#[derive(ApiResponse)]
pub(super) enum Created {
    /// The prompt was accepted, and survives a power cut
    #[oai(status = 201)]
    One(
        Compact<schema::SubmitReceipt>,
        /// Where the job can be looked at.
        #[oai(header = "Location")]
        String,
    ),
}

/// The response to prompts that were accepted.
#[derive(ApiResponse)]
enum CreatedAll {
    /// All prompts were accepted, and survive a power cut
    #[oai(status = 201)]
    All(Compact<schema::SubmitReceipts>),
}

#[OpenApi(tag = "Tag::Submit")]
impl Submit {
    /// Submit several prompts as files: all, or none.
    #[oai(path = "/jobs/upload", method = "post", operation_id = "upload_jobs")]
    async fn upload(&self, body: UploadBody) -> Result<CreatedAll, OperationError<SubmitErrors>> {
        let read = move || {
            let submission = |(filename, markdown)| {
                Ok(Submission {
                    repo: body.repo.clone(),
                    branch: body.branch.clone(),
                    markdown: body.verification.write_into(markdown)?,
                    filename: Some(filename),
                    source: Source::Upload,
                    retry_of: None,
                })
            };
            Ok(body.files.into_iter().map(submission).collect::<Result<Vec<_>, pv_lib::Error>>()?)
        };
        let jobs = self.0.submit(read).await?;
        Ok(CreatedAll::All(Compact::new(&SubmitReceipts { jobs })))
    }
}

/// Submits the prompt of `POST /jobs`.
pub(super) async fn submit(submissions: &Submissions, body: SubmitBody) -> Result<Created, Problem> {
    let read = move || {
        let fields = body.parse()?;
        Ok(vec![Submission {
            repo: fields.repo,
            branch: fields.branch,
            markdown: fields.verification.write_into(fields.markdown_text.into_bytes())?,
            filename: fields.filename,
            source: Source::Api,
            retry_of: None,
        }])
    };
    let receipt = submissions.submit(read).await?.pop();
    Ok(created(&receipt.ok_or_else(Problem::internal)?))
}

pub(super) fn created(receipt: &Receipt) -> Created {
    let location = format!("/api/v1/jobs/{}", receipt.job_id);
    Created::One(Compact::new(receipt), location)
}
