//! A Warehouse, its registry and Kargo's controller in simulated time, watched by replicas that pursue.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::super::machine::Machine;
use super::super::{At, Origin, Outcome, Push, Report, Rules, Sighting, Why};
use crate::domain::artifact::Listing;
use crate::domain::event::PushEvent;
use crate::domain::scope::ObjectKey;
use crate::domain::target::Target;
use crate::refresh::token::token;

/// Milliseconds since the beginning.
pub(super) type Ms = u64;

/// What happens to the world, and when.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// A tag is pushed and its sender reports it to a replica. The registry lists it that much later.
    Push { replica: usize, listed_after: Ms, known: bool },
    /// The registry answers errors for so long.
    RegistryDown(Ms),
    /// Looks take so long from now on.
    Slow(Ms),
    /// The controller ends and another one is there after that time.
    KargoRestarts(Ms),
    /// Somebody else writes a token: Kargo's own receiver, or kubectl.
    Foreign,
    /// Kargo looks because its interval is over.
    Interval,
    /// A replica ends and comes back after that time without a memory.
    ReplicaRestarts { replica: usize, after: Ms },
    /// The watch of a replica breaks and begins anew with a list after that time.
    WatchBreaks { replica: usize, after: Ms },
    /// A replica refreshes what it may have missed, without a push.
    CatchUp { replica: usize },
    /// From now on the answer to a PATCH takes up to so long.
    SlowAnswers(Ms),
}

/// How Kargo is set up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    /// Kargo's clock minus ours.
    pub(super) skew: i64,
    /// Whether the token is saved when a look begins; else with its result.
    pub(super) saves_early: bool,
    pub(super) replicas: usize,
    pub(super) rules: Rules,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Object {
    annotation: Option<String>,
    handled: Option<String>,
    discovered: Option<i64>,
    looking: bool,
    failure: Option<String>,
    tags: Arc<BTreeSet<u32>>,
}

#[derive(Debug)]
enum Happening {
    Act(Act),
    Tick(usize),
    /// A replica's PATCH arrives at the API server.
    Patch {
        replica: usize,
        life: u32,
        token: String,
        begun: Timestamp,
    },
    /// Its answer arrives.
    Written {
        replica: usize,
        life: u32,
        token: String,
        begun: Timestamp,
    },
    /// A watch event arrives.
    Seen {
        replica: usize,
        watch: u32,
        object: Object,
    },
    /// A list arrives.
    List {
        replica: usize,
        watch: u32,
        began: Ms,
    },
    LookEnds {
        life: u32,
        began: Ms,
        token: Option<String>,
        tags: Arc<BTreeSet<u32>>,
        fails: bool,
    },
    KargoWakes {
        life: u32,
    },
    KargoStarts {
        life: u32,
    },
}

struct Replica {
    machine: Machine,
    life: u32,
    watch: u32,
    up: bool,
    watching: bool,
    last_token: i64,
    /// When its last event arrives: they do not overtake each other.
    arrives: Ms,
}

struct Kargo {
    life: u32,
    busy: bool,
    look: Ms,
}

/// What became of a push.
#[derive(Debug)]
pub(super) struct Pushed {
    pub(super) at: Ms,
    pub(super) replica: usize,
    pub(super) life: u32,
    pub(super) outcome: Option<Outcome>,
    pub(super) message: Option<String>,
    pub(super) outcome_at: Ms,
}

