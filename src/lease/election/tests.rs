//! Tables for each rule, and a simulation of several replicas with wrong clocks on a network that delays and loses.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use proptest::prelude::*;

use super::super::members::Note;
use super::*;

const THRESHOLD: Duration = Duration::from_secs(60);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A replica with clocks that a test sets.
struct Replica {
    election: Election,
    base: Instant,
    wall: Timestamp,
}

impl Replica {
    fn new(name: &str) -> Self {
        let wall = at("2026-08-21T12:00:00Z");
        Self { election: Election::new(Arc::from(name), wall, THRESHOLD), base: Instant::now(), wall }
    }

    fn moment(&self, seconds: u64) -> Moment {
        let passed = Duration::from_secs(seconds);
        Moment { steady: self.base + passed, wall: self.wall + passed }
    }

    fn step(&self, seconds: u64) -> Step {
        self.election.step(self.moment(seconds))
    }

    #[track_caller]
    fn reads(&mut self, seconds: u64, found: Option<Record>) {
        assert_eq!(self.step(seconds), Step::Read);
        self.election.read(self.moment(seconds), found);
    }

    #[track_caller]
    fn wants_to_write(&self, seconds: u64) -> Record {
        let Step::Write(record) = self.step(seconds) else { panic!("{:?}", self.step(seconds)) };
        record
    }

    /// Writes with success; the Lease then has this version.
    #[track_caller]
    fn writes(&mut self, seconds: u64, version: &str) -> Record {
        let record = Record { version: Some(Arc::from(version)), ..self.wants_to_write(seconds) };
        let now = self.moment(seconds);
        self.election.written(now, now, record.clone());
        record
    }

    fn leads(&self, seconds: u64) -> bool {
        self.election.leads(self.moment(seconds))
    }
}

fn held_by(holder: &str, version: &str, renewed: &str) -> Record {
    Record {
        version: Some(Arc::from(version)),
        holder: Some(Arc::from(holder)),
        duration: DURATION,
        acquired: Some(at(renewed)),
        renewed: Some(at(renewed)),
        transitions: 4,
        catch_up: None,
        downtime: None,
        notes: Notes::new(),
    }
}

fn released(version: &str, renewed: &str) -> Record {
    Record { holder: None, duration: RELEASED, ..held_by("nobody", version, renewed) }
}

#[test]
fn the_first_replica_creates_the_lease_leads_and_renews() {
    let mut replica = Replica::new("a");
    replica.reads(0, None);
    let created = replica.wants_to_write(0);
    assert_eq!((created.version.clone(), created.holder.as_deref(), created.transitions), (None, Some("a"), 0));
    assert_eq!(created.catch_up, None, "a first installation has missed nothing");
    assert!(!replica.leads(0));
    let written = replica.writes(0, "1");
    assert!(replica.leads(0) && replica.election.term() == 1);
    assert_eq!(replica.step(3), Step::Wait(Duration::from_secs(2)));
    let renewal = replica.wants_to_write(5);
    assert_eq!((renewal.version.as_deref(), renewal.transitions), (Some("1"), 0));
    assert_eq!(renewal.acquired, written.acquired);
    assert!(renewal.renewed > written.renewed);
    replica.writes(5, "2");
    assert!(replica.leads(16) && !replica.leads(17), "12 s from the renewal that succeeded");
    assert_eq!(replica.election.term(), 1);
}

#[test]
fn a_claim_counts_from_before_the_write_was_sent() {
    let mut replica = Replica::new("a");
    replica.reads(0, None);
    let record = replica.wants_to_write(0);
    assert!(replica.election.written(replica.moment(0), replica.moment(10), record));
    assert!(replica.leads(11) && !replica.leads(12));
    let mut slow = Replica::new("b");
    slow.reads(0, None);
    let record = slow.wants_to_write(0);
    assert!(
        !slow.election.written(slow.moment(0), slow.moment(12), record),
        "an answer that comes too late does not lead"
    );
    assert!(!slow.leads(12));
}

