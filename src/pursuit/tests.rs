//! Pursuits in a simulated world: every push is seen or named, and nothing is asked twice without need.

mod missed;
mod world;

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use self::world::{Act, Ms, Setup, UNIT, World, minutes, shipped};
use super::machine::Machine;
use super::{At, Origin, Outcome, Push, Report, Rules, Sighting, Why};
use crate::domain::artifact::Listing;
use crate::domain::event::PushEvent;
use crate::domain::scope::ObjectKey;
use crate::domain::target::{Target, TargetKind};
use crate::refresh::token::token;

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
fn what_goes_on_for_a_minute_is_reported_once_by_every_replica_and_a_short_failure_by_none() {
    let troubled = |setup, act| {
        let world = run(setup, vec![(9_500, act), (10_000, PUSH)], minutes(20));
        world.troubles.iter().map(|(at, replica, why)| (at / 1000, *replica, *why)).collect::<Vec<_>>()
    };
    for setup in all_setups(2) {
        assert_eq!(troubled(setup, Act::RegistryDown(4_000)), []);
        let (down, away) = (Act::RegistryDown(minutes(10)), Act::KargoRestarts(minutes(10)));
        for (act, expected) in [(down, Why::Failing), (away, Why::Unhandled)] {
            let troubles = troubled(setup, act);
            let of = |replica| troubles.iter().filter(move |(_, by, _)| *by == replica).collect::<Vec<_>>();
            for replica in [0, 1] {
                let [(second, _, why)] = of(replica)[..] else { panic!("{setup:?}: {troubles:?}") };
                assert!((70..90).contains(second) && *why == expected, "{setup:?}: {troubles:?}");
            }
        }
    }
}

/// One replica and one object, step by step.
struct Steps {
    machine: Machine,
    target: Target,
    out: Vec<Report>,
    listed: fn(&[PushEvent]) -> Listing,
}

impl Steps {
    fn of(target: Target, listed: fn(&[PushEvent]) -> Listing) -> Self {
        Self { machine: Machine::new(shipped()), target, out: Vec::new(), listed }
    }

    fn at(ms: Ms) -> At {
        let (now, start) = (Duration::from_millis(ms), "2026-08-21T17:51:41Z".parse::<Timestamp>().unwrap());
        At { now, wall: start + now }
    }

    fn want(&mut self, ms: Ms, push: &Push) {
        self.machine.want(&self.target, push, Self::at(ms), &mut self.out);
    }

    /// Writes a token, and returns it.
    fn write(&mut self, ms: Ms) -> String {
        let token = token(Self::at(ms).wall);
        self.machine.written(&self.target, &token, Self::at(ms).wall, Self::at(ms + 10), &mut self.out);
        token
    }

    fn show(&mut self, ms: Ms, annotation: &str, handled: Option<&str>, discovered: i64) {
        let (annotation, discovered) = (Some(annotation), Some(discovered));
        let sighting = Sighting { annotation, handled, discovered, ..Sighting::default() };
        let mut listed = self.listed;
        self.machine.observe(&self.target, &sighting, (Self::at(ms), Origin::Live), &mut listed, &mut self.out);
    }

    /// Lets time pass; returns how many nudges are due.
    fn tick(&mut self, ms: Ms) -> usize {
        let mut out = Vec::new();
        let due = self.machine.tick(Self::at(ms), true, &mut out);
        self.out.extend(out.into_iter().map(|(_, report)| report));
        due.iter().for_each(|target| self.machine.nudged(target, Self::at(ms)));
        due.len()
    }

    fn ended(&self) -> Vec<(String, Outcome)> {
        let ended = |report: &Report| match report {
            Report::Ended { push, outcome, .. } => Some((push.delivery.as_deref().unwrap_or("").to_owned(), *outcome)),
            _ => None,
        };
        self.out.iter().filter_map(ended).collect()
    }
}

fn storefront() -> Target {
    Target::warehouse(ObjectKey::new("northwind", "storefront"))
}

#[test]
fn a_tag_that_was_pushed_again_is_seen_with_its_newest_digest() {
    let mut steps =
        Steps::of(
            storefront(),
            |events| {
                if events[0].ids == ["sha256:2"] { Listing::Listed } else { Listing::Missing }
            },
        );
    let push = |digest: &str| {
        let event = PushEvent::new("push".into(), vec!["quay.io/a/b".to_owned()], vec!["latest".to_owned()]);
        Push::new(&[event.with_ids(vec![digest.to_owned()])], digest)
    };
    steps.want(0, &push("sha256:1"));
    let first = steps.write(10);
    steps.want(100, &push("sha256:2"));
    let second = steps.write(110);
    steps.show(130, &first, None, 1);
    steps.show(140, &second, Some(&second), 1);
    steps.show(5_000, &second, Some(&second), 2);
    assert_eq!(steps.ended(), ["sha256:1", "sha256:2"].map(|digest| (digest.to_owned(), Outcome::Seen)));
}

