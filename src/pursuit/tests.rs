//! Pursuits in a simulated world: every push is seen or named, and nothing is asked twice without need.

mod world;

use proptest::prelude::*;

use self::world::{Act, Ms, Setup, UNIT, World, minutes, shipped};
use super::{Outcome, Rules};

fn setup(skew: i64, saves_early: bool, replicas: usize) -> Setup {
    Setup { skew, saves_early, replicas, rules: shipped() }
}

/// Both ways in which Kargo may save the token, and clocks apart in either direction.
fn all_setups(replicas: usize) -> impl Iterator<Item = Setup> {
    let skews = [-300, -7, 0, 1, 300];
    skews.into_iter().flat_map(move |skew| [true, false].map(|early| setup(skew, early, replicas)))
}

const PUSH: Act = Act::Push { replica: 0, listed_after: 0, known: true };

fn run(setup: Setup, acts: Vec<(Ms, Act)>, until: Ms) -> World {
    let mut world = World::new(setup);
    world.plan(acts);
    world.run(until);
    world
}

fn outcomes(world: &World) -> Vec<Option<Outcome>> {
    world.pushes.iter().map(|push| push.outcome).collect()
}

#[test]
fn an_undisturbed_hour_of_pushes_needs_no_nudge() {
    for setup in all_setups(2) {
        for step in [130, 450, 777, 1_900, 61_000] {
            let pushes = (0..minutes(60) / step).take(600).map(|n| {
                let known = n % 3 != 0;
                (1_000 + n * step, Act::Push { replica: usize::from(n % 5 == 0), listed_after: 0, known })
            });
            let others = (1..12).flat_map(|n| [(minutes(5) * n, Act::Interval), (minutes(4) * n, Act::Foreign)]);
            let world = run(setup, pushes.chain(others).collect(), minutes(62));
            assert!(world.nudges.is_empty(), "{setup:?} {step}: {:?}", world.nudges);
            let is_seen = |outcome: &Option<Outcome>| matches!(outcome, Some(Outcome::Seen | Outcome::Looked));
            assert!(outcomes(&world).iter().all(is_seen), "{setup:?} {step}: {:?}", outcomes(&world));
        }
    }
}

#[test]
fn a_registry_that_is_down_delays_a_push_and_does_not_lose_it() {
    for setup in all_setups(1) {
        for (down, most) in [(4_000, 1), (60_000, 3), (minutes(20), 8)] {
            for known in [true, false] {
                let acts =
                    vec![(9_500, Act::RegistryDown(down)), (10_000, Act::Push { replica: 0, listed_after: 0, known })];
                let world = run(setup, acts, minutes(90));
                let expected = if known { Outcome::Seen } else { Outcome::Looked };
                assert_eq!(outcomes(&world), [Some(expected)], "{setup:?} {down}");
                assert!(world.lists(0));
                assert!((1..=most).contains(&world.nudges.len()), "{setup:?} {down}: {:?}", world.nudges);
            }
        }
    }
}

#[test]
fn the_pauses_between_nudges_are_those_of_the_design() {
    let acts = vec![(0, Act::RegistryDown(minutes(300))), (10_000, PUSH)];
    let world = run(setup(0, true, 1), acts, minutes(80));
    let mut before = 10_000;
    let pauses: Vec<Ms> = world.nudges.iter().map(|at| (at - std::mem::replace(&mut before, *at)) / 1000).collect();
    assert_eq!(pauses[..4], [5, 15, 45, 120]);
    assert!(pauses[4..].iter().all(|pause| (300..=301).contains(pause)), "{pauses:?}");
    assert_eq!(outcomes(&world), [Some(Outcome::NotLooked)]);
    assert_eq!(world.pushes[0].message.as_deref(), Some("registry down"));
    assert!((minutes(60)..minutes(61)).contains(&(world.pushes[0].outcome_at - 10_000)));
    assert!(world.nudges.iter().all(|at| *at < minutes(61)));
}

#[test]
fn a_tag_that_is_listed_late_is_asked_for_twice() {
    for setup in all_setups(1) {
        let late = |listed_after| {
            let world = run(setup, vec![(10_000, Act::Push { replica: 0, listed_after, known: true })], minutes(5));
            (outcomes(&world)[0], world.nudges.len())
        };
        assert_eq!(late(3_000), (Some(Outcome::Seen), 1));
        assert_eq!(late(10_000), (Some(Outcome::Seen), 2));
        assert_eq!(late(minutes(10)), (Some(Outcome::LookedNotListed), 2));
    }
}

#[test]
fn a_controller_that_is_down_is_reported_and_never_nudged() {
    for setup in all_setups(1) {
        let acts = vec![(9_000, Act::KargoRestarts(minutes(5))), (10_000, PUSH)];
        let mut world = run(setup, acts, minutes(2));
        assert_eq!((world.unhandled, world.nudges.len(), outcomes(&world)[0]), (1, 0, None));
        world.run(minutes(6));
        assert_eq!((world.unhandled, world.nudges.len(), outcomes(&world)[0]), (1, 0, Some(Outcome::Seen)));
        let sharded = run(setup, vec![(9_000, Act::KargoRestarts(minutes(600))), (10_000, PUSH)], minutes(90));
        assert_eq!((sharded.nudges.len(), outcomes(&sharded)[0]), (0, Some(Outcome::NotHandled)));
    }
}

