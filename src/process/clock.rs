//! The wall clock, which tests can set.

use jiff::Timestamp;
#[cfg(test)]
use parking_lot::Mutex;
#[cfg(test)]
use std::sync::Arc;

/// A source of wall-clock time.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System,
    #[cfg(test)]
    Manual(Hand),
}

/// Sets a manual clock.
#[cfg(test)]
#[derive(Clone)]
pub struct Hand(Arc<Mutex<Timestamp>>);

impl Clock {
    /// The system's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` until it is set, and the hand that sets it.
    #[cfg(test)]
    pub fn manual(start: Timestamp) -> (Self, Hand) {
        let hand = Hand(Arc::new(Mutex::new(start)));
        (Self(Source::Manual(hand.clone())), hand)
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Timestamp::now(),
            #[cfg(test)]
            Source::Manual(hand) => *hand.0.lock(),
        }
    }
}

#[cfg(test)]
impl Hand {
    /// Moves the clock, in either direction.
    pub fn set(&self, to: Timestamp) {
        *self.0.lock() = to;
    }
}
