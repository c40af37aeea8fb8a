//! What a process takes over from the one before it: refreshes that are owed on disk, and when to take traffic although the
//! API server is away.

use std::iter::zip;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use crate::process::readiness::Readiness;
use crate::refresh::{Outcome, Refresher};
use crate::spool::Spool;

/// Pause before the disk is tried again.
const PAUSE: Duration = Duration::from_secs(2);

/// An API server that has said nothing of use for so long is away, and senders do not wait.
const SILENCE: Duration = Duration::from_secs(10);

/// Asks for every refresh that is owed on disk, and settles it there once it is written: the refresher does that only up to
/// the time of the PATCH, which is too early where the clock was set back.
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
                        if matches!(outcome, Ok(Outcome::Written | Outcome::Gone)) {
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

/// Takes traffic without tables when the API server falls silent before they are filled.
pub async fn intake(readiness: Arc<Readiness>, stop: CancellationToken) {
    let watching = async {
        while !readiness.tables_filled() {
            let heard = readiness.heard();
            tokio::time::sleep(SILENCE).await;
            if readiness.heard() == heard && !readiness.tables_filled() {
                tracing::warn!("the API server does not answer: requests are taken in, and run once it does");
                return readiness.open_intake();
            }
        }
    };
    stop.run_until_cancelled(watching).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::readiness::Gate;

    #[tokio::test(start_paused = true)]
    async fn an_api_server_that_falls_silent_before_everything_is_loaded_counts_as_away() {
        let readiness = Arc::new(Readiness::default());
        readiness.open(Gate::Listener);
        let intake = tokio::spawn(intake(Arc::clone(&readiness), CancellationToken::new()));
        for _ in 0..30 {
            readiness.hear();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(!readiness.is_ready(), "it is slow, but there");
        tokio::time::sleep(SILENCE * 2).await;
        assert!(readiness.is_ready());
        intake.await.unwrap();
    }
}
