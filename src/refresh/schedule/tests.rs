//! Tables for each rule, and a model: random deliveries, outcomes and times.

use proptest::prelude::*;

use super::super::health::PROBE_EVERY;
use super::*;
use crate::domain::scope::ObjectKey;

impl Waits for usize {
    fn is_gone(&self) -> bool {
        false
    }
}

const FAILED: PatchOutcome = PatchOutcome::UNREACHABLE;

fn target(project: &str, number: usize) -> Target {
    Target::warehouse(ObjectKey::new(project, &format!("w-{number}")))
}

fn targets(project: &str, count: usize) -> Vec<(Target, usize)> {
    (0..count).map(|number| (target(project, number), number)).collect()
}

/// A schedule with a clock that a test sets.
struct World {
    schedule: Schedule<usize>,
    now: Instant,
    begun: usize,
    next: Option<Instant>,
}

impl World {
    fn new(limit: usize) -> Self {
        let now = Instant::now() + Duration::from_hours(1);
        Self { schedule: Schedule::new(limit), now, begun: 0, next: None }
    }

    fn request(&mut self, requests: Vec<(Target, usize)>) {
        let request = |(target, waiter)| Request { target, cause: Cause::catch_up(), waiter };
        self.schedule.request(requests.into_iter().map(request).collect(), self.now);
    }

    fn begin(&mut self) -> Option<Target> {
        match self.schedule.take(self.now) {
            Turn::Begin(target, _) => {
                self.begun += 1;
                return Some(target);
            }
            Turn::At(time) => self.next = Some(time),
            Turn::Idle => self.next = None,
        }
        None
    }

    fn end(&mut self, target: &Target, outcome: &PatchOutcome) -> Ended<usize> {
        self.schedule.end(target, outcome, 0.0, self.now)
    }

    /// Waits for the time at which the next may begin, as the last look told.
    fn wait(&mut self) {
        self.now = self.now.max(self.next.take().unwrap_or(self.now));
    }

    fn begin_in_time(&mut self) -> Target {
        loop {
            match self.begin() {
                Some(target) => return target,
                None => self.wait(),
            }
        }
    }

    /// Writes one after the other until this target is written. Returns how many that were.
    fn writes_until(&mut self, last: &Target) -> usize {
        let before = self.begun;
        while let Some(target) = self.begin() {
            self.end(&target, &PatchOutcome::Written);
            if target == *last {
                break;
            }
        }
        self.begun - before
    }
}

#[test]
fn a_push_is_written_next_while_ten_thousand_others_wait_even_if_it_is_one_of_them() {
    for project in ["other", "fan-out"] {
        let mut world = World::new(32);
        world.request(targets("fan-out", 10_000));
        for _ in 0..100 {
            let target = world.begin().unwrap();
            world.end(&target, &PatchOutcome::Written);
        }
        let pushed = target(project, 9_999);
        world.request(vec![(pushed.clone(), 0)]);
        assert_eq!(world.writes_until(&pushed), 1);
    }
}

#[test]
fn however_many_ask_for_the_same_the_queue_stays_as_long_as_what_is_owed() {
    let mut world = World::new(1);
    for _ in 0..1_000 {
        world.request(targets("a", 500));
    }
    let mut begun = 0;
    while let Some(target) = world.begin() {
        assert_eq!(world.end(&target, &PatchOutcome::Written).answered.len(), 1_000);
        begun += 1;
    }
    assert_eq!((begun, world.schedule.len()), (500, 0));
}

#[test]
fn a_target_that_is_hammered_is_refreshed_a_hundred_times_and_then_twice_a_second_and_every_request_is_answered() {
    let mut world = World::new(4);
    let (mut asked, mut answered) = (0, 0);
    let (start, lasting) = (world.now, Duration::from_secs(60));
    while world.now < start + lasting {
        world.request(vec![(target("a", 0), asked)]);
        asked += 1;
        if let Some(target) = world.begin() {
            world.now += Duration::from_millis(2);
            answered += world.end(&target, &PatchOutcome::Written).answered.len();
        }
        world.now += Duration::from_millis(1);
    }
    assert!((219..=221).contains(&world.begun), "{} refreshes in a minute", world.begun);
    let target = world.begin_in_time();
    answered += world.end(&target, &PatchOutcome::Written).answered.len();
    assert_eq!(answered, asked);
}

#[test]
fn while_the_api_server_is_away_one_in_half_a_second_looks_for_it_and_its_return_frees_all() {
    let mut world = World::new(32);
    world.request(targets("a", 1_000));
    let start = world.now;
    while world.now < start + Duration::from_mins(10) {
        match world.begin() {
            Some(target) => drop(world.end(&target, &FAILED)),
            None => world.wait(),
        }
    }
    assert!(world.schedule.is_away());
    let most = Duration::from_mins(10).as_millis() / PROBE_EVERY.as_millis() + 3;
    assert!(world.begun as u128 <= most, "{} attempts", world.begun);
    let back = world.now;
    while world.schedule.len() > 0 {
        match world.begin() {
            Some(target) => drop(world.end(&target, &PatchOutcome::Written)),
            None => world.wait(),
        }
    }
    assert!(world.now <= back + JOINED_PAUSE + PROBE_EVERY, "all were written {:?} after its return", world.now - back);
}

