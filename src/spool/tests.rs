//! The spool through its handle, on a real file.

mod faults;
mod model;

use std::path::{Path, PathBuf};
use std::task::Poll;

use bytes::Bytes;
use futures::future::join_all;
use http::{HeaderMap, HeaderName, HeaderValue};
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::*;
use crate::domain::scope::ObjectKey;
use crate::domain::target::TargetKind;

fn warehouse(name: &str) -> Target {
    Target { kind: TargetKind::Warehouse, key: ObjectKey::new("northwind", name) }
}

fn at(nanosecond: i128) -> Timestamp {
    Timestamp::from_nanosecond(1_790_000_000_000_000_000 + nanosecond).unwrap()
}

fn request(id: &str, body: Vec<u8>) -> TakenIn {
    let header = |name, value| (HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
    TakenIn {
        arrival: at(7),
        delivery_id: id.to_owned(),
        path_and_query: Zeroizing::new("/webhooks/quay/0a1b?token=t%20t".to_owned()),
        headers: HeaderMap::from_iter([
            header("x-b", b"1".as_slice()),
            header("x-a", b"\xff\xfe"),
            header("authorization", b"Basic Zm9v"),
        ]),
        body: Bytes::from(body),
    }
}

/// Patient with a machine that has other things to do.
fn limits() -> Limits {
    Limits { write_timeout: Duration::from_secs(60), ..Limits::default() }
}

async fn open(parent: &Path) -> Spool {
    open_with(parent, limits(), &SpoolMetrics::default()).await
}

async fn open_with(parent: &Path, limits: Limits, metrics: &SpoolMetrics) -> Spool {
    // A handle that was dropped gives the directory back a moment later.
    loop {
        match Spool::open(parent.to_owned(), limits, Clock::system(), metrics.clone()).await {
            Err(OpenError::Locked { .. }) => tokio::task::yield_now().await,
            opened => return opened.unwrap(),
        }
    }
}

fn store_file(parent: &Path) -> PathBuf {
    parent.join("spool/spool.redb")
}

async fn owed_targets(spool: &Spool) -> Vec<Target> {
    spool.owed().await.unwrap().into_iter().map(|owed| owed.target).collect()
}

async fn until(condition: impl Fn() -> bool) {
    let met = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), met).await.expect("the condition holds in time");
}

/// A handle whose worker has not begun, and what begins it.
fn idle(limits: Limits, metrics: &SpoolMetrics) -> (Spool, impl FnOnce(&Path)) {
    let queue = Arc::new(Queue::default());
    let (loss, losses) = watch::channel(0);
    let elsewhere = TempDir::new().unwrap();
    let known = KnownPaths::load(Directory::prepare(elsewhere.path()).unwrap().folder()).unwrap();
    let handle = Handle { queue: Arc::clone(&queue), limits, metrics: metrics.clone(), losses, known };
    let metrics = metrics.clone();
    let begin = move |parent: &Path| {
        let store = Store::new(Directory::prepare(parent).unwrap(), Clock::system(), metrics.clone(), loss);
        std::thread::spawn(move || Worker::new(queue, store, limits.reserve, metrics).run());
    };
    (Spool(Arc::new(handle)), begin)
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let parent = TempDir::new().unwrap();
    let spool = open(parent.path()).await;
    let promotion = Target { kind: TargetKind::Promotion, key: ObjectKey::new("northwind", "storefront") };
    spool.owe(&[warehouse("storefront"), promotion.clone()], at(5), "d1").await.unwrap();
    spool.owe(&[warehouse("storefront")], at(9), "d2").await.unwrap();
    spool.take_in(request("d3", b"{\"a\":1}".to_vec())).await.unwrap();
    spool.close().await;

    let spool = open(parent.path()).await;
    let owed = |target, last, deliveries, ids: &[&str]| Owed {
        target,
        first_arrival: at(5),
        last_arrival: at(last),
        deliveries,
        delivery_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
    };
    let expected = [owed(promotion, 5, 1, &["d1"]), owed(warehouse("storefront"), 9, 2, &["d1", "d2"])];
    assert_eq!(spool.owed().await.unwrap(), expected);
    let page = spool.taken_in(None).await.unwrap();
    let [(id, taken)] = &page[..] else { panic!("one request") };
    let expected = request("d3", b"{\"a\":1}".to_vec());
    assert_eq!((taken.arrival, &taken.delivery_id), (expected.arrival, &expected.delivery_id));
    assert_eq!((taken.path(), taken.query()), ("/webhooks/quay/0a1b", Some("token=t%20t")));
    assert_eq!((&taken.headers, &taken.body), (&expected.headers, &expected.body));
    let stored = Counts { owed: 2, intake: expected.tally() };
    assert_eq!(spool.counts(), stored);
    assert_eq!(*spool.losses().borrow(), 0);

    spool.done(*id);
    spool.close().await;
    let spool = open(parent.path()).await;
    assert!(spool.taken_in(None).await.unwrap().is_empty());
    assert_eq!(spool.counts(), Counts { owed: 2, intake: Tally::default() });
}