#[test]
fn a_claim_also_ends_by_the_wall_clock_because_the_steady_one_may_have_stood_still() {
    let mut replica = Replica::new("a");
    replica.reads(0, None);
    replica.writes(0, "1");
    let suspended = Moment { steady: replica.moment(1).steady, wall: replica.moment(3600).wall };
    assert!(!replica.election.leads(suspended));
    let set_back = Moment { steady: replica.moment(13).steady, wall: at("2020-01-01T00:00:00Z") };
    assert!(!replica.election.leads(set_back));
}

#[test]
fn expiry_is_counted_from_the_last_change_that_was_seen_whatever_time_the_lease_names() {
    for renewed in ["1999-01-01T00:00:00Z", "2199-01-01T00:00:00Z"] {
        let mut replica = Replica::new("b");
        replica.reads(0, Some(held_by("a", "1", renewed)));
        assert_eq!(replica.step(0), Step::Wait(RETRY_AFTER));
        replica.reads(2, Some(held_by("a", "1", renewed)));
        replica.reads(8, Some(held_by("a", "2", renewed)));
        replica.reads(22, Some(held_by("a", "2", renewed)));
        assert_eq!(replica.step(22), Step::Wait(Duration::from_secs(1)), "the next look is when it expires");
        replica.reads(23, Some(held_by("a", "2", renewed)));
        let taken = replica.wants_to_write(23);
        assert_eq!((taken.version.as_deref(), taken.holder.as_deref(), taken.transitions), (Some("2"), Some("b"), 5));
    }
}

#[test]
fn a_released_lease_is_taken_over_at_once_and_tells_when_a_replica_lived() {
    let mut first = Replica::new("a");
    first.reads(0, None);
    first.writes(0, "1");
    let record = first.election.release(first.moment(4)).unwrap();
    assert!(!first.leads(4));
    assert_eq!((record.version.as_deref(), record.holder.as_deref(), record.duration.as_secs()), (Some("1"), None, 1));
    assert_eq!(record.renewed, Some(at("2026-08-21T12:00:04Z")));
    let mut second = Replica::new("b");
    second.reads(5, Some(record));
    assert_eq!(second.wants_to_write(5).holder.as_deref(), Some("b"));
    assert!(second.election.release(second.moment(6)).is_none(), "it is not this replica's");
}

#[test]
fn whoever_finds_another_holder_leads_no_longer() {
    let mut replica = Replica::new("a");
    replica.reads(0, None);
    replica.writes(0, "1");
    replica.election.failed(replica.moment(5));
    assert_eq!(replica.step(5), Step::Wait(RETRY_AFTER));
    replica.reads(7, Some(held_by("b", "2", "2026-08-21T12:00:06Z")));
    assert!(!replica.leads(7));
    assert_eq!(replica.election.other_holder().as_deref(), Some("b"));
    assert!(replica.election.release(replica.moment(7)).is_none());
}

#[test]
fn a_leader_whose_write_failed_renews_after_a_look_and_a_lapse_makes_a_new_term() {
    let mut replica = Replica::new("a");
    replica.reads(0, None);
    let record = replica.writes(0, "1");
    replica.election.failed(replica.moment(7));
    // The write had arrived, only its answer had not.
    replica.reads(9, Some(Record { version: Some(Arc::from("2")), ..record.clone() }));
    assert_eq!(replica.wants_to_write(9).version.as_deref(), Some("2"));
    let record = replica.writes(9, "3");
    assert_eq!(replica.election.term(), 1);
    replica.election.failed(replica.moment(30));
    assert!(!replica.leads(30));
    replica.reads(32, Some(record));
    replica.writes(32, "4");
    assert!(replica.leads(32));
    assert_eq!(replica.election.term(), 2, "what was left undone meanwhile has to be looked at again");
}

