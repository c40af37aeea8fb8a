//! Group commit for one Warehouse: the pure state machine behind the refresher.
//!
//! ```text
//!            request            begin                 end(written or gone), none joined
//!  (nothing) ───────▶ Queued ─────────▶ Patching ──────────────────────────────▶ (nothing)
//!                      │ ▲                 │  end(written or gone), some joined ─▶ Queued
//!                pause │ │ due             │  end(failed or refused) ─▶ Pausing
//!                      ▼ │                 │
//!                     Pausing ◀────────────┘
//! ```
//!
//! A request that arrives while a PATCH is in flight waits for the *next* one, because the controller may have read the
//! repository before this push. So a PATCH answers only the waiters that arrived before it began, and a burst costs one
//! PATCH per round trip, not one per push.

use std::time::Duration;

use super::outcome::PatchOutcome;

/// The progress of one Warehouse that owes a refresh. `W` waits for the outcome.
#[derive(Debug)]
pub(super) struct Slot<W> {
    phase: Phase,
    /// The PATCH in flight will answer these.
    current: Vec<W>,
    /// The next PATCH will answer these.
    joined: Vec<W>,
    /// Consecutive failures, for the back-off.
    failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waits for its turn to PATCH.
    Queued,
    /// A PATCH is in flight.
    Patching,
    /// The next attempt is due later, because the last PATCH failed or the Warehouse is refreshed too often.
    Pausing,
}

/// Who waits for the outcome, and may give up.
pub(super) trait Waits {
    /// Whether it waits no longer.
    fn is_gone(&self) -> bool;
}

/// What to do after a PATCH ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<W> {
    /// Drop the slot. These waited and are done.
    Finished(Vec<W>),
    /// These are answered; queue for another PATCH at once.
    Again(Vec<W>),
    /// These are answered; attempt again after the back-off for this many failures.
    Later {
        /// These learn of a refusal now, because waiting would not help them.
        answered: Vec<W>,
        /// Consecutive failures so far, at least 1.
        failures: u32,
    },
}

impl<W: Waits> Slot<W> {
    /// A slot for the first request; the caller queues it.
    #[must_use]
    pub(super) fn new(waiter: W) -> Self {
        Self { phase: Phase::Queued, current: Vec::new(), joined: vec![waiter], failures: 0 }
    }

    /// Another request for the same Warehouse.
    pub(super) fn join(&mut self, waiter: W) {
        // Those that gave up make room for others: during an outage nearly all do.
        if self.joined.len() == self.joined.capacity() {
            self.joined.retain(|waiter| !waiter.is_gone());
            if self.joined.len() * 2 > self.joined.capacity() {
                self.joined.reserve(self.joined.capacity().max(4));
            }
        }
        self.joined.push(waiter);
    }

    /// Whether it waits for its turn.
    #[must_use]
    pub(super) fn is_queued(&self) -> bool {
        self.phase == Phase::Queued
    }

    /// Whether a request waits for the next PATCH.
    #[must_use]
    pub(super) fn has_joined(&self) -> bool {
        !self.joined.is_empty()
    }

    /// Its turn came too early: it pauses until it is due.
    pub(super) fn pause(&mut self) {
        debug_assert!(self.is_queued(), "only what is queued can pause");
        self.phase = Phase::Pausing;
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.current.capacity() + self.joined.capacity()
    }

    /// The PATCH begins now: it will answer all that have arrived so far.
    pub(super) fn begin(&mut self) {
        debug_assert!(self.phase != Phase::Patching, "one PATCH at a time");
        self.phase = Phase::Patching;
        self.current.append(&mut self.joined);
    }