#[tokio::test]
async fn callers_who_wait_at_the_same_time_share_one_transaction() {
    let parent = TempDir::new().unwrap();
    let metrics = SpoolMetrics::default();
    let (spool, begin) = idle(limits(), &metrics);
    let names: Vec<_> = (0..64).map(|n| (warehouse(&format!("w{}", n % 50)), format!("d{n}"))).collect();
    let owing = join_all(names.iter().map(|(target, id)| spool.owe(std::slice::from_ref(target), at(1), id)));
    let taking_in = join_all((0..64).map(|n| spool.take_in(request(&format!("r{n}"), vec![0; n]))));
    let mut all = Box::pin(async { futures::join!(owing, taking_in) });
    assert!(matches!(futures::poll!(&mut all), Poll::Pending));

    begin(parent.path());
    let (owed, taken_in) = all.await;
    assert!(owed.iter().all(Result::is_ok));
    assert!(taken_in.iter().map(|id| id.clone().unwrap()).is_sorted_by(|a, b| a < b), "each has its own id");
    assert_eq!(metrics.commits(), 1);
    assert_eq!((spool.counts().owed, spool.counts().intake.requests), (50, 64));
}

#[tokio::test]
async fn an_entry_stays_while_something_newer_arrived_than_the_refresh_covers() {
    let parent = TempDir::new().unwrap();
    let spool = open(parent.path()).await;
    let both = [warehouse("a"), warehouse("b")];
    spool.owe(&both, at(10), "d1").await.unwrap();
    spool.owe(&both[1..], at(12), "d2").await.unwrap();
    for target in &both {
        spool.settle(target, at(11));
        // An older one that is heard of later takes nothing back.
        spool.settle(target, at(3));
    }
    assert_eq!(owed_targets(&spool).await, [warehouse("b")]);
    spool.settle(&both[1], at(12));
    assert!(owed_targets(&spool).await.is_empty());
}

#[tokio::test]
async fn a_settlement_covers_what_was_owed_before_it_and_nothing_that_is_owed_after_it() {
    let parent = TempDir::new().unwrap();
    let metrics = SpoolMetrics::default();
    let (spool, begin) = idle(limits(), &metrics);
    let (a, b) = ([warehouse("a")], [warehouse("a"), warehouse("b")]);
    // All of it in one transaction, as on a slow disk.
    let mut before = Box::pin(spool.owe(&b, at(1), "d1"));
    assert!(futures::poll!(&mut before).is_pending());
    spool.settle(&a[0], Timestamp::MAX);
    let mut after = Box::pin(spool.owe(&a, at(2), "d2"));
    assert!(futures::poll!(&mut after).is_pending());
    begin(parent.path());
    before.await.unwrap();
    after.await.unwrap();
    assert_eq!(metrics.commits(), 1);
    let owed = spool.owed().await.unwrap();
    let owed: Vec<_> = owed.iter().map(|owed| (&owed.target, owed.first_arrival, owed.deliveries)).collect();
    assert_eq!(owed, [(&b[0], at(2), 1), (&b[1], at(1), 1)]);

    spool.settle(&a[0], Timestamp::MAX);
    spool.owe(&a, at(3), "d3").await.unwrap();
    assert_eq!(owed_targets(&spool).await, b, "it waited for company, and this is owed after it");
}

#[tokio::test]
async fn removals_reach_the_disk_by_themselves_and_cost_nothing_where_nothing_is_owed() {
    let parent = TempDir::new().unwrap();
    let metrics = SpoolMetrics::default();
    let spool = open_with(parent.path(), limits(), &metrics).await;
    spool.owe(&[warehouse("a")], at(1), "d1").await.unwrap();
    let id = spool.take_in(request("d2", vec![])).await.unwrap();
    spool.settle(&warehouse("a"), at(1));
    spool.done(id);
    until(|| spool.counts() == Counts::default()).await;
    assert_eq!(metrics.commits(), 3);
    assert_eq!((metrics.owed.get(), metrics.intake_requests.get(), metrics.intake_bytes.get()), (0, 0, 0));

    spool.settle(&warehouse("b"), at(1));
    spool.done(id);
    spool.close().await;
    assert_eq!(metrics.commits(), 3, "nothing was written");
}