#[test]
fn one_target_that_always_fails_keeps_its_long_pauses_while_others_are_written() {
    let mut world = World::new(4);
    world.request(targets("broken", 1));
    let (start, mut failures) = (world.now, 0);
    while world.now < start + Duration::from_mins(10) {
        world.request(vec![(target("well", world.begun), 0)]);
        while let Some(target) = world.begin() {
            let is_broken = &*target.key.namespace == "broken";
            failures += usize::from(is_broken);
            world.end(&target, if is_broken { &FAILED } else { &PatchOutcome::Written });
        }
        world.now += Duration::from_millis(100);
    }
    assert!(!world.schedule.is_away());
    assert!((20..=30).contains(&failures), "{failures} attempts in ten minutes");
}

#[test]
fn a_request_that_joins_shortens_a_back_off_but_not_below_what_the_api_server_asked_for() {
    let asked = |seconds| PatchOutcome::Failed { status: Some(429), retry_after: seconds };
    for (retry_after, least) in [(None, 1), (Some(Duration::from_secs(20)), 20), (Some(Duration::MAX), 300)] {
        let mut world = World::new(1);
        for _ in 0..12 {
            world.request(targets("a", 1));
            world.begin_in_time();
            world.end(&target("a", 0), &asked(retry_after));
            // Another is written, so the API server is not away.
            world.request(targets("b", 1));
            assert_eq!(world.begin(), Some(target("b", 0)));
            world.end(&target("b", 0), &PatchOutcome::Written);
        }
        let failed = world.now;
        world.request(targets("a", 1));
        world.begin_in_time();
        let asked = retry_after.unwrap_or_default().min(Duration::from_mins(5));
        let later = world.now - failed;
        assert!(asked <= later && later <= Duration::from_secs(least), "{later:?} later");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Push { first: usize, count: usize },
    Begin,
    End { which: usize, outcome: PatchOutcome },
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let refused = PatchOutcome::Refused { status: 403, message: "no".into() };
    let outcome = prop_oneof![6 => Just(PatchOutcome::Written), 2 => Just(FAILED), 1 => Just(refused), 1 => Just(PatchOutcome::Gone)];
    prop_oneof![
        3 => (0..30_usize, prop_oneof![3 => 1..3_usize, 1 => 17..30_usize])
            .prop_map(|(first, count)| Step::Push { first, count }),
        6 => Just(Step::Begin),
        5 => (0..8_usize, outcome).prop_map(|(which, outcome)| Step::End { which, outcome }),
        2 => (0..2_000_u64).prop_map(Step::Pass),
    ]
}

proptest! {
    /// In every order of events: one PATCH of a target at a time and never too many in all, only a PATCH that began
    /// after a request arrived answers it with success, each is answered exactly once, and in the end all are.
    #[test]
    fn every_request_is_answered_once_by_a_patch_that_began_after_it(steps in prop::collection::vec(step(), 1..300)) {
        const LIMIT: usize = 4;
        let mut world = World::new(LIMIT);
        let (mut clock, mut arrivals, mut answers) = (0, Vec::new(), Vec::new());
        let mut flying: Vec<(Target, usize)> = Vec::new();
        let finish = |ended: Ended<usize>, outcome: &PatchOutcome, began: usize, arrivals: &[usize], answers: &mut [u32]| {
            for waiter in ended.answered {
                answers[waiter] += 1;
                assert!(!outcome.is_done() || arrivals[waiter] < began, "answered by a PATCH that began before");
            }
        };
        for step in steps {
            clock += 1;
            match step {
                Step::Push { first, count } => {
                    let requests = (first..first + count).map(|number| {
                        arrivals.push(clock);
                        answers.push(0);
                        (target("a", number), arrivals.len() - 1)
                    });
                    world.request(requests.collect());
                }
                Step::Begin => if let Some(target) = world.begin() {
                    prop_assert!(flying.iter().all(|(other, _)| *other != target), "two PATCHes of one target");
                    flying.push((target, clock));
                    prop_assert!(flying.len() <= LIMIT);
                },
                Step::End { which, outcome } => if !flying.is_empty() {
                    let (target, began) = flying.swap_remove(which % flying.len());
                    finish(world.end(&target, &outcome), &outcome, began, &arrivals, &mut answers);
                },
                Step::Pass(millis) => world.now += Duration::from_millis(millis),
            }
            prop_assert_eq!(world.schedule.in_flight(), flying.len());
        }
        for _ in 0..10_000 {
            clock += 1;
            if let Some((target, began)) = flying.pop() {
                finish(world.end(&target, &PatchOutcome::Written), &PatchOutcome::Written, began, &arrivals, &mut answers);
            } else if let Some(target) = world.begin() {
                flying.push((target, clock));
            } else {
                world.wait();
            }
            if world.schedule.len() == 0 { break; }
        }
        prop_assert_eq!(world.schedule.len(), 0, "something is owed for ever");
        prop_assert!(answers.iter().all(|count| *count == 1), "{:?}", answers);
    }
}
