//! Pursues every push until Kargo has looked.
//!
//! A refresh is not done when the annotation is written: Kargo takes a token up, asks the repositories, and forgets the
//! token even when they fail to answer. So each push is pursued from *written* over *handled* (`lastHandledRefresh`)
//! and *looked* (`discoveredAt` moved) to *seen* (listed among the artifacts), from the Warehouse watch alone. Kargo is
//! asked again when it took a token up without looking, and when it looked and does not list what was pushed.
//!
//! [`machine`] and what it holds decide (pure), [`Pursuit`] is what the rest of the process uses.

mod given_up;
mod handle;
mod machine;
mod record;
mod rules;
mod skew;
mod token;
mod troubles;
mod want;

use std::time::Duration;

use jiff::Timestamp;

pub use handle::Pursuit;
pub use rules::Rules;
pub use troubles::{Trouble, Troubles, Why};
pub use want::{Outcome, Push};

/// Time since the process began; it never steps.
pub type Moment = Duration;

/// Now, by both clocks.
#[derive(Clone, Copy, Debug)]
pub struct At {
    /// By the steady clock.
    pub now: Moment,
    /// By the wall clock, which may be minutes from Kargo's.
    pub wall: Timestamp,
}

/// What the watch shows of an object, as far as a refresh goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sighting<'a> {
    /// The refresh annotation.
    pub annotation: Option<&'a str>,
    /// `status.lastHandledRefresh`.
    pub handled: Option<&'a str>,
    /// `status.discoveredArtifacts.discoveredAt`, in seconds since 1970 by Kargo's clock.
    pub discovered: Option<i64>,
    /// Whether Kargo is looking: the condition `Reconciling`.
    pub looking: bool,
    /// Kargo's message while the conditions say that discovery has failed.
    pub failure: Option<&'a str>,
}

/// Where a sighting comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The next change in an unbroken series.
    Live,
    /// A list; what happened before it may be missing.
    Listed {
        /// When the list began.
        began: Moment,
    },
}

/// Something that became known about a push or an object.
#[derive(Clone, Debug)]
pub enum Report {
    /// Kargo has taken the refresh of a push up.
    Handled {
        /// How long after the push.
        after: Duration,
    },
    /// Kargo has looked after a push.
    Looked {
        /// How long after the push.
        after: Duration,
    },
    /// Kargo's discovery has failed since it took the refresh of a push up. It is asked again.
    Failing {
        /// Kargo's message, as it gives it.
        message: Box<str>,
    },
    /// Kargo has not taken a refresh up for a while. It is not asked again, because the annotation stays.
    NotHandled,
    /// Kargo has not taken a refresh up, or not looked after it, for so long that it deserves attention.
    Troubled {
        /// Which of both.
        why: Why,
        /// Since when.
        since: Timestamp,
        /// Kargo's message about its last failure, as it gives it.
        message: Option<Box<str>>,
        /// When Kargo had looked last.
        discovered: Option<i64>,
    },
    /// The pursuit of a push has ended.
    Ended {
        /// Which.
        push: Push,
        /// How.
        outcome: Outcome,
        /// How long after the push.
        after: Duration,
        /// Kargo's message about its last failure, as it gives it.
        message: Option<Box<str>>,
    },
}

#[cfg(test)]
mod tests;
