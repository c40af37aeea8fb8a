//! The value of the refresh annotation.
//!
//! Kargo compares it as an opaque string and discovers artifacts when it differs from the one handled last. Its own
//! values have one-second resolution and lose pushes that follow each other closely; ours never repeat within a
//! process.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

use crate::process::clock::Clock;

/// Hands out strictly increasing times.
pub struct TokenSource {
    clock: Clock,
    last: AtomicI64,
}

impl TokenSource {
    /// Tokens from this clock.
    #[must_use]
    pub const fn new(clock: Clock) -> Self {
        Self { clock, last: AtomicI64::new(i64::MIN) }
    }

    /// The time of the next token, later than that of every token before, even when the clock stands still or steps
    /// back.
    #[must_use]
    pub fn next(&self) -> Timestamp {
        let now = i64::try_from(self.clock.now().as_nanosecond()).unwrap_or(i64::MAX);
        let next = |last: i64| Some(now.max(last.saturating_add(1)));
        let previous = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).unwrap_or(now);
        let token = now.max(previous.saturating_add(1));
        Timestamp::from_nanosecond(token.into()).unwrap_or(Timestamp::MAX)
    }
}

/// The token of a time: UTC in RFC 3339 with nanoseconds.
#[must_use]
pub fn token(time: Timestamp) -> String {
    format!("{time:.9}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_increase_while_the_clock_stands_still_or_steps_back() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (clock, hand) = Clock::manual(at("2026-08-21T17:51:41Z"));
        let source = TokenSource::new(clock);
        let next = || token(source.next());
        let mut tokens = vec![next(), next()];
        assert_eq!(tokens, ["2026-08-21T17:51:41.000000000Z", "2026-08-21T17:51:41.000000001Z"]);
        hand.set(at("2026-08-21T17:51:40Z"));
        tokens.push(next());
        hand.set(at("2026-08-21T17:51:42.5Z"));
        tokens.push(next());
        assert!(tokens.is_sorted_by(|a, b| a < b), "{tokens:?}");
        assert_eq!(tokens[3], "2026-08-21T17:51:42.500000000Z");
    }
}