#[test]
fn what_a_catch_up_or_a_generic_receiver_refreshes_is_pursued_until_kargo_has_looked() {
    for delivery in [None, Some("generic")] {
        let mut steps = Steps::of(storefront(), |events| {
            assert!(events.is_empty());
            Listing::Unknown
        });
        if let Some(delivery) = delivery {
            steps.want(0, &Push::new(&[], delivery));
        }
        let first = steps.write(10);
        steps.show(20, &first, None, 1);
        steps.show(3_000, &first, Some(&first), 1);
        assert_eq!((steps.tick(7_000), steps.tick(8_000), steps.tick(60_000)), (0, 1, 0));
        let second = steps.write(60_010);
        steps.show(60_020, &second, Some(&first), 1);
        steps.show(63_000, &second, Some(&second), 2);
        assert_eq!(steps.ended(), [(delivery.unwrap_or_default().to_owned(), Outcome::Looked)]);
        assert_eq!(steps.tick(minutes(120)), 0);
    }
}

#[test]
fn a_write_that_is_answered_when_all_is_over_is_asked_for_once_more() {
    for (wants, overwritten) in [(false, false), (true, true), (false, true)] {
        let mut steps = Steps::of(storefront(), |_| Listing::Unknown);
        let first = token(Steps::at(10).wall);
        if wants {
            steps.want(0, &Push::new(&[], "slow"));
        }
        // Where it was overwritten, the watch never shows it: it was interrupted meanwhile.
        let shown = if overwritten { token(Steps::at(15).wall) } else { first.clone() };
        steps.show(20, &shown, None, 1);
        steps.show(30, &shown, Some(&shown), 1);
        steps.show(2_000, &shown, Some(&shown), 2);
        steps.machine.written(&storefront(), &first, Steps::at(10).wall, Steps::at(2_500), &mut steps.out);
        if overwritten {
            assert_eq!((steps.tick(40_000), steps.tick(63_000), steps.tick(200_000)), (0, 1, 0));
            let second = steps.write(200_010);
            steps.show(200_020, &second, Some(&shown), 2);
            steps.show(202_000, &second, Some(&second), 3);
        } else {
            assert_eq!(steps.tick(63_000), 1);
            let second = steps.write(63_010);
            steps.show(63_020, &second, Some(&first), 2);
            steps.show(65_000, &second, Some(&second), 3);
        }
        let delivery = if wants { "slow" } else { "" };
        assert_eq!(steps.ended(), [(delivery.to_owned(), Outcome::Looked)], "{wants} {overwritten}");
        assert_eq!(steps.machine.pursued(), (0, None));
        assert_eq!(steps.tick(minutes(120)), 0);
    }
}

/// While the watch is away, nothing that is written is shown.
#[test]
fn what_is_written_without_being_shown_is_asked_for_rarely() {
    let mut steps = Steps::of(storefront(), |_| Listing::Unknown);
    steps.want(0, &Push::new(&[], "push"));
    steps.write(10);
    let mut nudges = Vec::new();
    for second in 1..3_000 {
        if steps.tick(second * 1_000) > 0 {
            nudges.push(second);
            steps.write(second * 1_000 + 10);
        }
    }
    assert!((2..14).contains(&nudges.len()), "{nudges:?}");
}

#[test]
fn a_promotion_is_pursued_until_it_is_handled_and_never_asked_again() {
    let promotion = Target { kind: TargetKind::Promotion, ..storefront() };
    let mut steps = Steps::of(promotion, |_| Listing::Unknown);
    steps.want(0, &Push::new(&[], "pull-request"));
    let token = steps.write(10);
    steps.show(20, &token, None, 0);
    assert_eq!(steps.tick(minutes(30)), 0);
    let says = |is: fn(&Report) -> bool| steps.out.iter().filter(|report| is(report)).count();
    assert_eq!(says(|report| matches!(report, Report::NotHandled)), 1);
    assert_eq!(says(|report| matches!(report, Report::Troubled { .. })), 0, "its Warehouse is not in trouble");
    steps.show(minutes(31), &token, Some(&token), 0);
    assert_eq!(steps.ended(), [("pull-request".to_owned(), Outcome::Handled)]);
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
        1 => (replica.clone(), 100..5_000_u64).prop_map(|(replica, after)| Act::WatchBreaks { replica, after }),
        1 => replica.prop_map(|replica| Act::CatchUp { replica }),
        1 => prop_oneof![Just(60_u64), 1_000..10_000_u64].prop_map(Act::SlowAnswers),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases * 2))]

    /// However things fail: a look follows every push, and what is not listed at the end was named.
    #[test]
    fn every_push_is_seen_or_named(
        skew in -300..=300_i64,
        saves_early: bool,
        acts in proptest::collection::vec((0..240_000_u64, act()), 1..25),
    ) {
        let acts = acts.into_iter().map(|(at, act)| (at + 1_000, act)).collect();
        let mut world = run(setup(skew, saves_early, 2), acts, minutes(40));
        prop_assert_eq!(world.pursued(), 0, "what was disturbed for minutes is over");
        world.run(minutes(100));
        for (id, push) in world.pushes.iter().enumerate() {
            prop_assert!(world.looked > push.at, "no look after push {id}: {push:?}");
            match push.outcome {
                Some(Outcome::Seen) => prop_assert!(world.lists(id)),
                Some(Outcome::NotHandled | Outcome::NotLooked) => prop_assert!(false, "push {id} was seen: {push:?}"),
                Some(_) => {}
                None => prop_assert!(!world.lives(push), "push {id} has no outcome: {push:?}"),
            }
        }
        prop_assert!(world.nudges.len() <= 6 * world.pushes.len() + 12, "{} nudges", world.nudges.len());
    }
}