    /// The PATCH ended.
    pub(super) fn end(&mut self, outcome: &PatchOutcome) -> Next<W> {
        debug_assert!(self.phase == Phase::Patching, "no PATCH is in flight");
        match outcome {
            PatchOutcome::Written | PatchOutcome::Gone => {
                self.failures = 0;
                let answered = std::mem::take(&mut self.current);
                if self.joined.is_empty() {
                    return Next::Finished(answered);
                }
                self.phase = Phase::Queued;
                Next::Again(answered)
            }
            PatchOutcome::Failed { .. } => self.back_off(Vec::new()),
            PatchOutcome::Refused { .. } => {
                let mut answered = std::mem::take(&mut self.current);
                answered.append(&mut self.joined);
                self.back_off(answered)
            }
        }
    }

    fn back_off(&mut self, answered: Vec<W>) -> Next<W> {
        for waiters in [&mut self.current, &mut self.joined] {
            waiters.retain(|waiter| !waiter.is_gone());
            waiters.shrink_to_fit();
        }
        self.phase = Phase::Pausing;
        self.failures = self.failures.saturating_add(1);
        Next::Later { answered, failures: self.failures }
    }

    /// The pause is over; the caller queues the slot again.
    pub(super) fn due(&mut self) {
        self.phase = Phase::Queued;
    }
}

/// The longest pause that an API server gets by asking for it. A proxy may ask for any number of seconds.
const LONGEST_ASKED: Duration = Duration::from_mins(5);

