//! The book against a sender in simulated time, and what it costs.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::plan::Whose;
use super::super::rules::{RESETS, SWITCHED_OFF};
use super::*;

const PUSH: &[&str] = &["repo_push"];

fn rules() -> Rules {
    Rules { beat: Duration::from_secs(30) }
}

/// A notification of the simulated sender. A URL is a number; those from 1000 on are others'.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hook {
    id: String,
    event: String,
    url: u32,
    failures: u32,
}

const OTHERS: u32 = 1000;

/// A sender, a receiver, and the book between them.
struct World {
    now: Instant,
    book: Book,
    hooks: BTreeMap<Name, Vec<Hook>>,
    /// The receiver's URL.
    url: u32,
    events: &'static [&'static str],
    heals: bool,
    refuses: Option<Refusal>,
    /// Whether calls of the sender come through.
    is_reached: bool,
    next: u32,
    /// Calls by what they do.
    calls: BTreeMap<&'static str, usize>,
    /// Names of which Warehouses were refreshed, in order.
    refreshed: Vec<Name>,
}

impl World {
    fn new(repositories: usize) -> Self {
        let now = Instant::now() + Duration::from_hours(1);
        let mut world = Self {
            now,
            book: Book::new(rules(), now),
            hooks: BTreeMap::new(),
            url: 1,
            events: PUSH,
            heals: true,
            refuses: None,
            is_reached: true,
            next: 0,
            calls: BTreeMap::new(),
            refreshed: Vec::new(),
        };
        let wanted = (0..repositories).map(|number| Name::from(format!("northwind/app-{number:05}")));
        world.want(&wanted.collect());
        world
    }

    fn want(&mut self, wanted: &BTreeSet<Name>) {
        self.book.want(wanted, self.now);
    }

    fn moment(&self) -> Moment {
        let wall = jiff::Timestamp::UNIX_EPOCH;
        Moment { steady: self.now, wall }
    }

    fn call(&mut self, what: &'static str) -> Result<(), Refusal> {
        *self.calls.entry(what).or_default() += 1;
        self.refuses.clone().map_or(Ok(()), Err)
    }

    fn total(&self) -> usize {
        self.calls.values().sum()
    }

    /// A push is attempted at every notification that is switched on.
    fn push(&mut self, name: &str) {
        for hook in self.hooks.get_mut(name).into_iter().flatten().filter(|hook| hook.failures < SWITCHED_OFF) {
            let is_taken = self.is_reached && (hook.url == self.url || hook.url >= OTHERS);
            hook.failures = if is_taken { 0 } else { hook.failures + 1 };
        }
    }

    /// Lets time pass, with every look that becomes due.
    fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        loop {
            match self.book.next(self.now) {
                Turn::Look(name) => {
                    let ended = self.look(&name);
                    self.book.end(&name, ended, self.now);
                }
                Turn::At(due) if due <= until => {
                    assert!(due > self.now, "a turn that is due has to be given");
                    self.now = due;
                }
                Turn::At(_) | Turn::Idle => break,
            }
        }
        self.now = until;
    }

    fn look(&mut self, name: &Name) -> Result<(), Refusal> {
        self.call("list")?;
        let hooks = self.hooks.entry(Arc::clone(name)).or_default().clone();
        let whose = |url: u32| match url {
            OTHERS.. => Whose::Other,
            _ if url == self.url => Whose::Current,
            _ => Whose::Former,
        };
        let seen = hooks.iter().map(|hook| Seen {
            id: &hook.id,
            event: &hook.event,
            failures: hook.failures,
            is_active: hook.failures < SWITCHED_OFF,
            whose: whose(hook.url),
        });
        let seen: Vec<_> = seen.collect();
        let wish = Wish { events: self.events, heals: self.heals, queues: true, is_probe: false };
        let steps = self.book.plan(name, &seen, &wish, self.moment());
        for step in steps {
            self.step(name, &step)?;
        }
        Ok(())
    }

    fn step(&mut self, name: &Name, step: &Step) -> Result<(), Refusal> {
        let moment = self.moment();
        let others = self.hooks[name].iter().filter(|hook| hook.url >= OTHERS).count();
        match step {
            Step::Inspect => self.call("inspect")?,
            Step::Create { event, .. } => {
                self.call("create")?;
                self.next += 1;
                let hook = Hook { id: self.next.to_string(), event: event.to_string(), url: self.url, failures: 0 };
                self.hooks.get_mut(name).unwrap().push(hook);
                self.refreshed.push(Arc::clone(name));
            }
            Step::Test(_) => self.call("test")?,
            Step::Enable(id) => {
                self.call("enable")?;
                let hooks = self.hooks.get_mut(name).unwrap();
                let hook = hooks.iter_mut().find(|hook| *hook.id == **id).unwrap();
                assert!(hook.failures > 0, "only what has failed is reset");
                hook.failures = 0;
                self.book.enabled(name, moment);
                self.refreshed.push(Arc::clone(name));
            }
            Step::Delete(id) => {
                self.call("delete")?;
                self.hooks.get_mut(name).unwrap().retain(|hook| *hook.id != **id);
                self.refreshed.push(Arc::clone(name));
            }
        }
        let left = self.hooks[name].iter().filter(|hook| hook.url >= OTHERS).count();
        assert_eq!(left, others, "hooks of others are never touched");
        Ok(())
    }

    fn only(&self) -> Name {
        self.book.pages().next().map(|page| Arc::clone(page.name)).unwrap()
    }

    fn states(&self) -> BTreeMap<&'static str, usize> {
        let mut states = BTreeMap::new();
        for page in self.book.pages() {
            *states.entry(page.state.as_str()).or_default() += 1;
        }
        states
    }

    fn ours(&self, name: &str) -> Vec<(u32, u32)> {
        let hooks = self.hooks.get(name).into_iter().flatten().filter(|hook| hook.url < OTHERS);
        hooks.map(|hook| (hook.url, hook.failures)).collect()
    }
}

