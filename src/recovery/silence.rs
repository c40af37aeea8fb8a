//! When to take traffic although the tables are not filled: once the API server has fallen silent.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::process::readiness::Readiness;

/// An API server without a useful answer for so long is away, and senders do not wait.
const SILENCE: Duration = Duration::from_secs(10);

/// Takes traffic without tables when the API server falls silent before they are filled.
pub async fn take_traffic(readiness: Arc<Readiness>, stop: CancellationToken) {
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
        let taking = tokio::spawn(take_traffic(Arc::clone(&readiness), CancellationToken::new()));
        for _ in 0..30 {
            readiness.hear();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(!readiness.is_ready(), "it is slow, but there");
        tokio::time::sleep(SILENCE * 2).await;
        assert!(readiness.is_ready());
        taking.await.unwrap();
    }
}
