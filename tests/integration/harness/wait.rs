//! Waiting for conditions: the only place that sleeps.

use std::time::{Duration, Instant};

/// Long enough for whatever takes milliseconds on an idle machine, on one that is busy with all the other tests.
pub(crate) const SOON: Duration = Duration::from_secs(20);

const PAUSE: Duration = Duration::from_millis(10);

/// Probes until there is an answer.
pub(crate) async fn wait_until<T>(what: &str, limit: Duration, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {limit:?} in vain until {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// A number from the environment.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect(name))
}
