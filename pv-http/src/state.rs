//! The parts of one service, each of which takes no more than it needs of the others.

use std::sync::Arc;

use pv_lib::store::Store;
use tokio_util::sync::CancellationToken;

use crate::{
    access::Token,
    context::Context,
    query::JobIndex,
    settings::ApiSettings,
    streams::{EventLog, OpenStreams},
};

/// How many threads read the jobs when the service starts.
const LOADING_THREADS: usize = 2;

/// The parts of one service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AppState {
    pub(crate) context: Context,
    pub(crate) index: Arc<JobIndex>,
    pub(crate) streams: OpenStreams,
    pub(crate) events: EventLog,
    /// The token that requests must carry, if there is one.
    pub(crate) token: Option<Token>,
}

impl AppState {
    /// Makes the parts. Touches nothing on disk.
    ///
    /// When `stop` is cancelled, open streams end.
    #[must_use]
    pub fn new(settings: ApiSettings, store: Store, stop: CancellationToken) -> Self {
        let token = settings.token.clone().map(Token::new);
        // The other connections are for requests that are answered at once.
        let streams = OpenStreams::new(settings.max_connections / 4 * 3, stop);
        let context = Context::new(settings, store);
        let index = Arc::new(JobIndex::default());
        let events = EventLog::new(context.clone(), index.clone(), streams.clone());
        Self { context, index, streams, events, token }
    }

    /// Begins to read all jobs, so that the first request that needs all of them waits less. The threads end by themselves;
    /// a request that needs more than they have read helps them.
    pub(crate) fn load_in_background(&self) {
        for _ in 0..LOADING_THREADS {
            let (context, index) = (self.context.clone(), self.index.clone());
            std::thread::spawn(move || {
                // Whoever asks next is told what the disk says.
                let _ = index.refresh(context.store(), context.request_time(), usize::MAX);
            });
        }
    }
}
