//! Whether the API server takes writes, judged by the last ones alone. Pure; time is passed in.
//!
//! While it is known to be away, an answer need not wait for it, and one write in half a second is enough to notice its
//! return: the first that succeeds ends the absence.

use std::time::{Duration, Instant};

/// So many failures in a row mean that it is away.
const FAILURES: u32 = 3;
/// Pause between the writes that look for it. A hundred thousand refreshes that are owed must not all try.
pub(super) const PROBE_EVERY: Duration = Duration::from_millis(500);

#[derive(Default)]
pub(super) struct Health {
    /// Failures since the last success.
    failures: u32,
    /// An answer waited for its whole deadline, and no write has succeeded since it began to.
    is_silent: bool,
    succeeded: Option<Instant>,
    begun: Option<Instant>,
}

impl Health {
    pub(super) const fn is_away(&self) -> bool {
        self.is_silent || self.failures >= FAILURES
    }

    /// When the next write may begin: now or later.
    pub(super) fn earliest(&self, now: Instant) -> Instant {
        let probe = self.begun.filter(|_| self.is_away()).map(|begun| begun + PROBE_EVERY);
        probe.map_or(now, |probe| probe.max(now))
    }

    /// A write begins.
    pub(super) const fn begin(&mut self, now: Instant) {
        self.begun = Some(now);
    }

    /// The API server carried a write out, or would not. Returns whether it was away until now.
    pub(super) const fn answered(&mut self, now: Instant) -> bool {
        let was_away = self.is_away();
        self.succeeded = Some(now);
        (self.failures, self.is_silent) = (0, false);
        was_away
    }

    pub(super) const fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// An answer that began to wait then has waited in vain.
    pub(super) fn waited_since(&mut self, since: Instant) {
        self.is_silent |= self.succeeded.is_none_or(|succeeded| succeeded < since);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_or_silence_mean_away_until_a_write_succeeds() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut health = Health::default();
        health.failed();
        health.failed();
        assert!(!health.answered(at(0)), "two failures happen");
        for _ in 0..3 {
            assert!(!health.is_away());
            health.begin(at(100));
            health.failed();
        }
        assert!(health.is_away());
        assert_eq!((health.earliest(at(200)), health.earliest(at(700))), (at(600), at(700)));
        assert!(health.answered(at(700)) && !health.is_away());
        assert_eq!(health.earliest(at(701)), at(701));
        health.waited_since(at(600));
        assert!(!health.is_away(), "a write succeeded meanwhile");
        health.waited_since(at(800));
        assert!(health.is_away());
    }
}