pub(super) struct World {
    setup: Setup,
    now: Ms,
    queue: BinaryHeap<Reverse<(Ms, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    count: u64,
    object: Object,
    /// When the registry begins to list a tag.
    registry: BTreeMap<u32, Ms>,
    down_until: Ms,
    /// The answer to a PATCH takes up to so long.
    answers: Ms,
    kargo: Kargo,
    replicas: Vec<Replica>,
    pub(super) pushes: Vec<Pushed>,
    /// By replica.
    pub(super) nudges: Vec<Ms>,
    pub(super) unhandled: usize,
    /// What was reported to be wrong, when and by which replica.
    pub(super) troubles: Vec<(Ms, usize, Why)>,
    /// When the last look began that succeeded.
    pub(super) looked: Ms,
}

const START: i64 = 1_800_000_000;

impl World {
    pub(super) fn new(setup: Setup) -> Self {
        let mut world = Self {
            setup,
            now: 0,
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            count: 0,
            object: Object::default(),
            registry: BTreeMap::new(),
            down_until: 0,
            answers: 60,
            kargo: Kargo { life: 0, busy: false, look: 300 },
            replicas: Vec::new(),
            pushes: Vec::new(),
            nudges: Vec::new(),
            unhandled: 0,
            troubles: Vec::new(),
            looked: 0,
        };
        world.object.discovered = Some(world.kargo_second());
        for replica in 0..setup.replicas {
            let machine = Machine::new(setup.rules);
            let fresh = Replica { machine, life: 0, watch: 0, up: true, watching: true, last_token: 0, arrives: 0 };
            world.replicas.push(fresh);
            world.at(100, Happening::Tick(replica));
        }
        world
    }

    pub(super) fn plan(&mut self, acts: impl IntoIterator<Item = (Ms, Act)>) {
        acts.into_iter().for_each(|(at, act)| self.at(at, Happening::Act(act)));
    }

    pub(super) fn run(&mut self, until: Ms) {
        while let Some(Reverse((at, id))) = self.queue.pop_if_due(until) {
            self.now = at;
            if let Some(happening) = self.happenings.remove(&id) {
                self.happen(happening);
            }
        }
        self.now = until;
    }

    pub(super) fn lists(&self, push: usize) -> bool {
        self.object.tags.contains(&u32::try_from(push).unwrap())
    }

    /// Objects in pursuit, of all replicas.
    pub(super) fn pursued(&self) -> usize {
        self.replicas.iter().map(|replica| replica.machine.pursued().0).sum()
    }

    pub(super) fn lives(&self, push: &Pushed) -> bool {
        self.replicas[push.replica].life == push.life
    }

    fn at(&mut self, at: Ms, happening: Happening) {
        self.count += 1;
        self.queue.push(Reverse((at, self.count)));
        self.happenings.insert(self.count, happening);
    }

    fn wall(&self) -> Timestamp {
        Timestamp::from_second(START).unwrap() + SignedDuration::from_millis(i64::try_from(self.now).unwrap())
    }

    fn here(&self) -> At {
        At { now: Duration::from_millis(self.now), wall: self.wall() }
    }

    fn kargo_second(&self) -> i64 {
        self.wall().as_second() + self.setup.skew
    }

    /// A delay that differs from case to case, without a source of chance.
    fn delay(&self, least: Ms, spread: Ms) -> Ms {
        least + (self.now.wrapping_mul(2_654_435_761).wrapping_add(self.count * 97)) % (spread + 1)
    }

    fn change(&mut self, change: impl FnOnce(&mut Object)) {
        let before = self.object.clone();
        change(&mut self.object);
        if before == self.object {
            return;
        }
        for replica in 0..self.replicas.len() {
            if self.replicas[replica].watching {
                let at = (self.now + self.delay(1, 40)).max(self.replicas[replica].arrives);
                self.replicas[replica].arrives = at;
                let (watch, object) = (self.replicas[replica].watch, self.object.clone());
                self.at(at, Happening::Seen { replica, watch, object });
            }
        }
        if before.annotation != self.object.annotation {
            self.wake_kargo(5);
        }
    }

    fn wake_kargo(&mut self, after: Ms) {
        let life = self.kargo.life;
        self.at(self.now + after, Happening::KargoWakes { life });
    }

    /// A reconciliation, as `spec` and `status` have it.
    fn reconcile(&mut self, due: bool) {
        if self.kargo.busy {
            return;
        }
        let token = self.object.annotation.clone();
        if token == self.object.handled && !due {
            return self.change(|object| (object.looking, object.failure) = (false, None));
        }
        self.kargo.busy = true;
        let early = self.setup.saves_early;
        let kept = token.clone();
        self.change(|object| {
            (object.looking, object.failure) = (true, None);
            if early {
                object.handled = kept;
            }
        });
        let listed: BTreeSet<u32> =
            self.registry.iter().filter(|(_, at)| **at <= self.now).map(|(tag, _)| *tag).collect();
        let (life, took, fails) = (self.kargo.life, self.delay(self.kargo.look, 100), self.now < self.down_until);
        self.at(self.now + took, Happening::LookEnds { life, began: self.now, token, tags: Arc::new(listed), fails });
    }

