//! What a process takes over from the one before it: refreshes that are owed on disk, and when to take traffic although the
//! API server is away.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::readiness::Readiness;
use crate::refresh::Refresher;
use crate::spool::Spool;

/// Pause before the disk is tried again.
const PAUSE: Duration = Duration::from_secs(2);

/// An API server that has said nothing for so long is away, and senders do not wait.
const SILENCE: Duration = Duration::from_secs(10);

/// Asks for every refresh that is owed on disk. The refresher settles it there once it is written.
pub async fn owed(spool: Spool, refresher: Refresher, stop: CancellationToken) {
    let all = async {
        loop {
            match spool.owed().await {
                Ok(owed) if owed.is_empty() => return,
                Ok(owed) => {
                    tracing::info!(refreshes = owed.len(), "refreshes are owed from before the start");
                    let targets: Vec<_> = owed.into_iter().map(|owed| owed.target).collect();
                    drop(refresher.request(&targets));
                    return;
                }
                Err(error) => {
                    tracing::error!(reason = error.reason(), "what is owed cannot be read: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    };
    stop.run_until_cancelled(all).await;
}

/// Takes traffic without tables when the API server stays silent after the start.
pub async fn intake(readiness: Arc<Readiness>, stop: CancellationToken) {
    stop.run_until_cancelled(tokio::time::sleep(SILENCE)).await;
    if !readiness.has_heard() && !stop.is_cancelled() {
        tracing::warn!("the API server does not answer: requests are taken in, and run once it does");
        readiness.open_intake();
    }
}
