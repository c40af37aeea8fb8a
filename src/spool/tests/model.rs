//! Owing, settling and restarting against a map in memory.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Owe { targets: Vec<u8>, arrival: i128 },
    Settle { target: u8, up_to: i128 },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (prop::collection::vec(0..4u8, 1..4), 0..20i128).prop_map(|(targets, arrival)| Step::Owe { targets, arrival }),
        3 => (0..4u8, 0..20i128).prop_map(|(target, up_to)| Step::Settle { target, up_to }),
        1 => Just(Step::Restart),
    ]
}

fn target(number: u8) -> Target {
    let kind = if number.is_multiple_of(2) { TargetKind::Warehouse } else { TargetKind::Promotion };
    Target { kind, key: ObjectKey::new("northwind", &format!("t{}", number / 2)) }
}

async fn check(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let parent = TempDir::new().unwrap();
    let mut spool = open(parent.path()).await;
    // First and last arrival, count.
    let mut model: BTreeMap<Target, (Timestamp, Timestamp, u64)> = BTreeMap::new();
    // Settling is lazy, and covers what it was told of only after it as well until it is written.
    for step in steps.into_iter().chain([Step::Restart]) {
        match step {
            Step::Owe { targets, arrival } => {
                let (targets, arrival): (Vec<_>, _) = (targets.into_iter().map(target).collect(), at(arrival));
                spool.owe(&targets, arrival, "d").await.unwrap();
                for target in targets {
                    let (first, last, count) = model.entry(target).or_insert((arrival, arrival, 0));
                    (*first, *last, *count) = (arrival.min(*first), arrival.max(*last), *count + 1);
                }
            }
            Step::Settle { target: number, up_to } => {
                spool.settle(&target(number), at(up_to));
                model.retain(|owed, (_, last, _)| *owed != target(number) || *last > at(up_to));
                // Reading writes what waits, so that the model need not know of the delay.
                spool.owed().await.unwrap();
            }
            Step::Restart => {
                spool.close().await;
                spool = open(parent.path()).await;
                let found = spool.owed().await.unwrap().into_iter();
                let found: BTreeMap<_, _> =
                    found.map(|owed| (owed.target, (owed.first_arrival, owed.last_arrival, owed.deliveries))).collect();
                prop_assert_eq!(&found, &model);
                prop_assert_eq!(spool.counts().owed, model.len() as u64);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 10))]
    #[test]
    fn the_spool_holds_what_was_owed_and_not_settled_across_restarts(steps in prop::collection::vec(step(), 1..16)) {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(check(steps))?;
    }
}
