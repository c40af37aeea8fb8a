//! What is owed and when it is attempted: everything that the refresher decides, pure, with time passed in.
//!
//! ```text
//!   request ─▶ Slot (group commit) ─▶ Lines (whose turn) ─▶ Pace, Health (whether already) ─▶ begin ─▶ end
//!                 ▲                                              │ no                                  │ failed
//!                 └───────────────────── later, when due ◀───────┴─────────────────────────────────────┘
//! ```

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::cause::{Cause, Causes};
use super::coalesce::{Next, Slot, Waits, back_off};
use super::fair::Lines;
use super::health::Health;
use super::outcome::PatchOutcome;
use super::pace::Pace;
use crate::domain::target::Target;

/// A push that arrives during a back-off is attempted after this time, because the API server may be back by then, or
/// the missing right be there.
const JOINED_PAUSE: Duration = Duration::from_secs(1);

/// Every target that owes a refresh. `W` waits for one of them.
pub(super) struct Schedule<W> {
    owed: HashMap<Target, Owed<W>>,
    /// Those that are queued. A target may stand in it more than once; only its first turn counts.
    lines: Lines<Target>,
    /// Those that pause, by the end of their pause.
    later: BTreeSet<(Instant, Target)>,
    pace: Pace,
    health: Health,
    in_flight: usize,
    limit: usize,
}

/// A refresh that is asked for, why, and what waits for it.
pub(super) struct Request<W> {
    pub(super) target: Target,
    pub(super) cause: Cause,
    pub(super) waiter: W,
}

struct Owed<W> {
    slot: Slot<W>,
    causes: Causes,
    /// While it is queued: the size of the smallest delivery that it is queued with.
    company: usize,
    pause: Option<Pause>,
}

#[derive(Clone, Copy)]
struct Pause {
    until: Instant,
    /// However urgent, not before.
    least: Instant,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Begin a PATCH of this target, for this cause.
    Begin(Target, Cause),
    /// Nothing before this time.
    At(Instant),
    /// Nothing before a PATCH ends or a request arrives.
    Idle,
}

/// What the end of a PATCH means.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ended<W> {
    /// These learn how it ended.
    pub(super) answered: Vec<W>,
    /// Whether the target owes nothing any more.
    pub(super) is_settled: bool,
}

