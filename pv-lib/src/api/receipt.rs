//! What somebody gets for prompts that were accepted. For one prompt it is a [`Receipt`]; for an abort an
//! [`AbortReceipt`](crate::store::AbortReceipt).

use serde::Serialize;

use crate::store::Receipt;

/// The receipts of several prompts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubmitReceipts {
    /// One for each prompt, in their order.
    pub jobs: Vec<Receipt>,
}
