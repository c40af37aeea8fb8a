//! Drives one watch into one table, for as long as the process lives.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, RandomState};
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
    /// What names an object.
    type Key: Eq + Hash + Send;

    /// Names an object; `None` for one that counts for nothing.
    fn key(&self, object: &K) -> Option<Self::Key>;
    /// Everything that the sink holds. What a complete list then does not name is removed.
    fn keys(&self) -> HashSet<Self::Key>;
    /// An object of the list, or one that was added or changed later.
    fn apply(&mut self, key: Self::Key, object: K);
    /// An object was deleted.
    fn remove(&mut self, key: Self::Key);
    /// The list is complete.
    fn synced(&mut self);
    /// Whether a cluster that does not have the kind is one without such objects.
    fn is_optional(&self) -> bool {
        false
    }
}

/// Watches until `stop` is cancelled. After an error it backs off and resumes; the tables keep what they hold.
pub async fn drive<K, S>(
    api: Api<K>,
    resource: &'static str,
    sink: S,
    metrics: &ControllerMetrics,
    readiness: &Readiness,
    stop: CancellationToken,
) where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
    S: Sink<K>,
{
    let mut feed = Feed { sink, unseen: HashSet::new() };
    let events = watcher(api, watcher::Config::default().timeout(WATCH_SECONDS)).backoff(Pauses::new());
    let mut events = std::pin::pin!(events.take_until(stop.cancelled_owned()));
    while let Some(event) = events.next().await {
        if is_answer(&event) {
            readiness.hear();
        }
        match event {
            Ok(event) => {
                if matches!(event, Event::InitDone) {
                    tracing::info!(resource, "list complete, watching");
                }
                feed.take(event);
            }
            Err(error) => {
                metrics.watch_restarted(resource);
                if is_not_found(&error) {
                    tracing::warn!(resource, "the API server does not know this kind; is its CRD installed?");
                    feed.absent();
                } else {
                    tracing::warn!(resource, reason = %reason(&error), "watch interrupted, will be resumed");
                }
            }
        }
    }
}

/// Hands the events of a watch to its sink.
struct Feed<K, S: Sink<K>> {
    sink: S,
    /// What a running list has not named yet.
    unseen: HashSet<S::Key>,
}

impl<K, S: Sink<K>> Feed<K, S> {
    fn take(&mut self, event: Event<K>) {
        match event {
            Event::Init => self.unseen = self.sink.keys(),
            Event::InitApply(object) | Event::Apply(object) => {
                if let Some(key) = self.sink.key(&object) {
                    self.unseen.remove(&key);
                    self.sink.apply(key, object);
                }
            }
            Event::Delete(object) => {
                if let Some(key) = self.sink.key(&object) {
                    self.sink.remove(key);
                }
            }
            Event::InitDone => {
                std::mem::take(&mut self.unseen).into_iter().for_each(|key| self.sink.remove(key));
                self.sink.synced();
            }
        }
    }

    /// The kind does not exist on this API server.
    fn absent(&mut self) {
        if self.sink.is_optional() {
            self.take(Event::Init);
            self.take(Event::InitDone);
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
    use std::collections::BTreeMap;

    use super::*;

    /// Holds numbers by name; names that begin with `_` count for nothing.
    #[derive(Default)]
    struct Numbers {
        held: BTreeMap<&'static str, u32>,
        lists: u32,
        is_optional: bool,
    }

    impl Sink<(&'static str, u32)> for Numbers {
        type Key = &'static str;

        fn key(&self, (name, _): &(&'static str, u32)) -> Option<&'static str> {
            (!name.starts_with('_')).then_some(*name)
        }
        fn keys(&self) -> HashSet<&'static str> {
            self.held.keys().copied().collect()
        }
        fn apply(&mut self, key: &'static str, (_, number): (&'static str, u32)) {
            self.held.insert(key, number);
        }
        fn remove(&mut self, key: &'static str) {
            self.held.remove(key);
        }
        fn synced(&mut self) {
            self.lists += 1;
        }
        fn is_optional(&self) -> bool {
            self.is_optional
        }
    }

    fn fed(is_optional: bool, events: Vec<Event<(&'static str, u32)>>) -> Feed<(&'static str, u32), Numbers> {
        let mut feed = Feed { sink: Numbers { is_optional, ..Numbers::default() }, unseen: HashSet::new() };
        events.into_iter().for_each(|event| feed.take(event));
        feed
    }

    #[test]
    fn what_a_complete_list_does_not_name_is_gone() {
        let (first, changed) = (Event::Apply(("a", 1)), Event::Apply(("b", 1)));
        let list = [Event::Init, Event::InitApply(("b", 2)), Event::InitApply(("_c", 2))];
        let mut feed = fed(false, [first, changed].into_iter().chain(list).collect());
        assert_eq!(feed.sink.held, BTreeMap::from([("a", 1), ("b", 2)]), "a list that has not ended removes nothing");
        feed.take(Event::InitDone);
        assert_eq!((feed.sink.held.clone(), feed.sink.lists), (BTreeMap::from([("b", 2)]), 1));
        feed.take(Event::Delete(("b", 2)));
        assert!(feed.sink.held.is_empty());
    }

    #[test]
    fn a_list_that_begins_again_before_it_ended_forgets_what_it_had_named() {
        let begun = vec![Event::Apply(("a", 1)), Event::Init, Event::InitApply(("a", 2)), Event::Init, Event::InitDone];
        assert!(fed(false, begun).sink.held.is_empty());
    }

    #[test]
    fn a_kind_that_does_not_exist_empties_a_sink_only_where_it_is_optional() {
        for is_optional in [true, false] {
            let mut feed = fed(is_optional, vec![Event::Apply(("a", 1))]);
            feed.absent();
            let (held, lists) = (feed.sink.held.len(), feed.sink.lists);
            assert_eq!((held, lists), if is_optional { (0, 1) } else { (1, 0) });
        }
    }

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
