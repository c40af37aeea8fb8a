//! Drives one watch into one table, for as long as the process lives.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use futures::StreamExt;
use kube::runtime::WatchStreamExt;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::metrics::controller::ControllerMetrics;
use crate::process::readiness::Readiness;

/// How long one watch request lasts before the next takes over where it ended, in seconds. A connection that went silent
/// without being closed is noticed at its end, so this bounds how long a change can go unnoticed.
pub const WATCH_SECONDS: u32 = 60;

/// What a watch feeds. Calls come one at a time.
pub trait Sink<K>: Send {
    /// A complete list begins; what it does not name is gone.
    fn restart(&mut self);
    /// An object of the list, or one that was added or changed later.
    fn apply(&mut self, object: K);
    /// An object was deleted.
    fn delete(&mut self, object: K);
    /// The list is complete.
    fn synced(&mut self);
    /// The kind does not exist on this API server.
    fn absent(&mut self) {}
}

/// Watches until `stop` is cancelled. After an error it backs off and resumes; the tables keep what they hold.
pub async fn drive<K, S>(
    api: Api<K>,
    resource: &'static str,
    mut sink: S,
    metrics: &ControllerMetrics,
    readiness: &Readiness,
    stop: CancellationToken,
) where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
    S: Sink<K>,
{
    let events = watcher(api, watcher::Config::default().timeout(WATCH_SECONDS)).backoff(Pauses::new());
    let mut events = std::pin::pin!(events.take_until(stop.cancelled_owned()));
    while let Some(event) = events.next().await {
        if is_answer(&event) {
            readiness.hear();
        }
        match event {
            Ok(Event::Init) => sink.restart(),
            Ok(Event::InitApply(object) | Event::Apply(object)) => sink.apply(object),
            Ok(Event::Delete(object)) => sink.delete(object),
            Ok(Event::InitDone) => {
                tracing::info!(resource, "list complete, watching");
                sink.synced();
            }
            Err(error) => {
                metrics.watch_restarted(resource);
                if is_not_found(&error) {
                    tracing::warn!(resource, "the API server does not know this kind; is its CRD installed?");
                    sink.absent();
                } else {
                    tracing::warn!(resource, reason = %reason(&error), "watch interrupted, will be resumed");
                }
            }
        }
    }
}

/// Pauses between attempts to resume: doubling and short, because what happens meanwhile goes unnoticed.
///
/// A watch that begins anew says so before its list has come, so only time tells whether it holds.
struct Pauses {
    next: Duration,
    /// When the last pause was asked for.
    last: Option<Instant>,
    spread: RandomState,
}

impl Pauses {
    const FIRST: Duration = Duration::from_millis(200);
    const LONGEST: Duration = Duration::from_secs(5);
    /// A watch that held for so long begins anew with the shortest pause.
    const FORGET_AFTER: Duration = Duration::from_secs(60);

    fn new() -> Self {
        Self { next: Self::FIRST, last: None, spread: RandomState::new() }
    }
}

impl Iterator for Pauses {
    type Item = Duration;

    /// Spread by up to a quarter, so that replicas do not come back in step.
    fn next(&mut self) -> Option<Duration> {
        let now = Instant::now();
        if self.last.replace(now).is_some_and(|last| now.duration_since(last) > Self::FORGET_AFTER) {
            self.next = Self::FIRST;
        }
        let pause = self.next;
        self.next = (pause * 2).min(Self::LONGEST);
        let share = u32::try_from(self.spread.hash_one(pause) % 25).unwrap_or_default();
        Some(pause + pause * share / 100)
    }
}

impl Backoff for Pauses {
    /// Called after every event, also that of a list which then fails, so it must not forget anything.
    fn reset(&mut self) {}
}

/// Whether the API server has said something of use; a list that begins is our own doing. That it cannot serve, or not now,
/// says as much as silence.
fn is_answer<K>(event: &watcher::Result<Event<K>>) -> bool {
    match event {
        Ok(event) => !matches!(event, Event::Init),
        Err(watcher::Error::WatchError(_)) => true,
        Err(watcher::Error::InitialListFailed(kube::Error::Api(status))) => status.code != 429 && status.code < 500,
        Err(_) => false,
    }
}

fn is_not_found(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::InitialListFailed(kube::Error::Api(status)) if status.code == 404)
}

/// What happened, in one line. A decoding error is named only, because its text may quote an object.
fn reason(error: &watcher::Error) -> String {
    let cause = match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => error,
        watcher::Error::WatchError(status) => return format!("{} ({})", status.message, status.code),
        watcher::Error::NoResourceVersion => return error.to_string(),
    };
    match cause {
        kube::Error::Api(status) => format!("{} ({})", status.message, status.code),
        kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => "an answer could not be decoded".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_although_each_attempt_begins_well_and_are_short_again_after_a_while() {
        let mut pauses = Pauses::new();
        let mut taken = Vec::new();
        for _ in 0..8 {
            let pause = pauses.next().unwrap();
            taken.push(pause);
            tokio::time::sleep(pause).await;
            // The watch begins anew, before its list fails.
            pauses.reset();
        }
        assert!(taken.windows(2).take(4).all(|pair| pair[0] < pair[1]), "{taken:?}");
        assert!(taken.iter().all(|pause| *pause <= Pauses::LONGEST * 5 / 4), "{taken:?}");
        tokio::time::sleep(Pauses::FORGET_AFTER * 2).await;
        assert!(pauses.next().unwrap() < Pauses::FIRST * 2);
    }
}
