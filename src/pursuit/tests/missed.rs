//! Looks of Kargo that a replica missed because its watch was interrupted, or because it started during one.

use super::super::Outcome;
use super::world::{Act, minutes};
use super::{PUSH, all_setups, outcomes, run};

#[test]
fn a_look_that_its_watch_missed_is_asked_for_by_the_replica_whose_push_waits() {
    let on = |replica| Act::Push { replica, listed_after: 0, known: false };
    for setup in all_setups(2) {
        for breaks in (45_071..45_771).step_by(20) {
            let acts = vec![
                (10_000, on(1)),
                (9_900, Act::RegistryDown(33_559)),
                // The token of the other replica is looked at while this one lists, and it cannot tell.
                (45_071, on(0)),
                (breaks, Act::WatchBreaks { replica: 1, after: 4_581 }),
            ];
            let world = run(setup, acts, minutes(10));
            assert_eq!((outcomes(&world), world.pursued()), (vec![Some(Outcome::Looked); 2], 0), "{setup:?} {breaks}");
            assert!(world.nudges.len() <= 5, "{setup:?} {breaks}: {:?}", world.nudges);
        }
    }
}

#[test]
fn a_look_that_a_replica_missed_without_a_push_of_its_own_is_no_reason_to_ask() {
    for setup in all_setups(2) {
        for breaks in (10_000..10_700).step_by(20) {
            let acts = vec![(10_000, PUSH), (breaks, Act::WatchBreaks { replica: 1, after: 4_581 })];
            let world = run(setup, acts, minutes(10));
            assert!(world.nudges.is_empty(), "{setup:?} {breaks}: {:?}", world.nudges);
        }
    }
}

#[test]
fn a_write_whose_token_turns_out_to_be_looked_at_already_is_over() {
    for setup in all_setups(2) {
        for breaks in (45_754..46_354).step_by(20) {
            let acts = vec![
                (1_000, Act::SlowAnswers(1_672)),
                // Answered when Kargo has looked and this replica has forgotten.
                (10_000, Act::CatchUp { replica: 1 }),
                (45_754, PUSH),
                (breaks, Act::WatchBreaks { replica: 1, after: 100 }),
            ];
            let world = run(setup, acts, minutes(10));
            assert_eq!(world.pursued(), 0, "{setup:?} {breaks}");
        }
    }
}

#[test]
fn a_look_that_began_before_the_token_does_not_count_for_it_when_a_replica_starts() {
    for restarts in [6_000, 15_000] {
        let acts = vec![
            (1_000, Act::Slow(16_176)),
            (10_000, PUSH),
            // The first look ends after this, and the next one is cut off.
            (20_000, PUSH),
            (21_000, Act::ReplicaRestarts { replica: 0, after: restarts }),
            (28_000, Act::KargoRestarts(5_000)),
        ];
        for setup in all_setups(2) {
            let world = run(setup, acts.clone(), minutes(15));
            assert!(world.looked > 20_000, "{setup:?} {restarts}: {:?}", world.nudges);
        }
    }
}
