//! Finding and comparing the subscribers of a push, in memory: what it costs must not depend on how many others there
//! are.
#![allow(missing_docs, unreachable_pub, clippy::expect_used, clippy::print_stdout, reason = "a bench")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use quayside::domain::scope::{ObjectKey, Scope};
use quayside::domain::work::Work;
use quayside::workbench::{Labels, PushEvent, SubscriptionIndex};
use serde_json::json;

const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// Warehouses of one project, each with one subscription to a repository of its own.
const OF_A_PROJECT: usize = 20;
const PUSHES: usize = 100_000;
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

/// Nanoseconds for a push, the median of the rounds. Which Warehouse is pushed to is spread over all of them.
fn measured(index: &SubscriptionIndex, size: usize) -> f64 {
    let pushes: Vec<(Scope, [PushEvent; 1])> = (0..PUSHES)
        .map(|push| {
            let n = push.wrapping_mul(2_654_435_761) % size;
            let scope = Scope::Project(Arc::from(format!("team-{}", n / OF_A_PROJECT)));
            (scope, [PushEvent::new("repo_push".into(), vec![repository(n)], vec!["1.4.2".to_owned()])])
        })
        .collect();
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            for (scope, events) in &pushes {
                let selection = index.select(scope, events, &mut Work::default());
                assert_eq!(black_box(selection).warehouses.len(), 1);
            }
            began.elapsed().as_nanos() as f64 / PUSHES as f64
        })
        .collect();
    rounds.sort_unstable_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

fn main() {
    println!("| subscriptions | look-up and match | ratio to the first | to reach |\n|---|---|---|---|");
    let mut first = None;
    for size in SIZES {
        let took = measured(&filled(size), size);
        let ratio = took / *first.get_or_insert(took);
        println!("| {size} | {took:.0} ns | {ratio:.2} | ≤ 1.5 |");
    }
}
