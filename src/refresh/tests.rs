use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::future::{BoxFuture, join_all};
use tokio::time::sleep;

use super::*;
use crate::domain::scope::ObjectKey;
use crate::process::clock::Clock;

/// What a write takes.
const WRITE: Duration = Duration::from_millis(40);

fn refresher(patcher: impl Patch + 'static, concurrency: usize) -> Refresher {
    let (tokens, metrics) = (TokenSource::new(Clock::system()), RefreshMetrics::default());
    Refresher::new(patcher, tokens, concurrency, metrics, Box::new(|_, _| {}))
}

fn targets(project: &str, count: usize) -> Vec<Target> {
    (0..count).map(|number| Target::warehouse(ObjectKey::new(project, &format!("w-{number}")))).collect()
}

fn cause() -> Cause {
    Cause::catch_up()
}

/// Panics at first, then writes.
#[derive(Default)]
struct Panicking {
    attempts: AtomicUsize,
}

impl Patch for Panicking {
    fn patch<'a>(&'a self, _: &'a Target, _: &'a str, _: &'a Cause) -> BoxFuture<'a, PatchOutcome> {
        assert!(self.attempts.fetch_add(1, Ordering::Relaxed) > 1, "as a fault in a dependency may");
        async { PatchOutcome::Written }.boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_one_attempt_only() {
    let refresher = refresher(Panicking::default(), 1);
    for waiter in refresher.request(&targets("northwind", 1), &cause()) {
        assert_eq!(waiter.await.unwrap(), PatchOutcome::Written);
    }
    assert_eq!(refresher.owed(), 0);
}

/// An API server that takes its time, counts, and may be away.
#[derive(Clone, Default)]
struct Server(Arc<Counts>);

#[derive(Default)]
struct Counts {
    begun: AtomicUsize,
    in_flight: AtomicUsize,
    most: AtomicUsize,
    is_away: AtomicBool,
}

impl Server {
    fn begun(&self) -> usize {
        self.0.begun.load(Ordering::Relaxed)
    }

    fn goes(&self, away: bool) {
        self.0.is_away.store(away, Ordering::Relaxed);
    }
}

impl Patch for Server {
    fn patch<'a>(&'a self, _: &'a Target, _: &'a str, _: &'a Cause) -> BoxFuture<'a, PatchOutcome> {
        async {
            self.0.begun.fetch_add(1, Ordering::Relaxed);
            self.0.most.fetch_max(self.0.in_flight.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            sleep(WRITE).await;
            self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
            let away = self.0.is_away.load(Ordering::Relaxed);
            if away { PatchOutcome::UNREACHABLE } else { PatchOutcome::Written }
        }
        .boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn while_ten_thousand_are_refreshed_a_push_waits_for_a_round_trip_and_not_for_the_queue() {
    let server = Server::default();
    let refresher = refresher(server.clone(), 32);
    let fan_out = refresher.request(&targets("fan-out", 10_000), &cause());
    let (start, mut pushes) = (tokio::time::Instant::now(), 0);
    while refresher.owed() > 1_000 {
        let before = server.begun();
        // Many Warehouses, none of which is paced.
        let pushed = targets(&format!("other-{}", pushes % 20), 1);
        let unfinished = refresher.refresh_within(&pushed, &cause(), Duration::from_secs(2)).await;
        assert_eq!(unfinished, []);
        // At worst: those of the round under way, of its own, and of the next before its answer is looked at.
        let begun = server.begun() - before;
        assert!(begun <= 3 * 32 + 6, "{begun} PATCHes began before it was answered");
        pushes += 1;
    }
    assert!(pushes > 50, "{pushes} pushes");
    join_all(fan_out).await;
    assert_eq!(server.begun(), 10_000 + pushes);
    assert_eq!(server.0.most.load(Ordering::Relaxed), 32);
    assert!(start.elapsed() <= WRITE * (10_000 / 32) * 12 / 10, "the fan-out took {:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_is_away_is_known_to_be_and_its_return_is_noticed_by_itself() {
    let server = Server::default();
    let refresher = refresher(server.clone(), 32);
    let deadline = Duration::from_secs(2);
    assert_eq!(refresher.refresh_within(&targets("a", 1), &cause(), deadline).await, []);
    server.goes(true);
    assert_eq!(refresher.refresh_within(&targets("a", 1), &cause(), deadline).await, targets("a", 1));
    assert!(refresher.is_away());
    let (before, outage) = (server.begun(), Duration::from_mins(10));
    let waiters = refresher.request(&targets("b", 5_000), &cause());
    sleep(outage).await;
    assert!(refresher.is_away() && refresher.owed() == 5_001);
    let probes = server.begun() - before;
    assert!((100..=1_300).contains(&probes), "{probes} attempts in ten minutes");
    server.goes(false);
    join_all(waiters).await;
    assert!(!refresher.is_away());
    assert_eq!(refresher.flush(deadline).await, 0);
}

#[tokio::test(start_paused = true)]
async fn waiters_that_gave_up_cost_nothing_during_an_outage() {
    let server = Server::default();
    let refresher = refresher(server.clone(), 32);
    server.goes(true);
    for _ in 0..1_000 {
        drop(refresher.request(&targets("a", 500), &cause()));
    }
    let waiting = refresher.shared.state.lock().schedule.waiting();
    assert!(waiting <= 500 * 16, "room for {waiting} waiters");
}

#[tokio::test(start_paused = true)]
async fn a_request_is_settled_up_to_the_begin_of_its_last_patch() {
    let settled: Arc<Mutex<HashMap<Target, Timestamp>>> = Arc::default();
    let (note, tokens) = (Arc::clone(&settled), TokenSource::new(Clock::system()));
    let note = Box::new(move |target: &Target, up_to| {
        note.lock().insert(target.clone(), up_to);
    });
    let refresher = Refresher::new(Server::default(), tokens, 1, RefreshMetrics::default(), note);
    let before = Timestamp::now();
    join_all(refresher.request(&targets("a", 3), &cause())).await;
    assert_eq!(settled.lock().len(), 3);
    assert!(settled.lock().values().all(|up_to| *up_to >= before));
}

#[tokio::test(start_paused = true)]
async fn a_recording_knows_what_was_written_since_it_began() {
    let refresher = refresher(Server::default(), 4);
    let [before, meanwhile, never] = ["a", "b", "c"].map(|project| targets(project, 1));
    join_all(refresher.request(&before, &cause())).await;
    let recording = refresher.record();
    join_all(refresher.request(&meanwhile, &cause())).await;
    assert_eq!([before, meanwhile, never].map(|target| recording.has(&target[0])), [false, true, false]);
    drop(recording);
    join_all(refresher.request(&targets("d", 1), &cause())).await;
    assert!(refresher.shared.recordings.lock().is_empty(), "what nobody wants is not kept");
}

/// Takes its time, fails at first, and keeps the causes.
#[derive(Clone, Default)]
struct Keeping(Arc<Mutex<Vec<Cause>>>);

impl Patch for Keeping {
    fn patch<'a>(&'a self, _: &'a Target, _: &'a str, cause: &'a Cause) -> BoxFuture<'a, PatchOutcome> {
        async {
            let is_first = self.0.lock().is_empty();
            self.0.lock().push(cause.clone());
            sleep(WRITE).await;
            if is_first { PatchOutcome::UNREACHABLE } else { PatchOutcome::Written }
        }
        .boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_patch_is_given_the_cause_of_the_newest_delivery_that_it_stands_for() {
    let patcher = Keeping::default();
    let refresher = refresher(patcher.clone(), 1);
    let [one, two, three, four] =
        ["d1", "d2", "d3", "d4"].map(|id| Cause::delivery(id, "northwind", "quay", "repo_push"));
    let (target, mut waiters) = (targets("a", 1), Vec::new());
    for cause in [&one, &two] {
        waiters.extend(refresher.request(&target, cause));
    }
    sleep(WRITE / 2).await;
    waiters.extend(refresher.request(&target, &three));
    waiters.extend(refresher.request(&target, &Cause::catch_up()));
    wait_for(|| patcher.0.lock().len() == 2).await;
    sleep(WRITE / 2).await;
    waiters.extend(refresher.request(&target, &four));
    join_all(waiters).await;
    assert_eq!(*patcher.0.lock(), [one, three, four]);
}

/// Lets time pass until that is so.
async fn wait_for(is_so: impl Fn() -> bool) {
    while !is_so() {
        sleep(Duration::from_millis(1)).await;
    }
}
