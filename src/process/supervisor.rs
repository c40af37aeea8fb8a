//! Notices when a part of the process ends that should not, so that no replica goes on ready and deaf.
//!
//! A part (a watch, the accept loop, the elector) runs until it is asked to stop. When it ends or panics before that,
//! the process ends, and whatever started it starts it again. Work for one request or one object is not a part: a panic
//! there costs that one only, see [`caught`].

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures::FutureExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Hears from every part; cheap to clone.
#[derive(Clone, Default)]
pub struct Supervisor(Arc<watch::Sender<Option<Failure>>>);

/// A part that ended before it was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    part: &'static str,
    panicked: bool,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, panicked } = self;
        write!(f, "a part of the process {}: {part}", if *panicked { "panicked" } else { "ended by itself" })
    }
}

impl Supervisor {
    /// A part that runs until `stop` is cancelled. `None` when it panicked.
    pub fn part<W: Future>(
        &self,
        part: &'static str,
        stop: &CancellationToken,
        work: W,
    ) -> impl Future<Output = Option<W::Output>> + use<W> {
        let (supervisor, stop) = (self.clone(), stop.clone());
        async move {
            let result = AssertUnwindSafe(work).catch_unwind().await;
            if result.is_err() || !stop.is_cancelled() {
                supervisor.report(Failure { part, panicked: result.is_err() });
            }
            result.ok()
        }
    }

    /// A part that ends when it has done its work.
    pub fn task<W: Future>(&self, part: &'static str, work: W) -> impl Future<Output = Option<W::Output>> + use<W> {
        let supervisor = self.clone();
        async move {
            let result = AssertUnwindSafe(work).catch_unwind().await;
            if result.is_err() {
                supervisor.report(Failure { part, panicked: true });
            }
            result.ok()
        }
    }

    /// A part that is a thread and runs until `stop` is cancelled.
    pub fn thread<W: FnOnce()>(&self, part: &'static str, stop: &CancellationToken, work: W) -> impl FnOnce() + use<W> {
        let (supervisor, stop) = (self.clone(), stop.clone());
        move || {
            let result = catch_unwind(AssertUnwindSafe(work));
            if result.is_err() || !stop.is_cancelled() {
                supervisor.report(Failure { part, panicked: result.is_err() });
            }
        }
    }

    /// Returns when a part has ended that should not; the first one, whatever followed from it.
    pub async fn failure(&self) -> Failure {
        let mut failures = self.0.subscribe();
        loop {
            if let Some(failure) = *failures.borrow_and_update() {
                return failure;
            }
            if failures.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    fn report(&self, failure: Failure) {
        tracing::error!("{failure}");
        self.0.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert(failure);
            is_first
        });
    }
}

/// Runs work for one request or one object. `None` when it panicked, which is logged and costs that one only.
pub fn caught<T>(what: &'static str, work: impl FnOnce() -> T) -> Option<T> {
    logged(what, catch_unwind(AssertUnwindSafe(work)))
}

/// The same for work that waits.
pub async fn caught_async<T>(what: &'static str, work: impl Future<Output = T>) -> Option<T> {
    logged(what, AssertUnwindSafe(work).catch_unwind().await)
}

/// The panic itself is logged by the hook of `panics`, with its place.
fn logged<T>(what: &'static str, result: Result<T, Box<dyn Any + Send>>) -> Option<T> {
    if result.is_err() {
        tracing::error!(what, "a panic was caught; nothing else is affected");
    }
    result.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_ends_or_panics_before_it_was_asked_to_stop_is_a_failure() {
        for panics in [false, true] {
            let (supervisor, stop) = (Supervisor::default(), CancellationToken::new());
            let work = async move { assert!(!panics, "provoked") };
            tokio::spawn(supervisor.part("watch", &stop, work)).await.unwrap();
            let failure = supervisor.failure().await;
            assert_eq!(failure, Failure { part: "watch", panicked: panics });
            let says = if panics { "panicked" } else { "ended by itself" };
            assert_eq!(failure.to_string(), format!("a part of the process {says}: watch"));
        }
    }

    #[tokio::test]
    async fn a_part_that_was_asked_to_stop_and_work_that_is_done_are_none() {
        let (supervisor, stop) = (Supervisor::default(), CancellationToken::new());
        let part = tokio::spawn(supervisor.part("watch", &stop, stop.clone().cancelled_owned()));
        assert_eq!(supervisor.task("owed", async { 7 }).await, Some(7));
        assert!(supervisor.failure().now_or_never().is_none());
        stop.cancel();
        assert_eq!(part.await.unwrap(), Some(()));
        assert!(supervisor.failure().now_or_never().is_none());
        assert_eq!(supervisor.task("owed", async { panic!("provoked") }).await, None::<()>);
        assert_eq!(supervisor.failure().await.part, "owed");
    }

    #[tokio::test]
    async fn the_first_failure_counts_whatever_follows_from_it() {
        let (supervisor, stop) = (Supervisor::default(), CancellationToken::new());
        std::thread::spawn(supervisor.thread("lane", &stop, || panic!("provoked"))).join().unwrap();
        supervisor.part("accept loop", &stop, async {}).await;
        assert_eq!(supervisor.failure().await, Failure { part: "lane", panicked: true });
    }

    #[tokio::test]
    async fn a_panic_over_one_object_costs_that_one() {
        let work = |number: u32| {
            move || {
                assert_ne!(number, 1, "provoked");
                number
            }
        };
        let results: Vec<_> = (0..3).map(|number| caught("number", work(number))).collect();
        assert_eq!(results, [Some(0), None, Some(2)]);
        assert_eq!(caught_async("number", async { panic!("provoked") }).await, None::<()>);
    }
}