#[test]
fn a_deleted_lease_is_made_again_by_its_holder_and_by_others_only_when_that_one_must_have_stopped() {
    let mut holder = Replica::new("a");
    holder.reads(0, None);
    let record = holder.writes(0, "1");
    holder.election.failed(holder.moment(5));
    holder.reads(7, None);
    assert_eq!(holder.wants_to_write(7).version, None);
    let mut other = Replica::new("b");
    other.reads(1, Some(record));
    other.reads(6, None);
    other.reads(20, None);
    assert_eq!(other.step(20), Step::Wait(Duration::from_secs(1)));
    other.reads(21, None);
    assert_eq!(other.wants_to_write(21).version, None);
}

#[test]
fn a_renewal_always_changes_the_lease_even_when_the_clock_stands_still() {
    let mut replica = Replica::new("a");
    replica.reads(0, None);
    let record = replica.writes(0, "1");
    let frozen = Moment { steady: replica.moment(5).steady, wall: replica.wall };
    let Step::Write(renewal) = replica.election.step(frozen) else { panic!() };
    assert_ne!(renewal.renewed, record.renewed);
}

#[test]
fn a_catch_up_is_due_after_a_longer_gap_than_the_threshold() {
    // The replicas of these tests start at 12:00:00.
    let cases = [
        (Some(released("1", "2026-08-21T11:58:59Z")), true),
        (Some(released("1", "2026-08-21T11:59:00Z")), false),
        (Some(released("1", "2026-08-21T11:59:55Z")), false),
        (Some(released("1", "2026-08-21T13:00:00Z")), false),
        (Some(Record { renewed: None, ..released("1", "2026-08-21T11:00:00Z") }), false),
        (None, false),
    ];
    for (found, due) in cases {
        let mut replica = Replica::new("a");
        replica.reads(0, found.clone());
        let record = replica.writes(0, "2");
        let since = record.catch_up.as_ref().map(|catch_up| catch_up.since);
        assert_eq!(since, found.and_then(|found| found.renewed).filter(|_| due));
        assert_eq!(replica.election.catch_up(), record.catch_up.as_ref());
    }
}

#[test]
fn the_time_that_a_replica_waited_for_an_expired_lease_is_no_gap() {
    let mut replica = Replica::new("a");
    // The API server was away for ten minutes, and then the leader did not come back.
    replica.reads(600, Some(held_by("b", "1", "2026-08-21T11:59:55Z")));
    replica.reads(615, Some(held_by("b", "1", "2026-08-21T11:59:55Z")));
    assert_eq!(replica.wants_to_write(615).catch_up, None);
}

#[test]
fn only_the_one_who_takes_over_what_it_first_saw_catches_up() {
    let old = released("1", "2026-08-21T10:00:00Z");
    let (mut first, mut second) = (Replica::new("a"), Replica::new("b"));
    first.reads(0, Some(old.clone()));
    second.reads(0, Some(old));
    assert_eq!(second.election.gap(), Some(Duration::from_hours(2)));
    let mut record = first.writes(0, "2");
    assert!(record.catch_up.is_some());
    // The second one's write was in vain.
    second.election.failed(second.moment(1));
    first.election.caught_up();
    record = Record { version: Some(Arc::from("3")), ..first.writes(1, "3") };
    assert_eq!(record.catch_up, None);
    second.reads(3, Some(record.clone()));
    assert_eq!(second.election.gap(), None);
    second.reads(18, Some(record));
    assert_eq!(second.wants_to_write(18).catch_up, None, "the first one did it");
}

#[test]
fn an_unfinished_catch_up_is_continued_where_its_predecessor_recorded_it() {
    let mut first = Replica::new("a");
    first.reads(0, Some(released("1", "2026-08-21T10:00:00Z")));
    first.writes(0, "2");
    first.election.caught_up_to(Arc::from("n/w"));
    let record = first.writes(5, "3");
    let since = at("2026-08-21T10:00:00Z");
    assert_eq!(record.catch_up, Some(Missed { since, at: Some(Arc::from("n/w")) }));

    let mut standby = Replica::new("b");
    standby.reads(6, Some(record.clone()));
    standby.reads(21, Some(record.clone()));
    assert_eq!(standby.writes(21, "4").catch_up, record.catch_up);
    let released = first.election.release(first.moment(6)).unwrap();
    assert_eq!(released.catch_up, record.catch_up);

    // A replica that starts after another gap has to begin again, for all of the time.
    let mut late = Replica::new("c");
    late.wall = at("2026-08-21T18:00:00Z");
    late.election = Election::new(Arc::from("c"), late.wall, THRESHOLD);
    late.reads(0, Some(released.clone()));
    assert_eq!(late.wants_to_write(0).catch_up, Some(Missed { since, at: None }));
    let mut off = Replica::new("d");
    off.election = Election::new(Arc::from("d"), late.wall, Duration::ZERO);
    off.reads(0, Some(released));
    assert_eq!(off.wants_to_write(0).catch_up, None);
}