const MINUTE: Duration = Duration::from_mins(1);

#[test]
fn a_repository_gets_one_notification_and_is_looked_at_every_ten_seconds_at_first_and_then_every_thirty() {
    let mut world = World::new(1);
    world.pass(Duration::ZERO);
    assert_eq!(world.calls, BTreeMap::from([("create", 1), ("inspect", 1), ("list", 1)]));
    world.pass(3 * MINUTE);
    assert_eq!(world.calls["list"], 19);
    let before = world.total();
    world.pass(60 * MINUTE);
    assert_eq!((world.total() - before, world.calls["create"]), (120, 1));
    assert_eq!(world.states(), BTreeMap::from([("Healthy", 1)]));
}

#[test]
fn the_calls_of_an_hour_for_a_thousand_repositories_are_one_list_each_every_thirty_seconds() {
    let mut world = World::new(1000);
    world.pass(10 * MINUTE);
    let before = world.total();
    world.pass(60 * MINUTE);
    assert_eq!(world.total() - before, 120_000);
}

#[test]
fn ten_thousand_repositories_take_less_than_six_megabytes() {
    let mut world = World::new(10_000);
    world.pass(Duration::ZERO);
    // The entry with its key in the map, its place in the order, and the name they share.
    let name = "northwind/app-00000".len() + 2 * size_of::<usize>();
    let each = size_of::<Entry>() + 2 * size_of::<Name>() + size_of::<Instant>() + name;
    // Nodes of a B-tree are at least half full.
    let bytes = each * 2 * world.book.len();
    assert!(bytes < 6_000_000, "{bytes} bytes, {each} each");
}

#[test]
fn what_was_switched_off_is_switched_on_again_and_refreshed_once() {
    let mut world = World::new(3);
    world.pass(10 * MINUTE);
    let (name, healed) = (world.only(), world.refreshed.len());
    world.is_reached = false;
    (0..SWITCHED_OFF).for_each(|_| world.push(&name));
    assert_eq!(world.ours(&name), [(1, SWITCHED_OFF)]);
    world.is_reached = true;
    world.pass(Duration::from_secs(30));
    assert_eq!(world.ours(&name), [(1, 0)]);
    world.push(&name);
    world.pass(60 * MINUTE);
    assert_eq!((world.calls["enable"], world.book.healed()), (1, 1));
    assert_eq!(world.refreshed[healed..], [name]);
}

#[test]
fn failures_below_three_are_reported_and_not_reset_and_heal_false_resets_nothing() {
    let mut world = World::new(1);
    world.pass(10 * MINUTE);
    let name = world.only();
    world.is_reached = false;
    world.push(&name);
    world.pass(MINUTE);
    assert_eq!((world.states(), world.calls.get("enable")), (BTreeMap::from([("Failing", 1)]), None));
    world.heals = false;
    (0..SWITCHED_OFF).for_each(|_| world.push(&name));
    world.pass(MINUTE);
    assert_eq!((world.states(), world.calls.get("enable")), (BTreeMap::from([("Disabled", 1)]), None));
}