impl<W: Waits> Schedule<W> {
    /// At most `limit` PATCHes are in flight at a time.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            owed: HashMap::new(),
            lines: Lines::default(),
            later: BTreeSet::new(),
            pace: Pace::default(),
            health: Health::default(),
            in_flight: 0,
            limit,
        }
    }

    /// Every one of these targets owes a refresh from now on.
    pub(super) fn request(&mut self, requests: Vec<Request<W>>, now: Instant) {
        let company = requests.len();
        let mut queue = Vec::new();
        for Request { target, cause, waiter } in requests {
            let Some(owed) = self.owed.get_mut(&target) else {
                let owed = Owed { slot: Slot::new(waiter), causes: Causes::new(cause), company, pause: None };
                self.owed.insert(target.clone(), owed);
                queue.push(target);
                continue;
            };
            owed.slot.join(waiter);
            owed.causes.join(cause);
            if let Some(pause) = &mut owed.pause {
                let sooner = pause.until.min(pause.least.max(now));
                self.later.remove(&(pause.until, target.clone()));
                pause.until = sooner;
                self.later.insert((sooner, target));
            } else if owed.slot.is_queued() && company.saturating_mul(2) <= owed.company {
                // It would wait for a larger delivery. Only for one of half the size, so that it is queued a few times
                // at most, however many ask for it.
                owed.company = company;
                queue.push(target);
            }
        }
        self.lines.push(queue);
    }

    /// What is to be done at this time. A PATCH that begins answers all who have arrived so far.
    pub(super) fn take(&mut self, now: Instant) -> Turn {
        self.resume(now);
        if self.in_flight >= self.limit {
            return Turn::Idle;
        }
        if self.lines.is_empty() {
            return self.later.first().map_or(Turn::Idle, |(until, _)| Turn::At(*until));
        }
        let probe = self.health.earliest(now);
        if probe > now {
            return Turn::At(probe);
        }
        while let Some(target) = self.lines.next() {
            let Some(owed) = self.owed.get_mut(&target).filter(|owed| owed.slot.is_queued()) else {
                continue;
            };
            let earliest = self.pace.earliest(&target, now);
            if earliest > now {
                owed.slot.pause();
                self.pause(target, Pause { until: earliest, least: earliest });
                continue;
            }
            owed.slot.begin();
            let cause = owed.causes.begin();
            self.in_flight += 1;
            self.pace.refreshed(&target, now);
            self.health.begin(now);
            return Turn::Begin(target, cause);
        }
        self.later.first().map_or(Turn::Idle, |(until, _)| Turn::At(*until))
    }

    /// The PATCH of a target ended. `jitter` in 0..=1 spreads the next attempt.
    pub(super) fn end(&mut self, target: &Target, outcome: &PatchOutcome, jitter: f64, now: Instant) -> Ended<W> {
        self.in_flight = self.in_flight.saturating_sub(1);
        if matches!(outcome, PatchOutcome::Failed { .. }) {
            self.health.failed();
        } else if self.health.answered(now) {
            self.recover();
        }
        let Some(owed) = self.owed.get_mut(target) else {
            return Ended { answered: Vec::new(), is_settled: true };
        };
        match owed.slot.end(outcome) {
            Next::Finished(answered) => {
                self.owed.remove(target);
                Ended { answered, is_settled: true }
            }
            Next::Again(answered) => {
                owed.causes.written();
                owed.company = 1;
                self.lines.push(vec![target.clone()]);
                Ended { answered, is_settled: false }
            }
            Next::Later { answered, failures } => {
                let asked = match outcome {
                    PatchOutcome::Failed { retry_after, .. } => *retry_after,
                    PatchOutcome::Refused { .. } => Some(JOINED_PAUSE),
                    PatchOutcome::Written | PatchOutcome::Gone => None,
                };
                let pause = back_off(failures, asked, jitter);
                let least = back_off(1, asked, 0.0).max(JOINED_PAUSE).min(pause);
                // While the API server is away, attempts are few already, and whichever is next notices its return.
                let is_hurried = owed.slot.has_joined() || self.health.is_away();
                let until = now + if is_hurried { least } else { pause };
                self.pause(target.clone(), Pause { until, least: now + least });
                Ended { answered, is_settled: false }
            }
        }
    }

    /// An answer that began to wait then has waited in vain.
    pub(super) fn waited_since(&mut self, since: Instant) {
        self.health.waited_since(since);
    }

    /// Whether the last writes failed.
    pub(super) const fn is_away(&self) -> bool {
        self.health.is_away()
    }

    pub(super) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(super) fn len(&self) -> usize {
        self.owed.len()
    }

    pub(super) fn owes(&self, target: &Target) -> bool {
        self.owed.contains_key(target)
    }

    /// Room for how many waiters is held.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.owed.values().map(|owed| owed.slot.waiting()).sum()
    }

    fn pause(&mut self, target: Target, pause: Pause) {
        if let Some(owed) = self.owed.get_mut(&target) {
            owed.pause = Some(pause);
            self.later.insert((pause.until, target));
        }
    }

    /// Queues what has paused long enough, as one delivery: after an outage they are many.
    fn resume(&mut self, now: Instant) {
        let mut due = Vec::new();
        while self.later.first().is_some_and(|(until, _)| *until <= now) {
            due.extend(self.later.pop_first().map(|(_, target)| target));
        }
        for target in &due {
            if let Some(owed) = self.owed.get_mut(target) {
                owed.slot.due();
                (owed.pause, owed.company) = (None, due.len());
            }
        }
        self.lines.push(due);
    }

    /// The API server is back: no target waits longer than it asked for.
    fn recover(&mut self) {
        for (_, target) in std::mem::take(&mut self.later) {
            if let Some(pause) = self.owed.get_mut(&target).and_then(|owed| owed.pause.as_mut()) {
                pause.until = pause.least;
                self.later.insert((pause.least, target));
            }
        }
    }
}

#[cfg(test)]
mod tests;
