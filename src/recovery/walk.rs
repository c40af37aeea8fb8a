//! A walk over Warehouses: each gets a moment to be refreshed, then the walk goes on, and at its end it comes back for
//! those that took longer. So one Warehouse whose PATCHes fail never keeps the others from theirs.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::time::{sleep, timeout};

use crate::domain::scope::ObjectKey;
use crate::domain::target::Target;
use crate::refresh::Refresher;
use crate::refresh::cause::Cause;

/// How long the walk stays with one Warehouse.
const EACH: Duration = Duration::from_secs(1);
/// How long it waits at its end for all that took longer.
const COME_BACK: Duration = Duration::from_mins(1);

/// The refreshes that were asked for.
pub(super) struct Walk<'a> {
    refresher: &'a Refresher,
    waiting: FuturesUnordered<BoxFuture<'static, ObjectKey>>,
    /// Those that have not ended, each with the one before it in the walk.
    open: BTreeMap<ObjectKey, Option<ObjectKey>>,
    last: Option<ObjectKey>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(refresher: &'a Refresher) -> Self {
        Self { refresher, waiting: FuturesUnordered::new(), open: BTreeMap::new(), last: None }
    }

    /// Asks for the refresh of the next Warehouse, and gives it a moment.
    pub(super) async fn step(&mut self, warehouse: &ObjectKey) {
        self.open.insert(warehouse.clone(), self.last.replace(warehouse.clone()));
        for waiter in self.refresher.request(&[Target::warehouse(warehouse.clone())], &Cause::catch_up()) {
            let key = warehouse.clone();
            self.waiting.push(waiter.map(|_| key).boxed());
        }
        let moment = async {
            while self.open.contains_key(warehouse) {
                self.one_ends().await;
            }
        };
        timeout(EACH, moment).await.ok();
    }

    /// Leaves out the next Warehouse, which needs nothing.
    pub(super) fn pass(&mut self, warehouse: &ObjectKey) {
        self.last = Some(warehouse.clone());
    }

    /// The last Warehouse up to which all have ended.
    pub(super) fn position(&self) -> Option<&ObjectKey> {
        self.open.first_key_value().map_or(self.last.as_ref(), |(_, before)| before.as_ref())
    }

    /// Waits for those that have not ended. Returns what has not even then.
    pub(super) async fn come_back(mut self) -> Vec<Target> {
        let all = async {
            while !self.open.is_empty() {
                self.one_ends().await;
            }
        };
        timeout(COME_BACK, all).await.ok();
        self.open.into_keys().map(Target::warehouse).collect()
    }

    async fn one_ends(&mut self) {
        match self.waiting.next().await {
            Some(ended) => drop(self.open.remove(&ended)),
            // Nothing is left to wait for.
            None => sleep(EACH).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::iter::once;

    use super::*;
    use crate::metrics::refresh::RefreshMetrics;
    use crate::process::clock::Clock;
    use crate::refresh::PatchOutcome;
    use crate::refresh::patch::Patch;
    use crate::refresh::token::TokenSource;

    /// Fails for some.
    struct Failing(&'static [&'static str]);

    impl Patch for Failing {
        fn patch<'a>(&'a self, target: &'a Target, _: &'a str, _: &'a Cause) -> BoxFuture<'a, PatchOutcome> {
            let fails = self.0.contains(&&*target.key.name);
            let outcome = PatchOutcome::Failed { status: Some(503), retry_after: None };
            async move { if fails { outcome } else { PatchOutcome::Written } }.boxed()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_warehouse_that_fails_keeps_no_other_from_its_refresh_and_is_come_back_to() {
        let (tokens, metrics) = (TokenSource::new(Clock::system()), RefreshMetrics::default());
        let refresher = Refresher::new(Failing(&["a", "c"]), tokens, 4, metrics, Box::new(|_, _| {}));
        let mut walk = Walk::new(&refresher);
        assert_eq!(walk.position(), None);
        let key = |name: &str| ObjectKey::new("northwind", name);
        let others = (0..20).map(|number| format!("w-{number:02}"));
        for name in ["0", "a", "b", "c"].into_iter().map(str::to_owned).chain(others).chain(once("z".to_owned())) {
            walk.step(&key(&name)).await;
        }
        assert_eq!(walk.position(), Some(&key("0")), "a successor leaves out nothing that has not ended");
        assert_eq!(refresher.owed(), 2, "all others are refreshed");
        assert_eq!(walk.come_back().await, [Target::warehouse(key("a")), Target::warehouse(key("c"))]);
    }
}
