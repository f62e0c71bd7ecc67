//! One job, as it is shown when it is looked at by itself.

use serde_json::{Map, Value};

use crate::{
    Result,
    job::{JobId, Thresholds},
    store::{RunView, Store},
    time::Timestamp,
};

/// A job with what only a look at its run folder tells; lists have none of that.
#[derive(Debug, Clone, PartialEq)]
pub struct JobDetail {
    /// The job, as lists show it.
    pub view: RunView,
    /// What its agent said last; of a long text the end.
    pub last_message: Option<String>,
}

impl JobDetail {
    /// Reads a job. A last message that cannot be read leaves the job as it is.
    ///
    /// # Errors
    /// [`Error::JobNotFound`](crate::Error::JobNotFound); any error of the file system.
    pub fn read(store: &Store, id: &JobId, now: Timestamp, thresholds: Thresholds) -> Result<Self> {
        let view = store.view(store.read_run(id)?, now, thresholds);
        Ok(Self { view, last_message: store.last_message_end(id).ok().flatten() })
    }

    /// Returns the JSON object that answers carry: the job's, and `last_message` where there is one.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let mut map = self.view.to_json();
        if let Some(text) = &self.last_message {
            map.insert("last_message".into(), text.as_str().into());
        }
        map
    }
}