    fn patch(&mut self, replica: usize) {
        let wall = i64::try_from(self.wall().as_nanosecond()).unwrap();
        let (life, delay) = (self.replicas[replica].life, self.delay(2, 20));
        let next = wall.max(self.replicas[replica].last_token + 1);
        self.replicas[replica].last_token = next;
        let begun = Timestamp::from_nanosecond(next.into()).unwrap();
        self.at(self.now + delay, Happening::Patch { replica, life, token: token(begun), begun });
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Act(act) => self.act(&act),
            Happening::Tick(replica) => self.tick(replica),
            Happening::Patch { replica, life, token, begun } => {
                let annotation = Some(token.clone());
                self.change(|object| object.annotation = annotation);
                let delay = self.delay(1, self.answers);
                self.at(self.now + delay, Happening::Written { replica, life, token, begun });
            }
            Happening::Written { replica, life, token, begun } => {
                let here = self.here();
                if self.replicas[replica].up && self.replicas[replica].life == life {
                    let mut out = Vec::new();
                    self.replicas[replica].machine.written(&target(), &token, begun, here, &mut out);
                    self.report(replica, out);
                }
            }
            Happening::Seen { replica, watch, object } => {
                if self.replicas[replica].up && self.replicas[replica].watch == watch {
                    self.see(replica, &object, Origin::Live);
                }
            }
            Happening::List { replica, watch, began } => {
                if self.replicas[replica].watch == watch && self.replicas[replica].up {
                    self.replicas[replica].watching = true;
                    let object = self.object.clone();
                    self.see(replica, &object, Origin::Listed { began: Duration::from_millis(began) });
                }
            }
            Happening::LookEnds { life, began, token, tags, fails } => {
                if life == self.kargo.life {
                    self.look_ends(began, token, tags, fails);
                }
            }
            Happening::KargoStarts { life } => {
                if life == self.kargo.life {
                    self.kargo.busy = false;
                    self.reconcile(false);
                }
            }
            Happening::KargoWakes { life } => {
                if life == self.kargo.life {
                    self.reconcile(false);
                }
            }
        }
    }

