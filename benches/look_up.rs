//! Finding and comparing the subscribers of a push, in memory, alone and with reading the request: what a push costs
//! must not depend on how many subscriptions there are. Tables of every size get the same pushes; then such that go to
//! another Warehouse each time, which in a large table is in no cache of the processor.
#![allow(missing_docs, unreachable_pub, clippy::expect_used, clippy::print_stdout, reason = "a bench")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use http::HeaderMap;
use jiff::Timestamp;
use quayside::domain::kind::ReceiverKind;
use quayside::domain::scope::{ObjectKey, Scope};
use quayside::domain::secret::Secret;
use quayside::domain::work::Work;
use quayside::receiver::{self, Settings, implementation};
use quayside::workbench::{Labels, PushEvent, SubscriptionIndex};
use serde_json::json;

/// The operator's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// Warehouses of one project, each with one subscription to a repository of its own.
const OF_A_PROJECT: usize = 20;
const PUSHES: usize = 100_000;
/// Warehouses that are pushed to again and again.
const BUSY: usize = 1_000;
const ROUNDS: usize = 5;

fn repository(n: usize) -> String {
    format!("quay.example.com/team-{}/service-{n}", n / OF_A_PROJECT)
}

fn filled(size: usize) -> SubscriptionIndex {
    let index = SubscriptionIndex::default();
    for n in 0..size {
        let key = ObjectKey::new(&format!("team-{}", n / OF_A_PROJECT), &format!("service-{n}"));
        let image = json!({"repoURL": repository(n), "constraint": "^1.0.0", "allowTagsRegexes": [r"^\d+\.\d+\.\d+$"]});
        let spec = json!({"subscriptions": [{"image": image}]}).to_string();
        index.apply(&key, Some(1), Labels::new(), &spec);
    }
    index
}

struct Push {
    body: String,
    scope: Scope,
    events: [PushEvent; 1],
}

/// To so many of the Warehouses, which are spread over all of them.
fn pushes(size: usize, distinct: usize) -> Vec<Push> {
    let push = |push: usize| {
        let n = (push % distinct).wrapping_mul(2_654_435_761) % size;
        let body = json!({
            "repository": format!("team-{}/service-{n}", n / OF_A_PROJECT),
            "namespace": format!("team-{}", n / OF_A_PROJECT),
            "name": format!("service-{n}"), "docker_url": repository(n), "updated_tags": ["1.4.2"],
            "homepage": format!("https://quay.example.com/repository/team-{}/service-{n}", n / OF_A_PROJECT),
        });
        Push {
            body: body.to_string(),
            scope: Scope::Project(Arc::from(format!("team-{}", n / OF_A_PROJECT))),
            events: [PushEvent::new("repo_push".into(), vec![repository(n)], vec!["1.4.2".to_owned()])],
        }
    };
    (0..PUSHES).map(push).collect()
}

/// Nanoseconds for a push, the median of the rounds.
fn measured(pushes: &[Push], work: impl Fn(&Push)) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            pushes.iter().for_each(&work);
            began.elapsed().as_nanos() as f64 / PUSHES as f64
        })
        .collect();
    rounds.sort_unstable_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

fn main() {
    let (headers, settings) = (HeaderMap::new(), Settings::new(Secret::new(b"a long enough secret".to_vec())));
    let read = |push: &Push| {
        let body = push.body.as_bytes();
        let request = receiver::Request { headers: &headers, query: None, body, arrived: Timestamp::UNIX_EPOCH };
        assert!(black_box(implementation(ReceiverKind::Quay).receive(&request, &settings)).is_ok());
    };
    println!(
        "| subscriptions | pushes to | look-up and match | ratio | reading, look-up and match | ratio | to reach |"
    );
    println!("|---|---|---|---|---|---|---|");
    let tables = SIZES.map(filled);
    for distinct in [BUSY, PUSHES] {
        let mut first = None;
        for (size, index) in SIZES.into_iter().zip(&tables) {
            let pushes = pushes(size, distinct);
            let select = |push: &Push| {
                let selection = index.select(&push.scope, &push.events, &mut Work::default());
                assert_eq!(black_box(selection).warehouses.len(), 1);
            };
            let alone = measured(&pushes, select);
            let whole = measured(&pushes, |push| {
                read(push);
                select(push);
            });
            let (alone_first, whole_first) = *first.get_or_insert((alone, whole));
            let ratios = (alone / alone_first, whole / whole_first);
            let to = distinct.min(size);
            println!("| {size} | {to} | {alone:.0} ns | {:.2} | {whole:.0} ns | {:.2} | ≤ 1.5 |", ratios.0, ratios.1);
        }
    }
}