// ---- The simulation. Times are milliseconds of true time.

/// After this time no clock is set any more.
const CLOCKS_SET_BY: u64 = 100_000;

/// What may go wrong, drawn again for each call.
#[derive(Clone, Copy, Debug)]
struct Call {
    /// Until the API server acts on it.
    there: u64,
    /// Until the answer is looked at, which includes a process that is stalled.
    back: u64,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Arrives,
    RequestLost,
    AnswerLost,
    /// The process is killed, and another is started in its place.
    Killed,
    /// The process ends in order, and another is started in its place.
    Ends,
}

fn call() -> impl Strategy<Value = Call> {
    let delay = || prop_oneof![8 => 0..50_u64, 2 => 0..3_000_u64, 1 => 0..30_000_u64];
    let fate = prop_oneof![
        12 => Just(Fate::Arrives),
        4 => Just(Fate::RequestLost),
        2 => Just(Fate::AnswerLost),
        1 => Just(Fate::Killed),
        1 => Just(Fate::Ends),
    ];
    (delay(), delay(), fate).prop_map(|(there, back, fate)| Call { there, back, fate })
}

/// A machine's clocks: one of a wrong speed, one that is moreover set at random.
#[derive(Clone, Copy, Debug)]
struct Clocks {
    /// Per thousand of the true speed.
    speed: u64,
    /// Seconds.
    wrong_by: i64,
    /// At this true time the wall clock is set by so many seconds.
    set: (u64, i64),
}

fn clocks() -> impl Strategy<Value = Clocks> {
    let seconds = || -100_000..100_000_i64;
    let speed = prop_oneof![Just(910_u64), Just(1000), Just(1090)];
    (speed, seconds(), (0..CLOCKS_SET_BY, seconds())).prop_map(|(speed, wrong_by, set)| Clocks { speed, wrong_by, set })
}

impl Clocks {
    fn read(&self, base: Instant, now: u64) -> Moment {
        let passed = Duration::from_millis(now * self.speed / 1000);
        let set = if now >= self.set.0 { self.set.1 } else { 0 };
        let wrong = jiff::SignedDuration::from_secs(self.wrong_by + set);
        Moment { steady: base + passed, wall: at("2026-08-21T12:00:00Z") + passed + wrong }
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The replica looks what is to be done.
    Wake { replica: usize, life: u32 },
    /// A request arrives at the API server.
    Arrive { replica: usize, life: u32, write: Option<usize>, answer_in: Option<u64>, sent: u64 },
    /// An answer arrives: an index into the answers.
    Answer { replica: usize, life: u32, answer: usize, sent: u64 },
}

enum Reply {
    Read(Option<Record>),
    Written(Record),
    Noted(Record),
    Conflict,
}

struct World {
    base: Instant,
    clocks: Vec<Clocks>,
    replicas: Vec<(Election, u32)>,
    lease: Option<Record>,
    version: u64,
    events: BinaryHeap<Reverse<(u64, usize, Event)>>,
    count: usize,
    /// And whether only the note is new.
    requests: Vec<(Record, bool)>,
    /// Lost for good, with their nodes.
    lost: Vec<usize>,
    replies: Vec<Option<Reply>>,
}

impl World {
    fn new(clocks: Vec<Clocks>) -> Self {
        let base = Instant::now();
        let replicas = (0..clocks.len()).map(|index| (Self::fresh(index, 0, clocks[index].read(base, 0)), 0)).collect();
        let mut world = Self {
            base,
            clocks,
            replicas,
            lease: None,
            version: 0,
            events: BinaryHeap::new(),
            count: 0,
            requests: Vec::new(),
            lost: Vec::new(),
            replies: Vec::new(),
        };
        for replica in 0..world.replicas.len() {
            world.push(0, Event::Wake { replica, life: 0 });
        }
        world
    }