    fn look_ends(&mut self, began: Ms, token: Option<String>, tags: Arc<BTreeSet<u32>>, fails: bool) {
        self.kargo.busy = false;
        let second = self.kargo_second();
        if fails {
            self.change(|object| {
                (object.handled, object.failure) = (token, Some("registry down".to_owned()));
            });
            self.wake_kargo(100);
        } else {
            self.looked = began;
            self.change(|object| {
                (object.handled, object.failure, object.looking) = (token, None, false);
                (object.discovered, object.tags) = (Some(second), tags);
            });
            self.wake_kargo(1);
        }
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Push { replica, listed_after, known } => self.push(replica, listed_after, known),
            Act::RegistryDown(for_ms) => self.down_until = self.now + for_ms,
            Act::Slow(look) => self.kargo.look = look,
            Act::KargoRestarts(after) => {
                self.kargo.life += 1;
                // Deaf until it is there.
                self.kargo.busy = true;
                let life = self.kargo.life;
                self.at(self.now + after, Happening::KargoStarts { life });
            }
            Act::Foreign => {
                let foreign = Some(format!("{:.0}", self.wall()));
                self.change(|object| object.annotation = foreign);
            }
            Act::Interval => self.reconcile(true),
            Act::ReplicaRestarts { replica, after } => {
                let rules = self.setup.rules;
                let it = &mut self.replicas[replica];
                (it.machine, it.up, it.watching) = (Machine::new(rules), true, false);
                it.life += 1;
                self.list(replica, after);
            }
            Act::WatchBreaks { replica, after } => self.list(replica, after),
            Act::CatchUp { replica } => self.patch(replica),
            Act::SlowAnswers(answers) => self.answers = answers,
        }
    }

    fn list(&mut self, replica: usize, after: Ms) {
        let it = &mut self.replicas[replica];
        it.watching = false;
        it.watch += 1;
        let (watch, began) = (it.watch, self.now + after);
        self.at(began, Happening::List { replica, watch, began });
    }

    fn push(&mut self, replica: usize, listed_after: Ms, known: bool) {
        let id = u32::try_from(self.pushes.len()).unwrap();
        self.registry.insert(id, self.now + listed_after);
        let life = self.replicas[replica].life;
        self.pushes.push(Pushed { at: self.now, replica, life, outcome: None, message: None, outcome_at: 0 });
        let tags = if known { vec![id.to_string()] } else { Vec::new() };
        let event = PushEvent::new("push".into(), vec!["quay.io/a/b".to_owned()], tags);
        let push = Push { events: Arc::from([event]), delivery: Some(id.to_string().into()) };
        let here = self.here();
        let mut out = Vec::new();
        self.replicas[replica].machine.want(&target(), &push, here, &mut out);
        self.report(replica, out);
        self.patch(replica);
    }

    fn see(&mut self, replica: usize, object: &Object, origin: Origin) {
        let sighting = Sighting {
            annotation: object.annotation.as_deref(),
            handled: object.handled.as_deref(),
            discovered: object.discovered,
            looking: object.looking,
            failure: object.failure.as_deref(),
        };
        let (here, mut out) = (self.here(), Vec::new());
        let mut lists = |events: &[PushEvent]| {
            let tags: Vec<u32> =
                events.iter().flat_map(|event| &event.qualifiers).map(|tag| tag.parse().unwrap()).collect();
            match tags.iter().all(|tag| object.tags.contains(tag)) {
                true if tags.is_empty() => Listing::Unknown,
                true => Listing::Listed,
                false => Listing::Missing,
            }
        };
        self.replicas[replica].machine.observe(&target(), &sighting, (here, origin), &mut lists, &mut out);
        self.report(replica, out);
    }

    fn tick(&mut self, replica: usize) {
        let (here, mut out) = (self.here(), Vec::new());
        // The lowest replica that lives leads.
        let leads = replica == 0;
        let due = self.replicas[replica].machine.tick(here, leads, &mut out);
        for target in due {
            self.replicas[replica].machine.nudged(&target, here);
            self.nudges.push(self.now);
            self.patch(replica);
        }
        self.report(replica, out.into_iter().map(|(_, report)| report).collect());
        self.at(self.now + 500, Happening::Tick(replica));
    }

    fn report(&mut self, replica: usize, reports: Vec<Report>) {
        let now = self.now;
        for report in reports {
            match report {
                Report::NotHandled => self.unhandled += 1,
                Report::Handled { .. } | Report::Looked { .. } | Report::Failing { .. } => {}
                Report::Troubled { why, .. } => self.troubles.push((now, replica, why)),
                Report::Ended { push, outcome, message, .. } => {
                    let Some(id) = push.delivery.and_then(|id| id.parse::<usize>().ok()) else { continue };
                    let pushed = &mut self.pushes[id];
                    assert_eq!(pushed.replica, replica);
                    assert!(pushed.outcome.is_none(), "one outcome for each push");
                    pushed.outcome = Some(outcome);
                    pushed.message = message.map(String::from);
                    pushed.outcome_at = now;
                }
            }
        }
    }
}

trait PopIfDue {
    fn pop_if_due(&mut self, until: Ms) -> Option<Reverse<(Ms, u64)>>;
}

impl PopIfDue for BinaryHeap<Reverse<(Ms, u64)>> {
    fn pop_if_due(&mut self, until: Ms) -> Option<Reverse<(Ms, u64)>> {
        self.peek().filter(|Reverse((at, _))| *at <= until)?;
        self.pop()
    }
}

pub(super) fn target() -> Target {
    Target::warehouse(ObjectKey::new("project", "warehouse"))
}

pub(super) const fn minutes(count: Ms) -> Ms {
    count * 60_000
}

/// The first pause as it is shipped.
pub(super) const UNIT: Duration = Duration::from_secs(5);

/// The rules as they are shipped.
pub(super) const fn shipped() -> Rules {
    Rules::new(UNIT, Some(Rules::FOLLOW_UP_FOR), false)
}
