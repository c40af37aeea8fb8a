//! How far Kargo's clock is from ours, as far as it shows.
//!
//! Only one question needs it: whether a look that nobody here saw happen came after a token. Every look that is seen
//! from the token on narrows the difference down: it ended after the token was written and before it was noticed.

use std::time::Duration;

use jiff::Timestamp;

/// The difference that is possible before anything has been seen, either way.
pub(super) const WIDEST: Duration = Duration::from_secs(300);
/// A token this fresh may have been left behind by a replica that has just ended, so a doubt about it is worth a nudge.
const FRESH: Duration = Duration::from_secs(120);

/// Bounds on Kargo's clock minus ours, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Skew {
    low: i128,
    high: i128,
}

/// Whether a look came after a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Followed {
    Yes,
    No,
    /// The clocks do not say yet.
    Unsure,
}

impl Default for Skew {
    fn default() -> Self {
        let widest = i128::try_from(WIDEST.as_nanos()).unwrap_or(i128::MAX);
        Self { low: -widest, high: widest }
    }
}

impl Skew {
    /// A look that Kargo dates `discovered` (a whole second) came after `token` and was noticed at `noticed`.
    pub(super) fn learn(&mut self, discovered: i64, token: Timestamp, noticed: Timestamp) {
        let second = i128::from(discovered) * SECOND;
        let (low, high) = (second - noticed.as_nanosecond(), second + SECOND - token.as_nanosecond());
        let both = Self { low: self.low.max(low), high: self.high.min(high) };
        // A contradiction means that a clock was set, or that another controller took over: only the news counts.
        *self = if both.low <= both.high { both } else { Self { low: low.min(high), high: high.max(low) } };
    }

    /// Whether a look that Kargo dates `discovered` came after a token.
    pub(super) fn followed(&self, token: Timestamp, discovered: Option<i64>, now: Timestamp) -> Followed {
        let Some(discovered) = discovered else {
            return Followed::No;
        };
        let (first, token) = (i128::from(discovered) * SECOND, token.as_nanosecond());
        if first >= token + self.high {
            Followed::Yes
        } else if first + SECOND <= token + self.low {
            Followed::No
        } else if self.high - self.low > 2 * SECOND {
            Followed::Unsure
        } else if now.as_nanosecond() - token < i128::try_from(FRESH.as_nanos()).unwrap_or(i128::MAX) {
            // Token and look fall into one second, and only a look just before the push could have been mistaken.
            Followed::No
        } else {
            Followed::Yes
        }
    }

    /// Whether the second `discovered` of Kargo's clock can be the one that passes now, give or take `slack`.
    pub(super) fn may_be_now(&self, discovered: i64, now: Timestamp, slack: Duration) -> bool {
        let (first, now) = (i128::from(discovered) * SECOND, now.as_nanosecond());
        let slack = i128::try_from(slack.as_nanos()).unwrap_or(i128::MAX);
        first + SECOND + slack >= now + self.low && first <= now + self.high + slack
    }
}

const SECOND: i128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-08-21T{text}Z").parse().unwrap()
    }

    fn second(text: &str) -> Option<i64> {
        Some(at(text).as_second())
    }

    #[test]
    fn unknown_clocks_decide_only_what_is_minutes_apart() {
        let (skew, token) = (Skew::default(), at("12:00:00.5"));
        let followed = |discovered| skew.followed(token, discovered, at("12:00:10"));
        assert_eq!(followed(None), Followed::No);
        assert_eq!(followed(second("11:54:59")), Followed::No);
        assert_eq!(followed(second("11:56:00")), Followed::Unsure);
        assert_eq!(followed(second("12:04:00")), Followed::Unsure);
        assert_eq!(followed(second("12:05:01")), Followed::Yes);
    }

    #[test]
    fn one_look_teaches_the_difference() {
        let mut skew = Skew::default();
        // Kargo is four minutes ahead.
        skew.learn(at("12:04:01").as_second(), at("12:00:00.5"), at("12:00:01.2"));
        let token = at("12:10:00");
        assert_eq!(skew.followed(token, second("12:13:57"), at("12:11:00")), Followed::No);
        assert_eq!(skew.followed(token, second("12:14:02"), at("12:11:00")), Followed::Yes);
        assert_eq!(skew.followed(token, second("12:14:00"), at("12:11:00")), Followed::No, "a fresh doubt is a no");
        assert_eq!(skew.followed(token, second("12:14:00"), at("12:20:00")), Followed::Yes);
        assert!(skew.may_be_now(at("12:14:00").as_second(), token, Duration::ZERO));
        assert!(!skew.may_be_now(at("12:13:50").as_second(), token, Duration::ZERO));
    }

    #[test]
    fn a_clock_that_was_set_is_learned_anew() {
        let mut skew = Skew::default();
        skew.learn(at("12:04:01").as_second(), at("12:00:00.5"), at("12:00:01.2"));
        skew.learn(at("12:00:31").as_second(), at("12:00:30.5"), at("12:00:31.7"));
        assert_eq!(skew.followed(at("12:10:00"), second("12:10:02"), at("12:11:00")), Followed::Yes);
    }
}
