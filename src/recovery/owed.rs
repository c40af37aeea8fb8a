//! What a process takes over from the one before it: the refreshes that are owed on disk.

use std::iter::zip;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use crate::refresh::Refresher;
use crate::spool::Spool;

/// Pause before the disk is tried again.
const PAUSE: Duration = Duration::from_secs(2);

/// Asks for every refresh that is owed on disk, and settles it there once it is written: the refresher does that only
/// up to the time of the PATCH, which is too early where the clock was set back.
pub async fn owed(spool: Spool, refresher: Refresher, stop: CancellationToken) {
    let all = async {
        loop {
            match spool.owed().await {
                Ok(owed) if owed.is_empty() => return,
                Ok(owed) => {
                    tracing::info!(refreshes = owed.len(), "refreshes are owed from before the start");
                    let (targets, last): (Vec<_>, Vec<_>) =
                        owed.into_iter().map(|owed| (owed.target, owed.last_arrival)).unzip();
                    let mut waiters: FuturesUnordered<_> = zip(refresher.request(&targets), zip(&targets, last))
                        .map(async |(waiter, owed)| (waiter.await, owed))
                        .collect();
                    while let Some((outcome, (target, last))) = waiters.next().await {
                        if outcome.is_ok_and(|outcome| outcome.is_done()) {
                            spool.settle(target, last);
                        }
                    }
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
