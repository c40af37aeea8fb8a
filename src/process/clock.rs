//! The one place that reads the wall clock, so that everything that depends on it can be tested.

use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;

/// A source of wall-clock time.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System,
    Manual(Hand),
}

/// Sets a manual clock.
#[derive(Clone)]
pub struct Hand(Arc<Mutex<Timestamp>>);

impl Clock {
    /// The system's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` until it is set, and the hand that sets it.
    #[must_use]
    pub fn manual(start: Timestamp) -> (Self, Hand) {
        let hand = Hand(Arc::new(Mutex::new(start)));
        (Self(Source::Manual(hand.clone())), hand)
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Timestamp::now(),
            Source::Manual(hand) => *hand.0.lock(),
        }
    }
}

impl Hand {
    /// Moves the clock, in either direction.
    pub fn set(&self, to: Timestamp) {
        *self.0.lock() = to;
    }
}