/// The time to wait after that many consecutive failures: doubling from 100 ms to 30 s, at least what the server asked
/// for within reason, and spread by up to a quarter by `jitter` in 0..=1 so that many Warehouses do not come back in
/// step.
#[must_use]
pub(super) fn back_off(failures: u32, retry_after: Option<Duration>, jitter: f64) -> Duration {
    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(30);
    let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let base = doubled.min(LONGEST).max(retry_after.unwrap_or_default().min(LONGEST_ASKED));
    base + base.mul_f64(0.25 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Waits for Option<i32> {
        fn is_gone(&self) -> bool {
            self.is_none()
        }
    }

    #[test]
    fn waiters_that_gave_up_are_pruned_while_others_join_and_when_a_patch_fails() {
        let mut slot = Slot::new(Some(0));
        for _ in 0..100_000 {
            slot.join(None);
        }
        assert!(slot.joined.capacity() <= 16, "room for {}", slot.joined.capacity());
        slot.begin();
        assert_eq!(slot.end(&PatchOutcome::UNREACHABLE), Next::Later { answered: vec![], failures: 1 });
        assert_eq!((slot.current, slot.joined), (vec![Some(0)], vec![]));
    }

    fn refused() -> PatchOutcome {
        PatchOutcome::Refused { status: 403, message: "no".into() }
    }

    #[test]
    fn a_lone_request_costs_one_patch() {
        let mut slot = Slot::new(1);
        slot.begin();
        assert_eq!(slot.end(&PatchOutcome::Written), Next::Finished(vec![1]));
    }

    #[test]
    fn a_request_during_a_patch_is_answered_by_the_next_one_only() {
        let mut slot = Slot::new(1);
        slot.begin();
        slot.join(2);
        slot.join(3);
        assert_eq!(slot.end(&PatchOutcome::Written), Next::Again(vec![1]));
        slot.begin();
        assert_eq!(slot.end(&PatchOutcome::Written), Next::Finished(vec![2, 3]));
    }

    #[test]
    fn a_failed_patch_keeps_all_waiting_and_a_refused_one_none() {
        let mut slot = Slot::new(1);
        slot.begin();
        slot.join(2);
        assert_eq!(slot.end(&PatchOutcome::UNREACHABLE), Next::Later { answered: vec![], failures: 1 });
        slot.due();
        slot.begin();
        assert_eq!(slot.end(&refused()), Next::Later { answered: vec![1, 2], failures: 2 });
        slot.due();
        slot.begin();
        assert_eq!(slot.end(&PatchOutcome::Written), Next::Finished(vec![]));
    }

    #[test]
    fn back_off_doubles_up_to_its_limit_and_honours_retry_after() {
        let steps: Vec<_> = (1..=12).map(|n| back_off(n, None, 0.0).as_millis()).collect();
        assert_eq!(steps[..4], [100, 200, 400, 800]);
        assert_eq!(steps[11], 30_000);
        assert_eq!(back_off(u32::MAX, None, 0.0).as_millis(), 30_000);
        assert_eq!(back_off(1, Some(Duration::from_secs(60)), 0.0).as_secs(), 60);
        assert_eq!(back_off(1, None, 1.0).as_millis(), 125);
    }

    #[test]
    fn an_absurd_retry_after_costs_minutes_and_no_panic() {
        assert_eq!(back_off(1, Some(Duration::from_secs(u64::MAX)), 0.0), LONGEST_ASKED);
        assert_eq!(back_off(u32::MAX, Some(Duration::MAX), 1.0), LONGEST_ASKED + LONGEST_ASKED / 4);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Request,
        Begin,
        End(PatchOutcome),
        Due,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => Just(Step::Request),
            3 => Just(Step::Begin),
            3 => Just(Step::End(PatchOutcome::Written)),
            1 => Just(Step::End(PatchOutcome::UNREACHABLE)),
            1 => Just(Step::End(refused())),
            2 => Just(Step::Due),
        ]
    }

    proptest! {
        /// In every order of events, only a PATCH that began after a waiter arrived answers it, each is answered
        /// exactly once, and a slot is dropped only when none waits.
        #[test]
        fn no_request_is_answered_by_a_patch_that_began_before_it_arrived(steps in prop::collection::vec(step(), 1..200)) {
            let mut slot: Option<Slot<usize>> = None;
            let mut phase = None;
            let (mut arrivals, mut answered) = (Vec::new(), Vec::new());
            let (mut clock, mut began) = (0, 0);
            for step in steps {
                clock += 1;
                match (step, phase) {
                    (Step::Request, _) => {
                        let waiter = arrivals.len();
                        arrivals.push(clock);
                        answered.push(false);
                        match &mut slot {
                            Some(slot) => slot.join(waiter),
                            None => {
                                slot = Some(Slot::new(waiter));
                                phase = Some(Phase::Queued);
                            }
                        }
                    }
                    (Step::Begin, Some(Phase::Queued)) => {
                        slot.as_mut().unwrap().begin();
                        (phase, began) = (Some(Phase::Patching), clock);
                    }
                    (Step::End(outcome), Some(Phase::Patching)) => {
                        let told = match slot.as_mut().unwrap().end(&outcome) {
                            Next::Finished(told) => { (slot, phase) = (None, None); told }
                            Next::Again(told) => { phase = Some(Phase::Queued); told }
                            Next::Later { answered: told, .. } => { phase = Some(Phase::Pausing); told }
                        };
                        for waiter in told {
                            prop_assert!(!answered[waiter], "answered twice");
                            prop_assert!(outcome == refused() || arrivals[waiter] < began);
                            answered[waiter] = true;
                        }
                    }
                    (Step::Due, Some(Phase::Pausing)) => {
                        slot.as_mut().unwrap().due();
                        phase = Some(Phase::Queued);
                    }
                    _ => {}
                }
                if slot.is_none() {
                    prop_assert!(answered.iter().all(|told| *told), "dropped while a waiter was left");
                }
            }
            if let Some(mut slot) = slot {
                match phase {
                    Some(Phase::Pausing) => { slot.due(); slot.begin(); }
                    Some(Phase::Queued) => slot.begin(),
                    _ => {}
                }
                while let Next::Again(told) | Next::Finished(told) = slot.end(&PatchOutcome::Written) {
                    for waiter in told { answered[waiter] = true; }
                    if slot.joined.is_empty() { break; }
                    slot.begin();
                }
            }
            prop_assert!(answered.iter().all(|told| *told), "a waiter was never answered");
        }
    }
}