#[tokio::test]
async fn the_intake_is_bounded_in_number_and_in_bytes() {
    let parent = TempDir::new().unwrap();
    let metrics = SpoolMetrics::default();
    let small = request("d", vec![]).tally().bytes;
    let bound = |requests, bytes| Limits { intake: Tally { requests, bytes }, ..limits() };

    let spool = open_with(parent.path(), bound(3, u64::MAX), &metrics).await;
    // At once, so that those which wait must be counted too.
    let outcomes = join_all((0..5).map(|n| spool.take_in(request(&format!("d{n}"), vec![])))).await;
    let accepted: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok().copied()).collect();
    assert_eq!(accepted.len(), 3);
    assert!(outcomes[3..].iter().all(|outcome| *outcome == Err(SpoolError::IntakeFull)));
    assert_eq!(metrics.failures("intake_full"), 2);
    spool.done(accepted[0]);
    until(|| spool.counts().intake.requests == 2).await;
    spool.take_in(request("d5", vec![])).await.unwrap();
    spool.close().await;

    let spool = open_with(parent.path(), bound(100, 5 * small), &metrics).await;
    assert_eq!(spool.counts().intake, Tally { requests: 3, bytes: 3 * small }, "counted again at the start");
    assert_eq!(spool.take_in(request("big", vec![0; 4096])).await, Err(SpoolError::IntakeFull));
    spool.take_in(request("d6", vec![])).await.unwrap();
    spool.take_in(request("d7", vec![])).await.unwrap();
    assert_eq!(spool.take_in(request("d8", vec![])).await, Err(SpoolError::IntakeFull));
    // Owed refreshes have room nevertheless.
    spool.owe(&[warehouse("a")], at(1), "d9").await.unwrap();
}

#[tokio::test]
async fn requests_come_back_oldest_first_and_page_by_page() {
    let parent = TempDir::new().unwrap();
    let spool = open(parent.path()).await;
    let expected: Vec<_> = (0..150).map(|n| format!("d{n:03}")).collect();
    join_all(expected.iter().map(|id| spool.take_in(request(id, vec![])))).await;
    let big = [vec![1; 2_000_000], vec![2; 2_000_000], vec![3; 2_000_000]];
    for body in big.clone() {
        spool.take_in(request("big", body)).await.unwrap();
    }

    let (mut after, mut seen, mut pages) = (None, Vec::new(), Vec::new());
    loop {
        let page = spool.taken_in(after).await.unwrap();
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        pages.push(page.len());
        for (id, taken) in page {
            seen.push((taken.delivery_id, taken.body.first().copied()));
            spool.done(id);
        }
    }
    let expected = expected.into_iter().map(|id| (id, None));
    let big = big.iter().map(|body| ("big".to_owned(), Some(body[0])));
    assert!(seen.iter().cloned().eq(expected.chain(big)), "{seen:?}");
    assert_eq!(pages, [64, 64, 24, 1], "64 requests or 4 MiB at a time");
    assert!(spool.taken_in(None).await.unwrap().is_empty());
    assert_eq!(spool.counts(), Counts::default());
}

#[tokio::test]
async fn a_second_spool_in_the_same_directory_is_refused() {
    let parent = TempDir::new().unwrap();
    let spool = open(parent.path()).await;
    let second = Spool::open(parent.path().to_owned(), limits(), Clock::system(), SpoolMetrics::default()).await;
    assert!(matches!(second.err().unwrap(), OpenError::Locked { .. }));
    spool.close().await;
    open(parent.path()).await;
}

#[tokio::test]
async fn calls_are_refused_once_it_is_closed() {
    let parent = TempDir::new().unwrap();
    let metrics = SpoolMetrics::default();
    let spool = open_with(parent.path(), limits(), &metrics).await;
    spool.close().await;
    assert_eq!(spool.owe(&[warehouse("a")], at(1), "d1").await, Err(SpoolError::Closed));
    assert_eq!(spool.owed().await, Err(SpoolError::Closed));
    assert_eq!(metrics.failures("closed"), 2);
    spool.close().await;
}

#[tokio::test]
async fn a_disk_that_hangs_keeps_nobody_waiting_for_ever() {
    let metrics = SpoolMetrics::default();
    let limits = Limits { write_timeout: Duration::from_millis(10), ..limits() };
    let (spool, _never) = idle(limits, &metrics);
    let target = [warehouse("a")];
    assert_eq!(spool.owe(&target, at(1), "d1").await, Err(SpoolError::TimedOut));
    assert_eq!(metrics.failures("timeout"), 1);

    let mut full = Vec::new();
    while metrics.failures("busy") == 0 {
        let mut owing = Box::pin(spool.owe(&target, at(1), "d"));
        match futures::poll!(&mut owing) {
            Poll::Pending => full.push(owing),
            Poll::Ready(outcome) => assert_eq!(outcome, Err(SpoolError::Busy)),
        }
        assert!(full.len() < 10_000, "what waits is bounded");
    }
}