    fn fresh(index: usize, life: u32, now: Moment) -> Election {
        let election = Election::new(Arc::from(format!("{index}.{life}")), now.wall, THRESHOLD);
        // The disk stays where a process is started again.
        election.with_spool(Arc::from(format!("disk-{index}")))
    }

    fn push(&mut self, time: u64, event: Event) {
        self.count += 1;
        self.events.push(Reverse((time, self.count, event)));
    }

    fn moment(&self, replica: usize, now: u64) -> Moment {
        self.clocks[replica].read(self.base, now)
    }

    fn leaders(&self, now: u64) -> Vec<usize> {
        let leads = |index: &usize| self.replicas[*index].0.leads(self.moment(*index, now));
        (0..self.replicas.len()).filter(leads).collect()
    }

    fn restart(&mut self, now: u64, replica: usize) {
        let life = self.replicas[replica].1 + 1;
        self.replicas[replica] = (Self::fresh(replica, life, self.moment(replica, now)), life);
        self.push(now + 500, Event::Wake { replica, life });
    }

    /// Sends a request, which may get lost either way; then the replica notices after two seconds.
    fn send(&mut self, now: u64, replica: usize, write: Option<(Record, bool)>, call: Call) {
        let life = self.replicas[replica].1;
        let write = write.map(|record| {
            self.requests.push(record);
            self.requests.len() - 1
        });
        let answer_in = (call.fate == Fate::Arrives).then_some(call.back);
        if call.fate != Fate::RequestLost {
            self.push(now + call.there, Event::Arrive { replica, life, write, answer_in, sent: now });
        }
        if answer_in.is_none() {
            self.replies.push(None);
            let answer = self.replies.len() - 1;
            self.push(now + 2_000, Event::Answer { replica, life, answer, sent: now });
        }
    }

    /// The API server: a write succeeds if the version is the one it names.
    fn serve(&mut self, write: Option<usize>) -> Reply {
        let Some((request, is_note)) = write.map(|index| self.requests[index].clone()) else {
            return Reply::Read(self.lease.clone());
        };
        if request.version != self.lease.as_ref().and_then(|lease| lease.version.clone()) {
            return Reply::Conflict;
        }
        self.version += 1;
        let record = Record { version: Some(Arc::from(self.version.to_string())), ..request };
        self.lease = Some(record.clone());
        if is_note { Reply::Noted(record) } else { Reply::Written(record) }
    }

    fn wake(&mut self, now: u64, replica: usize, call: Call) {
        match call.fate {
            Fate::Killed => return self.restart(now, replica),
            Fate::Ends => {
                let moment = self.moment(replica, now);
                if let Some(record) = self.replicas[replica].0.release(moment) {
                    self.send(now, replica, Some((record, false)), Call { fate: Fate::AnswerLost, ..call });
                }
                return self.restart(now, replica);
            }
            Fate::Arrives | Fate::RequestLost | Fate::AnswerLost => {}
        }
        let life = self.replicas[replica].1;
        match self.replicas[replica].0.step(self.moment(replica, now)) {
            Step::Wait(pause) => {
                let pause = u64::try_from(pause.as_millis()).unwrap() * 1000 / self.clocks[replica].speed;
                self.push(now + pause + 1, Event::Wake { replica, life });
            }
            Step::Read => self.send(now, replica, None, call),
            Step::Write(record) => self.send(now, replica, Some((record, false)), call),
            Step::Note(record) => self.send(now, replica, Some((record, true)), call),
        }
    }