#[test]
fn a_controller_that_restarts_between_handled_and_looked_is_asked_again() {
    for setup in all_setups(1) {
        for known in [true, false] {
            let push = Act::Push { replica: 0, listed_after: 0, known };
            let acts =
                vec![(5_000, PUSH), (9_000, Act::Slow(4_000)), (10_000, push), (11_000, Act::KargoRestarts(3_000))];
            let world = run(setup, acts, minutes(5));
            assert!(world.lists(1), "{setup:?}");
            // Where the token is saved with the result, the new controller looks by itself.
            assert_eq!(world.nudges.len(), usize::from(setup.saves_early), "{setup:?}");
        }
    }
}

#[test]
fn another_process_takes_over_what_one_leaves_behind() {
    for setup in all_setups(1) {
        for killed in [10_001, 10_030, 10_200, 11_000, 14_000, 16_000, 40_000] {
            let acts = vec![
                (5_000, PUSH),
                (9_500, Act::RegistryDown(45_000)),
                (10_000, PUSH),
                (killed, Act::ReplicaRestarts { replica: 0, after: 2_000 }),
            ];
            let world = run(setup, acts, minutes(40));
            assert!(world.looked > 54_500, "{setup:?} killed at {killed}: {:?}", world.nudges);
            assert!(world.lists(1));
        }
    }
}

#[test]
fn the_leader_takes_over_from_a_replica_that_is_gone_and_leaves_one_that_lives_alone() {
    for setup in all_setups(2) {
        let push = Act::Push { replica: 1, listed_after: 0, known: true };
        let down = (9_500, Act::RegistryDown(minutes(10)));
        let alone = run(setup, vec![down.clone(), (10_000, push.clone())], minutes(40));
        assert!(alone.lists(0));
        let single = run(Setup { replicas: 2, ..setup }, vec![down.clone(), (10_000, push.clone())], minutes(40));
        assert_eq!(alone.nudges.len(), single.nudges.len());
        assert!(alone.nudges.len() <= 6, "{setup:?}: {:?}", alone.nudges);
        let gone = (12_000, Act::ReplicaRestarts { replica: 1, after: minutes(600) });
        let orphaned = run(setup, vec![down, (10_000, push), gone], minutes(40));
        assert!(orphaned.lists(0), "{setup:?}");
        assert!(orphaned.nudges.len() <= 7, "{setup:?}: {:?}", orphaned.nudges);
    }
}

#[test]
fn nothing_is_asked_again_when_following_up_is_off() {
    let rules = Rules::new(UNIT, None, false);
    let off = Setup { rules, ..setup(0, true, 1) };
    let world = run(off, vec![(9_500, Act::RegistryDown(4_000)), (10_000, PUSH)], minutes(70));
    assert_eq!((world.nudges.len(), outcomes(&world)[0]), (0, Some(Outcome::NotLooked)));
    let late = run(off, vec![(10_000, Act::Push { replica: 0, listed_after: 5_000, known: true })], minutes(70));
    assert_eq!((late.nudges.len(), outcomes(&late)[0]), (0, Some(Outcome::LookedNotListed)));
}

#[test]
fn a_push_to_another_replica_does_not_leave_a_nudge_to_both() {
    for setup in all_setups(2) {
        let on = |replica| Act::Push { replica, listed_after: 0, known: true };
        let acts = vec![(9_500, Act::RegistryDown(60_000)), (10_000, on(0)), (12_000, on(1)), (13_000, on(0))];
        let world = run(setup, acts, minutes(20));
        assert_eq!(outcomes(&world), [Some(Outcome::Seen); 3]);
        assert!(world.nudges.len() <= 3, "{setup:?}: {:?}", world.nudges);
    }
}

fn act() -> impl Strategy<Value = Act> {
    let replica = 0..2_usize;
    prop_oneof![
        6 => (replica.clone(), prop_oneof![4 => Just(0_u64), 1 => 0..40_000_u64], any::<bool>())
            .prop_map(|(replica, listed_after, known)| Act::Push { replica, listed_after, known }),
        2 => (500..90_000_u64).prop_map(Act::RegistryDown),
        1 => prop_oneof![Just(50), Just(300), 500..20_000_u64].prop_map(Act::Slow),
        1 => (3_000..120_000_u64).prop_map(Act::KargoRestarts),
        1 => Just(Act::Foreign),
        1 => Just(Act::Interval),
        1 => (replica.clone(), 500..20_000_u64).prop_map(|(replica, after)| Act::ReplicaRestarts { replica, after }),
        1 => (replica, 100..5_000_u64).prop_map(|(replica, after)| Act::WatchBreaks { replica, after }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// However things fail: a look follows every push, and what is not listed at the end was named.
    #[test]
    fn every_push_is_seen_or_named(
        skew in -300..=300_i64,
        saves_early: bool,
        acts in proptest::collection::vec((0..240_000_u64, act()), 1..25),
    ) {
        let acts = acts.into_iter().map(|(at, act)| (at + 1_000, act)).collect();
        let world = run(setup(skew, saves_early, 2), acts, minutes(100));
        for (id, push) in world.pushes.iter().enumerate() {
            prop_assert!(world.looked > push.at, "no look after push {id}: {push:?}");
            match push.outcome {
                Some(Outcome::Seen) => prop_assert!(world.lists(id)),
                Some(_) => {}
                None => prop_assert!(!world.lives(push), "push {id} has no outcome: {push:?}"),
            }
        }
        prop_assert!(world.nudges.len() <= 6 * world.pushes.len() + 12, "{} nudges", world.nudges.len());
    }
}
