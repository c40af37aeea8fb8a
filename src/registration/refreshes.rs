//! Refreshes of what notifications may have missed: each Warehouse once, spread over time, giving way to pushes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::domain::scope::ObjectKey;
use crate::domain::target::Target;
use crate::metrics::registration::RegistrationMetrics;
use crate::process::readiness::Readiness;
use crate::refresh::Refresher;
use crate::refresh::cause::Cause;

/// Refreshes come no faster than this, as those of the pursuit.
const EVERY: Duration = Duration::from_millis(50);
/// Pushes have priority, but one turn in so many is taken even under a load without a pause.
const PATIENCE: u32 = 10;

/// What is to be refreshed; a clone is another handle to the same.
#[derive(Clone, Default)]
pub struct Refreshes(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<BTreeSet<ObjectKey>>,
    added: Notify,
}

impl Refreshes {
    /// Has these Warehouses refreshed.
    pub(super) fn add(&self, keys: impl IntoIterator<Item = ObjectKey>) {
        self.0.waiting.lock().extend(keys);
        self.0.added.notify_one();
    }

    /// Refreshes until `stop` is cancelled.
    pub(super) async fn run(
        &self,
        refresher: &Refresher,
        readiness: &Readiness,
        metrics: &RegistrationMetrics,
        stop: &CancellationToken,
    ) {
        let all = async {
            let mut turns = interval(EVERY);
            turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                if self.0.waiting.lock().is_empty() {
                    self.0.added.notified().await;
                    continue;
                }
                for _ in 0..PATIENCE {
                    turns.tick().await;
                    // The drain waits for what is owed, and not for what has still to ask.
                    if !refresher.is_busy() || readiness.is_draining() {
                        break;
                    }
                }
                let next: Vec<_> = {
                    let mut waiting = self.0.waiting.lock();
                    let count = if readiness.is_draining() { waiting.len() } else { 1 };
                    std::iter::from_fn(|| waiting.pop_first()).take(count).map(Target::warehouse).collect()
                };
                metrics.refreshes.inc_by(next.len() as u64);
                // They stay owed until they are written, whether or not somebody waits.
                drop(refresher.request(&next, &Cause::registration()));
            }
        };
        stop.run_until_cancelled(all).await;
    }
}