#[tokio::test]
async fn once_the_last_request_is_run_the_file_holds_nothing_of_any_and_what_is_owed_stays() {
    let parent = TempDir::new().unwrap();
    let spool = open(parent.path()).await;
    spool.owe(&[warehouse("a")], at(1), "d1").await.unwrap();
    let mut ids = Vec::new();
    for number in 0..20 {
        ids.push(spool.take_in(request(&format!("d{number}"), b"a credential".repeat(1000))).await.unwrap());
    }
    let holds = || {
        let file = std::fs::read(parent.path().join("spool/spool.redb")).unwrap();
        ["a credential", "Basic Zm9v", "token=t"].iter().any(|text| memmem(&file, text.as_bytes()))
    };
    assert!(holds());
    for id in ids {
        spool.done(id);
    }
    until(|| spool.counts().intake.requests == 0).await;
    until(|| !holds()).await;
    let owed: Vec<_> = spool.owed().await.unwrap().into_iter().map(|owed| (owed.target, owed.deliveries)).collect();
    assert_eq!(owed, [(warehouse("a"), 1)]);
    spool.owe(&[warehouse("b")], at(2), "d2").await.unwrap();
    spool.take_in(request("last", vec![])).await.unwrap();
    spool.close().await;
    let spool = open(parent.path()).await;
    assert_eq!((spool.counts().owed, spool.counts().intake.requests), (2, 1));
}

fn memmem(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[tokio::test]
async fn large_requests_leave_half_of_the_room_to_small_ones() {
    let parent = TempDir::new().unwrap();
    let large = || request("large", vec![0; 2 * 1024 * 1024]);
    let intake = Tally { requests: 100, bytes: 4 * large().tally().bytes };
    let spool = open_with(parent.path(), Limits { intake, ..limits() }, &SpoolMetrics::default()).await;
    spool.take_in(large()).await.unwrap();
    spool.take_in(large()).await.unwrap();
    assert_eq!(spool.take_in(large()).await, Err(SpoolError::IntakeFull));
    spool.take_in(request("small", vec![0; 1024])).await.unwrap();
}

#[tokio::test]
async fn paths_are_remembered_and_the_disk_does_not_tell_which() {
    let parent = TempDir::new().unwrap();
    let spool = open(parent.path()).await;
    let path = |text: &str| Zeroizing::new(text.to_owned());
    assert_eq!(spool.knows("/quay/a"), None);
    spool.remember(vec![path("/quay/a"), path("/quay/b")], Keep::Old).await.unwrap();
    assert_eq!(spool.knows("/quay/a"), None, "some are missing, and nobody knows which");
    spool.remember(vec![path("/quay/a"), path("/quay/b")], Keep::Nothing).await.unwrap();
    spool.remember(vec![], Keep::Old).await.unwrap();
    assert_eq!(spool.knows("/quay/b"), Some(true));
    spool.remember(vec![path("/quay/a"), path("/quay/c")], Keep::Nothing).await.unwrap();
    let id = spool.id();
    spool.close().await;
    let known = std::fs::read(parent.path().join("spool/known")).unwrap();
    assert_eq!(known.len(), 2 * 16);
    let spool = open(parent.path()).await;
    assert_eq!(["/quay/a", "/quay/b", "/quay/c"].map(|path| spool.knows(path)), [Some(true), Some(false), Some(true)]);
    assert_eq!(spool.id(), id, "the next process goes on with its note in the Lease");
    spool.close().await;
    std::fs::remove_file(parent.path().join("spool/key")).unwrap();
    let spool = open(parent.path()).await;
    assert_eq!(spool.knows("/quay/a"), None, "of another key nothing is known");
}

#[tokio::test]
async fn the_first_folder_that_can_be_used_is_taken_else_a_temporary_one() {
    let parent = TempDir::new().unwrap();
    let file = parent.path().join("file");
    std::fs::write(&file, "").unwrap();
    let at = async |place| Spool::open_at(place, limits(), Clock::system(), SpoolMetrics::default()).await;
    assert!(at(Place::Nowhere).await.unwrap().is_none());
    assert!(at(Place::At(file.clone())).await.is_err(), "what was asked for must work");
    let good = parent.path().join("good");
    let spool = at(Place::FirstOf(vec![file.clone(), good.clone()])).await.unwrap().unwrap();
    assert!(good.join("spool/key").is_file());
    let other = at(Place::FirstOf(vec![good])).await.unwrap().unwrap();
    assert_ne!(spool.id(), other.id(), "two processes on one machine share no folder");
}
