//! Drives one watch into one table, for as long as the process lives.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, RandomState};
use std::time::Duration;

use futures::StreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::metrics::controller::ControllerMetrics;
use crate::process::readiness::Readiness;
use crate::process::supervisor::caught;

/// How long one watch request lasts before the next takes over where it ended, in seconds. A connection that went
/// silent without being closed is noticed at its end, so this bounds how long a change can go unnoticed.
pub const WATCH_SECONDS: u32 = 60;

/// What a watch feeds. Calls come one at a time.
pub trait Sink<K>: Send {
    /// What names an object.
    type Key: Eq + Hash + Send;

    /// Names an object; `None` for one that counts for nothing.
    fn key(&self, object: &K) -> Option<Self::Key>;
    /// Everything that the sink holds. What a complete list then does not name is removed.
    fn keys(&self) -> HashSet<Self::Key>;
    /// A complete list begins.
    fn listing(&mut self) {}
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
    /// Whether to give up when the API server does not allow the list.
    fn gives_up_forbidden(&self) -> bool {
        false
    }
}

/// Watches until `stop` is cancelled. A watch that held and was cut resumes at once, because load balancers close quiet
/// connections all day; after a failed attempt there is a pause. Meanwhile the tables keep what they hold. `fields`
/// narrows the watch down. Ends before only where the sink gives up.
pub async fn drive<K, S>(
    api: Api<K>,
    fields: Option<&str>,
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
    let (mut pauses, mut complaints) = (Pauses::new(), Complaints { resource, last: None });
    let mut config = watcher::Config::default().timeout(WATCH_SECONDS);
    config.field_selector = fields.map(str::to_owned);
    let events = watcher(api, config);
    let mut events = std::pin::pin!(events.take_until(stop.clone().cancelled_owned()));
    while let Some(event) = events.next().await {
        if is_answer(&event) {
            readiness.hear();
        }
        match event {
            Ok(event) => {
                if matches!(event, Event::InitDone) {
                    tracing::info!(resource, "list complete, watching");
                    complaints.last = None;
                }
                feed.take(event);
            }
            Err(error) => {
                metrics.watch_restarted(resource);
                if is_refused(&error, 403) && feed.sink.gives_up_forbidden() {
                    return;
                }
                let pause = pauses.after(&error);
                if is_refused(&error, 404) {
                    complaints.log("the API server does not know this kind; is its CRD installed?", "");
                    feed.absent();
                } else if pause.is_some() {
                    complaints.log("watch interrupted, will be resumed", &reason(&error));
                } else {
                    tracing::debug!(resource, "watch was cut and resumes at once");
                }
                if let Some(pause) = pause {
                    stop.run_until_cancelled(tokio::time::sleep(pause)).await;
                }
                pauses.begin();
            }
        }
    }
}

/// Logs what is wrong with a watch once, and again when that changes or after it was well.
struct Complaints {
    resource: &'static str,
    last: Option<(&'static str, String)>,
}

impl Complaints {
    fn log(&mut self, message: &'static str, reason: &str) {
        let resource = self.resource;
        if self.is_news(message, reason) {
            tracing::warn!(resource, reason, "{message}");
        } else {
            tracing::debug!(resource, reason, "{message}");
        }
    }