    fn answer(&mut self, now: u64, replica: usize, reply: Option<Reply>, sent: u64) {
        let (sent, moment, life) = (self.moment(replica, sent), self.moment(replica, now), self.replicas[replica].1);
        let election = &mut self.replicas[replica].0;
        match reply {
            Some(Reply::Read(found)) => election.read(moment, found),
            Some(Reply::Written(record)) => drop(election.written(sent, moment, record)),
            Some(Reply::Noted(record)) => election.noted(sent, moment, record),
            Some(Reply::Conflict) => election.conflicted(moment),
            None => election.failed(moment),
        }
        self.push(now, Event::Wake { replica, life });
    }

    /// Lets the next thing happen. Returns when.
    fn advance(&mut self, call: Call) -> u64 {
        let Reverse((now, _, event)) = self.events.pop().unwrap();
        match event {
            Event::Wake { replica, .. } | Event::Answer { replica, .. } if self.lost.contains(&replica) => {}
            Event::Wake { replica, life } if self.replicas[replica].1 == life => self.wake(now, replica, call),
            Event::Arrive { replica, life, write, answer_in, sent } => {
                let reply = self.serve(write);
                if let Some(answer_in) = answer_in {
                    self.replies.push(Some(reply));
                    let answer = self.replies.len() - 1;
                    self.push(now + answer_in, Event::Answer { replica, life, answer, sent });
                }
            }
            Event::Answer { replica, life, answer, sent } if self.replicas[replica].1 == life => {
                let reply = self.replies[answer].take();
                self.answer(now, replica, reply, sent);
            }
            Event::Wake { .. } | Event::Answer { .. } => {}
        }
        now
    }
}

proptest! {
    #![proptest_config(ProptestConfig::default())]

    /// Clocks may be wrong by hours, run up to 9 % too fast or too slow and be set; calls may take half a minute and
    /// get lost on either way; processes may be stalled and killed. There is never more than one leader, and soon after
    /// everything works again there is one.
    #[test]
    fn there_is_never_more_than_one_leader_and_in_the_end_there_is_one(
        clocks in prop::collection::vec(clocks(), 1..5),
        calls in prop::collection::vec(call(), 50..600),
    ) {
        let mut world = World::new(clocks);
        let mut now = 0;
        for call in calls {
            now = world.advance(call);
            let leaders = world.leaders(now);
            prop_assert!(leaders.len() <= 1, "{leaders:?} lead at {now}");
        }
        let well = Call { there: 5, back: 5, fate: Fate::Arrives };
        // What is under way, one duration by the slowest clock, and a look.
        let end = now.max(CLOCKS_SET_BY) + 60_000;
        while now < end {
            now = world.advance(well);
            let leaders = world.leaders(now);
            prop_assert!(leaders.len() <= 1, "{leaders:?} lead at {now}");
        }
        prop_assert!(world.leaders(now).len() == 1, "nobody leads at {now}");
    }
}

// ---- Replicas that are lost with their disks, on a well-behaved network that may be cut off from the API server.

#[derive(Clone, Debug)]
struct Loss {
    replicas: usize,
    /// Which one is lost, and when.
    lost: (usize, u64),
    /// From when on it owes.
    owes_from: Option<u64>,
    /// While the API server is away.
    away: Option<(u64, u64)>,
}

fn loss() -> impl Strategy<Value = Loss> {
    let away = prop::option::of((40_000..90_000_u64, 5_000..200_000_u64).prop_map(|(from, long)| (from, from + long)));
    let owes_from = prop::option::of(20_000..150_000_u64);
    (2..5_usize, 0..4_usize, 60_000..150_000_u64, owes_from, away).prop_map(|(replicas, lost, at, owes_from, away)| {
        Loss { replicas, lost: (lost % replicas, at), owes_from, away }
    })
}

/// Runs it until all that can be noticed is. Returns the catch-ups that were due in the end.
fn after(loss: &Loss, is_lost: bool) -> Vec<Missed> {
    let well = Clocks { speed: 1000, wrong_by: 0, set: (0, 0) };
    let mut world = World::new(vec![well; loss.replicas]);
    let (mut now, (replica, at)) = (0, loss.lost);
    let end = at.max(loss.away.map_or(0, |(_, until)| until)) + 150_000;
    while now < end {
        if is_lost && now >= at && world.lost.is_empty() {
            world.lost.push(replica);
        }
        let owes = loss.owes_from.is_some_and(|from| now >= from);
        world.replicas[replica].0.owes(owes);
        let is_away = loss.away.is_some_and(|(from, until)| (from..until).contains(&now));
        let fate = if is_away { Fate::RequestLost } else { Fate::Arrives };
        now = world.advance(Call { there: 5, back: 5, fate });
    }
    let leaders = world.leaders(now);
    assert_eq!(leaders.len(), 1);
    leaders.iter().filter_map(|leader| world.replicas[*leader].0.catch_up().cloned()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 2))]

    /// Whichever replica is lost, the leader or another: what it had noted that it owes is made good, and so is what it
    /// may have acknowledged while the API server was away. While none is lost, nothing is, whatever they owe and
    /// however often they note it.
    #[test]
    fn what_a_lost_replica_owed_is_made_good_and_nothing_else(loss in loss()) {
        prop_assert_eq!(after(&loss, false), []);
        let (_, at) = loss.lost;
        // A note takes a look and a write, and a look may be of the moment before.
        let noted = |from: u64| {
            let is_heard = |(begin, end)| from + 15_000 < begin || end + 15_000 < at;
            from + 15_000 < at && loss.away.is_none_or(is_heard)
        };
        let vanished = loss.away.is_some_and(|(begin, end)| begin + 5_000 < at && at + 5_000 < end);
        let made_good = !after(&loss, true).is_empty();
        if loss.owes_from.is_some_and(noted) || vanished {
            prop_assert!(made_good, "lost for good");
        }
        let may_owe = loss.owes_from.is_some_and(|from| from < at);
        let may_have_vanished = loss.away.is_some_and(|(begin, end)| begin < at + 60_000 && at < end + 15_000);
        if !may_owe && !may_have_vanished {
            prop_assert!(!made_good, "needless");
        }
    }
}