#[test]
fn while_the_receiver_is_away_only_one_is_reset_at_a_time_and_all_when_it_is_back() {
    let mut world = World::new(50);
    world.pass(10 * MINUTE);
    world.is_reached = false;
    // Each push to a hook that was switched on again fails it again.
    let fail_all = |world: &mut World| {
        for name in world.hooks.keys().cloned().collect::<Vec<_>>() {
            (0..SWITCHED_OFF).for_each(|_| world.push(&name));
        }
    };
    for _ in 0..20 {
        fail_all(&mut world);
        world.pass(Duration::from_secs(30));
    }
    let enabled = world.calls["enable"];
    assert!(enabled <= 50 * usize::from(RESETS) + 20, "{enabled} resets in 10 minutes");
    world.is_reached = true;
    // One was reset as a probe and does not fail again: a minute later all are on.
    world.pass(MINUTE);
    assert!(world.hooks.values().flatten().all(|hook| hook.failures == 0), "{:?}", world.states());
}

#[test]
fn a_rotation_keeps_the_old_one_until_the_new_one_is_proven_and_what_waits_is_attempted() {
    let mut world = World::new(1);
    world.pass(10 * MINUTE);
    let name = world.only();
    world.url = 2;
    world.book.look_at_all(world.now);
    world.pass(Duration::ZERO);
    assert_eq!(world.ours(&name), [(1, 0), (2, 0)]);
    assert_eq!(world.states(), BTreeMap::from([("Rotating", 1)]));
    assert_eq!(world.book.awaiting().len(), 1);
    world.book.arrived(&name);
    assert!(world.book.awaiting().is_empty());
    world.pass(Duration::from_secs(159));
    assert_eq!(world.ours(&name).len(), 2);
    world.pass(Duration::from_secs(31));
    assert_eq!(world.ours(&name), [(2, 0)]);
    assert_eq!(world.refreshed.len(), 3, "after each creation, and after the old one is gone");
    world.pass(MINUTE);
    assert_eq!(world.states(), BTreeMap::from([("Healthy", 1)]));
}

#[test]
fn a_new_one_that_fails_is_tested_again_and_the_old_one_stays() {
    let mut world = World::new(1);
    world.pass(10 * MINUTE);
    let name = world.only();
    (world.url, world.is_reached, world.heals) = (2, false, false);
    world.book.look_at_all(world.now);
    world.pass(Duration::ZERO);
    world.push(&name);
    world.pass(10 * MINUTE);
    assert_eq!(world.ours(&name).len(), 2, "it is not proven");
    assert!((10..=20).contains(&world.calls["test"]), "{:?}", world.calls);
    world.is_reached = true;
    world.push(&name);
    world.pass(10 * MINUTE);
    assert_eq!(world.ours(&name), [(2, 0)]);
}

#[test]
fn while_the_sender_is_away_one_call_a_beat_is_made_and_at_its_return_everything_is_looked_at() {
    for refusal in [Refusal::Unreachable("no route".to_owned()), Refusal::HostFault { status: 502 }] {
        let mut world = World::new(50);
        world.pass(10 * MINUTE);
        let before = world.total();
        world.refuses = Some(refusal.clone());
        world.pass(10 * MINUTE);
        let calls = world.total() - before;
        assert!(calls <= 35, "{calls} calls in 10 minutes of {refusal:?}");
        assert_eq!(world.book.trouble(), Some(&refusal));
        world.refuses = None;
        let before = world.total();
        world.pass(Duration::from_secs(30));
        assert!(world.total() - before >= 50, "all are looked at again");
        assert!(world.book.trouble().is_none());
        assert_eq!(world.states(), BTreeMap::from([("Healthy", 50)]));
    }
}

#[test]
fn a_refused_token_is_tried_ever_more_rarely_and_a_new_one_at_once() {
    let mut world = World::new(50);
    world.pass(10 * MINUTE);
    world.refuses = Some(Refusal::TokenUnusable);
    let before = world.total();
    world.pass(60 * MINUTE);
    let calls = world.total() - before;
    assert!(calls <= 16, "{calls} calls in an hour");
    world.refuses = None;
    world.book.look_at_all(world.now);
    world.pass(Duration::ZERO);
    assert_eq!(world.states(), BTreeMap::from([("Healthy", 50)]));
}

#[test]
fn one_repository_that_is_refused_is_backed_off_and_disturbs_no_other() {
    let mut world = World::new(2);
    world.pass(10 * MINUTE);
    let (gone, before) = (world.only(), world.total());
    let mut looks = 0;
    for _ in 0..3600 {
        while let Turn::Look(name) = world.book.next(world.now) {
            let ended = if name == gone {
                looks += 1;
                Err(Refusal::RepositoryGone)
            } else {
                world.look(&name)
            };
            world.book.end(&name, ended, world.now);
        }
        world.now += Duration::from_secs(1);
    }
    assert!((5..=12).contains(&looks), "{looks} looks in an hour");
    assert!((115..=125).contains(&(world.total() - before)), "the other one is looked at as ever");
    assert_eq!(world.states(), BTreeMap::from([("Healthy", 1), ("Refused", 1)]));
}