    fn is_news(&mut self, message: &'static str, reason: &str) -> bool {
        if self.last.as_ref().is_some_and(|last| last.0 == message && last.1 == reason) {
            return false;
        }
        self.last = Some((message, reason.to_owned()));
        true
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
            Event::Init => {
                self.unseen = self.sink.keys();
                self.sink.listing();
            }
            Event::InitApply(object) | Event::Apply(object) => {
                if let Some(key) = self.sink.key(&object) {
                    self.unseen.remove(&key);
                    caught("an object of a watch", || self.sink.apply(key, object));
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
struct Pauses {
    next: Duration,
    /// When the running attempt began.
    begun: Instant,
    spread: RandomState,
}

impl Pauses {
    const FIRST: Duration = Duration::from_millis(200);
    const LONGEST: Duration = Duration::from_secs(5);
    /// A watch that held for so long was not refused. It bounds how often one resumes that is always cut.
    const HELD: Duration = Duration::from_millis(500);
    /// A right that is missing is not soon granted, and there may be many that miss it.
    const FORBIDDEN: Duration = Duration::from_secs(30);
    /// After so long without an error, the failures before it no longer count.
    const FORGET_AFTER: Duration = Duration::from_secs(60);

    fn new() -> Self {
        Self { next: Self::FIRST, begun: Instant::now(), spread: RandomState::new() }
    }

    /// An attempt begins.
    fn begin(&mut self) {
        self.begun = Instant::now();
    }

    /// How long to wait after an error; `None` when the watch was established and held.
    fn after(&mut self, error: &watcher::Error) -> Option<Duration> {
        let held = self.begun.elapsed();
        if matches!(error, watcher::Error::WatchFailed(_)) && held >= Self::HELD {
            self.next = Self::FIRST;
            return None;
        }
        if held >= Self::FORGET_AFTER {
            self.next = Self::FIRST;
        }
        let pause = if is_refused(error, 403) { Self::FORBIDDEN } else { self.next };
        self.next = (self.next * 2).min(Self::LONGEST);
        // Spread by up to a quarter, so that replicas do not come back in step.
        let share = u32::try_from(self.spread.hash_one(pause) % 25).unwrap_or_default();
        Some(pause + pause * share / 100)
    }
}

/// Whether the API server has said something of use; a list that begins is our own doing. That it cannot serve, or not
/// now, says as much as silence.
fn is_answer<K>(event: &watcher::Result<Event<K>>) -> bool {
    match event {
        Ok(event) => !matches!(event, Event::Init),
        Err(watcher::Error::WatchError(_)) => true,
        Err(watcher::Error::InitialListFailed(kube::Error::Api(status))) => status.code != 429 && status.code < 500,
        Err(_) => false,
    }
}

/// Whether the API server answered the list with this code.
fn is_refused(error: &watcher::Error, code: u16) -> bool {
    matches!(error, watcher::Error::InitialListFailed(kube::Error::Api(status)) if status.code == code)
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

    const POISON: u32 = 13;

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
            assert_ne!(number, POISON, "provoked");
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
    fn an_object_that_makes_its_sink_panic_costs_itself_only() {
        let list = vec![Event::Init, Event::InitApply(("a", POISON)), Event::InitApply(("b", 1)), Event::InitDone];
        let feed = fed(false, list);
        assert_eq!((feed.sink.held, feed.sink.lists), (BTreeMap::from([("b", 1)]), 1));
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

    #[test]
    fn what_is_wrong_with_a_watch_is_news_once_and_again_when_it_changes_or_after_it_was_well() {
        let mut complaints = Complaints { resource: "promotions", last: None };
        let mut is_news = |reason: &str| complaints.is_news("watch interrupted", reason);
        assert_eq!(["a", "a", "b", "b", "a"].map(&mut is_news), [true, false, true, false, true]);
        complaints.last = None;
        assert!(complaints.is_news("watch interrupted", "a"));
    }

    fn failed() -> watcher::Error {
        watcher::Error::InitialListFailed(kube::Error::LinesCodecMaxLineLengthExceeded)
    }

    fn cut() -> watcher::Error {
        watcher::Error::WatchFailed(kube::Error::LinesCodecMaxLineLengthExceeded)
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_that_fail_back_off_however_long_each_takes() {
        let mut pauses = Pauses::new();
        let mut taken = Vec::new();
        for _ in 0..8 {
            pauses.begin();
            tokio::time::sleep(Duration::from_secs(10)).await;
            taken.push(pauses.after(&failed()).unwrap());
        }
        assert!(taken.windows(2).take(4).all(|pair| pair[0] < pair[1]), "{taken:?}");
        assert!(taken.iter().all(|pause| *pause <= Pauses::LONGEST * 5 / 4), "{taken:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_held_resumes_at_once_and_one_that_is_cut_at_once_backs_off() {
        let mut pauses = Pauses::new();
        while pauses.after(&failed()).unwrap() < Pauses::LONGEST {}
        for _ in 0..5 {
            pauses.begin();
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(pauses.after(&cut()), None);
        }
        pauses.begin();
        let first = pauses.after(&cut()).unwrap();
        assert!(first < Pauses::FIRST * 2, "a watch that held forgets the failures before it: {first:?}");
        assert!(pauses.after(&cut()).unwrap() > first);
    }
}