#[test]
fn short_times_without_a_replica_are_added_up_until_they_are_worth_a_catch_up() {
    let start = at("2026-08-21T11:00:00Z");
    let mut lease = released("1", "2026-08-21T11:00:00Z");
    let (mut now, mut lives) = (start, 0);
    // Each process begins 20 s after the one before, lives for 2 s and crashes.
    let due = loop {
        now = now.saturating_add(Duration::from_secs(20)).unwrap();
        let mut replica = Replica::new("a");
        replica.wall = now;
        replica.election = Election::new(Arc::from(format!("a.{lives}")), now, THRESHOLD);
        replica.reads(0, Some(Record { holder: None, ..lease }));
        lease = replica.writes(0, "2");
        lives += 1;
        assert!(lives < 10, "never");
        if let Some(due) = lease.catch_up.clone() {
            break due;
        }
        now = now.saturating_add(Duration::from_secs(2)).unwrap();
    };
    assert_eq!((lives, due), (3, Missed { since: start, at: None }), "20 s, 22 s and 22 s are more than a minute");
    assert_eq!(lease.downtime, None, "it begins anew");
    let fresh = Replica::new("b");
    assert_eq!(fresh.election.catch_up(), None);
}

#[test]
fn a_note_of_another_replica_means_that_there_was_no_downtime() {
    let note = |time: &str| [(Arc::from("disk-b"), Note { at: at(time), owes: false })].into();
    let mut replica = Replica::new("a");
    let held = |notes| Record { notes, ..held_by("c", "1", "2026-08-21T11:58:00Z") };
    replica.reads(0, Some(held(note("2026-08-21T11:58:00Z"))));
    replica.reads(2, Some(held(note("2026-08-21T12:00:01Z"))));
    replica.reads(15, Some(held(note("2026-08-21T12:00:11Z"))));
    assert_eq!(replica.wants_to_write(15).catch_up, None, "it expires although its notes are renewed");
}
