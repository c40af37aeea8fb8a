//! One push in pursuit of what it pushed.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::token::Mark;
use super::{Moment, Report, Rules};
use crate::domain::artifact::Listing;
use crate::domain::event::PushEvent;

/// How the pursuit of a push ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// Kargo has looked and lists what was pushed.
    Seen,
    /// Kargo has looked; what was pushed is not known precisely enough to look for it.
    Looked,
    /// Kargo has looked, three times, and does not list what was pushed.
    LookedNotListed,
    /// Kargo took the refresh up and did not get to look.
    NotLooked,
    /// Kargo did not take the refresh up.
    NotHandled,
    /// The Promotion took the refresh up, which is all that can be seen of it.
    Handled,
    /// The object was deleted meanwhile.
    Gone,
    /// So many pushes of the object were being pursued that this one relies on the refresh of the others.
    Untracked,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 8] = [
        Self::Seen,
        Self::Looked,
        Self::LookedNotListed,
        Self::NotLooked,
        Self::NotHandled,
        Self::Handled,
        Self::Gone,
        Self::Untracked,
    ];

    /// The metric label and the word in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Looked => "looked",
            Self::LookedNotListed => "looked_not_listed",
            Self::NotLooked => "not_looked",
            Self::NotHandled => "not_handled",
            Self::Handled => "handled",
            Self::Gone => "gone",
            Self::Untracked => "untracked",
        }
    }
}

/// What was pushed, and by which delivery it became known.
#[derive(Clone, Debug, Default)]
pub struct Push {
    /// What was pushed; empty when that is not known, as for a generic receiver or a catch-up.
    pub events: Arc<[PushEvent]>,
    /// The delivery; `None` when there was none.
    pub delivery: Option<Arc<str>>,
}

/// What is kept of a push at most; of a larger one it is not known afterwards what to look for.
const MAX_PUSH_BYTES: usize = 4096;

impl Push {
    /// A push that arrived with a delivery.
    #[must_use]
    pub fn new(events: &[PushEvent], delivery: &str) -> Self {
        let is_small = events.iter().map(PushEvent::bytes).sum::<usize>() <= MAX_PUSH_BYTES;
        let events = if is_small { Arc::from(events) } else { Arc::default() };
        Self { events, delivery: Some(delivery.into()) }
    }

    /// Whether another push is about the same tags, versions or refs of the same repositories.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let subjects = |push: &Self| {
            push.events.iter().map(|event| (event.repositories.clone(), event.qualifiers.clone())).collect::<Vec<_>>()
        };
        !self.events.is_empty() && subjects(self) == subjects(other)
    }
}

/// A push that has not come to its end.
#[derive(Debug)]
pub(super) struct Want {
    pub(super) push: Push,
    /// When it arrived, by both clocks.
    pub(super) arrived: Moment,
    pub(super) asked: Timestamp,
    /// The token that stands for it, once one was written after it was asked for, and its place in the order.
    pub(super) token: Option<Mark>,
    pub(super) number: Option<u32>,
    pub(super) written: Option<Moment>,
    pub(super) handled: bool,
    pub(super) looked: bool,
    /// What a look found before it was known whether the token that it followed stands for this push.
    pub(super) early: Option<Early>,
    /// What a look would have found that may have ended unnoticed.
    pub(super) listed: Listing,
    /// How often it was asked for again because it was not listed.
    pub(super) late_step: usize,
    /// When it is to be asked for again.
    pub(super) late_due: Option<Moment>,
}

/// What a look found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Early {
    /// The newest value that it followed.
    pub(super) number: u32,
    pub(super) at: Moment,
    pub(super) listing: Listing,
}

impl Want {
    pub(super) const fn new(push: Push, arrived: Moment, asked: Timestamp) -> Self {
        Self {
            push,
            arrived,
            asked,
            token: None,
            number: None,
            written: None,
            handled: false,
            looked: false,
            early: None,
            listed: Listing::Unknown,
            late_step: 0,
            late_due: None,
        }
    }

    /// A token was written by a PATCH that began at `begun`; it stands for everything that was asked for before.
    pub(super) fn is_written_by(&mut self, mark: Mark, begun: Timestamp, now: Moment) -> bool {
        let stands = self.token.is_none() && self.asked <= begun;
        if stands {
            (self.token, self.number) = (Some(mark), None);
            self.written.get_or_insert(now);
        }
        stands
    }

    /// Kargo has looked, after the token of the push where that is `covered`. Says whether the pursuit goes on.
    pub(super) fn look(
        &mut self,
        covered: bool,
        listing: Listing,
        when: Moment,
        rules: &Rules,
        out: &mut Vec<Report>,
    ) -> bool {
        if covered && !std::mem::replace(&mut self.handled, true) {
            out.push(Report::Handled { after: when.saturating_sub(self.arrived) });
        }
        if !std::mem::replace(&mut self.looked, true) {
            out.push(Report::Looked { after: when.saturating_sub(self.arrived) });
        }
        let outcome = match listing {
            Listing::Listed => Some(Outcome::Seen),
            Listing::Unknown => Some(Outcome::Looked),
            Listing::Missing if !covered || self.late_due.is_some() => None,
            Listing::Missing => {
                self.late_due = rules.late_pause(self.late_step).map(|pause| when + pause);
                self.late_due.is_none().then_some(Outcome::LookedNotListed)
            }
        };
        out.extend(outcome.map(|outcome| self.end(outcome, when, None)));
        outcome.is_none()
    }

    /// The report of its end.
    pub(super) fn end(&self, outcome: Outcome, when: Moment, message: Option<Box<str>>) -> Report {
        Report::Ended { push: self.push.clone(), outcome, after: when.saturating_sub(self.arrived), message }
    }

    /// Waits for a new token because what was pushed is not listed.
    pub(super) fn ask_again(&mut self, wall: Timestamp) {
        (self.token, self.number, self.late_due, self.early) = (None, None, None, None);
        self.asked = wall;
        self.late_step += 1;
    }

    /// Whether it has been pursued for as long as it may.
    pub(super) fn is_over(&self, now: Moment, bound: Duration) -> bool {
        self.written.is_some_and(|written| now >= written + bound)
    }

    /// The outcome when the time is over.
    pub(super) const fn outcome(&self) -> Outcome {
        match (self.looked, self.handled) {
            (true, _) => Outcome::LookedNotListed,
            (false, true) => Outcome::NotLooked,
            (false, false) => Outcome::NotHandled,
        }
    }
}