#[test]
fn what_is_wanted_no_longer_is_removed_and_forgotten() {
    let mut world = World::new(2);
    world.pass(MINUTE);
    let name = world.only();
    world.hooks.get_mut(&name).unwrap().push(Hook {
        id: "x".into(),
        event: "repo_push".into(),
        url: OTHERS,
        failures: 0,
    });
    world.want(&BTreeSet::new());
    world.pass(MINUTE);
    assert_eq!(world.book.len(), 0);
    assert_eq!(world.hooks.values().flatten().count(), 1, "that of another stays");
}

#[derive(Clone, Debug)]
enum Move {
    Push(usize),
    Pass(u64),
    Rotate,
    Reach(bool),
    Refuse(Option<u8>),
    /// Somebody adds a notification: a double of ours, one of a former URL, or one of their own.
    Add(usize, u32),
    Remove(usize),
    Want(usize),
    Restart,
}

fn moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        4 => (0..4_usize).prop_map(Move::Push),
        4 => (1..100_u64).prop_map(Move::Pass),
        1 => Just(Move::Rotate),
        2 => any::<bool>().prop_map(Move::Reach),
        1 => proptest::option::of(0..4_u8).prop_map(Move::Refuse),
        1 => (0..4_usize, 0..3_u32).prop_map(|(repository, whose)| Move::Add(repository, whose)),
        1 => (0..4_usize).prop_map(Move::Remove),
        1 => (0..5_usize).prop_map(Move::Want),
        1 => Just(Move::Restart),
    ]
}

fn name(number: usize) -> Name {
    Name::from(format!("northwind/app-{number:05}"))
}

impl World {
    fn make(&mut self, action: &Move, wanted: &mut usize) {
        match *action {
            Move::Push(number) => self.push(&name(number)),
            Move::Pass(seconds) => self.pass(Duration::from_secs(seconds)),
            Move::Rotate => {
                self.url += 1;
                self.book.look_at_all(self.now);
            }
            Move::Reach(is_reached) => self.is_reached = is_reached,
            Move::Refuse(what) => {
                self.refuses = what.map(|what| match what {
                    0 => Refusal::TokenUnusable,
                    1 => Refusal::Unreachable(String::new()),
                    2 => Refusal::HostFault { status: 500 },
                    _ => Refusal::ReadOnly,
                });
            }
            Move::Add(number, whose) => {
                self.next += 1;
                let url = if whose == 2 { OTHERS } else { self.url.saturating_sub(whose).max(1) };
                let hook = Hook { id: self.next.to_string(), event: "repo_push".to_owned(), url, failures: 0 };
                self.hooks.entry(name(number)).or_default().push(hook);
            }
            Move::Remove(number) => {
                self.hooks.entry(name(number)).or_default().retain(|hook| hook.url >= OTHERS);
            }
            Move::Want(count) => {
                *wanted = count;
                self.want(&(0..count).map(name).collect());
            }
            Move::Restart => {
                self.book = Book::new(rules(), self.now);
                self.want(&(0..*wanted).map(name).collect());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]

    /// Whatever happens, once it stops happening every wanted repository has exactly one notification of ours, which is
    /// switched on and has the present URL, and those of others are as they were.
    #[test]
    fn whatever_happens_everything_is_well_in_the_end(actions in proptest::collection::vec(moves(), 1..60)) {
        let (mut world, mut wanted) = (World::new(4), 4);
        for action in &actions {
            let others = world.hooks.values().flatten().filter(|hook| hook.url >= OTHERS).count();
            world.make(action, &mut wanted);
            let left = world.hooks.values().flatten().filter(|hook| hook.url >= OTHERS).count();
            prop_assert!(left == others + usize::from(matches!(action, Move::Add(_, 2))));
        }
        (world.is_reached, world.refuses) = (true, None);
        for _ in 0..60 {
            (0..4).for_each(|number| world.push(&name(number)));
            world.pass(MINUTE);
        }
        for number in 0..wanted {
            prop_assert_eq!(world.ours(&name(number)), [(world.url, 0)], "{}", number);
        }
        prop_assert_eq!(world.book.pages().filter(|page| page.state == State::Healthy).count(), wanted);
    }
}
