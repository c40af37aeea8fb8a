//! How many Events each namespace may have written: pure.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Events of one namespace at once: of a registry that fails, many Warehouses say so together.
const AT_ONCE: u32 = 30;
/// After those, one in so long.
const EVERY: Duration = Duration::from_secs(10);
/// From so many namespaces on, those with a whole allowance are forgotten.
const REMEMBERED: usize = 1024;

/// The allowances of all namespaces.
#[derive(Default)]
pub(super) struct Allowances {
    /// When the allowance of a namespace will be whole again.
    whole_at: HashMap<Box<str>, Instant>,
}

impl Allowances {
    /// Takes one from the allowance of a namespace, if there is one left.
    pub(super) fn take(&mut self, namespace: &str, now: Instant) -> bool {
        if self.whole_at.len() >= REMEMBERED {
            self.whole_at.retain(|_, whole_at| *whole_at > now);
        }
        let whole_at = self.whole_at.get(namespace).map_or(now, |whole_at| *whole_at.max(&now)) + EVERY;
        let is_left = whole_at <= now + EVERY * AT_ONCE;
        if is_left {
            self.whole_at.insert(namespace.into(), whole_at);
        }
        is_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_uses_up_its_own_allowance_and_gets_one_back_at_a_time() {
        let (mut allowances, start) = (Allowances::default(), Instant::now());
        let mut taken = |namespace, tries, after: u64| {
            let now = start + Duration::from_secs(after);
            (0..tries).filter(|_| allowances.take(namespace, now)).count()
        };
        assert_eq!(taken("noisy", 1_000, 0), 30);
        assert_eq!(taken("quiet", 1, 0), 1);
        assert_eq!(taken("noisy", 10, 9), 0);
        assert_eq!(taken("noisy", 10, 10), 1);
        assert_eq!(taken("noisy", 10, 35), 2);
        assert_eq!(taken("noisy", 1_000, 10_000), 30, "it is never more than whole");
    }

    #[test]
    fn what_is_remembered_is_bounded_by_the_namespaces_that_had_events_lately() {
        let (mut allowances, start) = (Allowances::default(), Instant::now());
        for number in 0..10_000_u64 {
            assert!(allowances.take(&number.to_string(), start + Duration::from_secs(number)));
        }
        assert!(allowances.whole_at.len() <= REMEMBERED, "{}", allowances.whole_at.len());
    }
}
