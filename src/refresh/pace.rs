//! How often one target may be refreshed: a hundred times in a burst, then twice a second. Pure; time is passed in.
//!
//! A sender that hammers one Warehouse would otherwise keep Kargo's controller and the API server busy with nothing but
//! that one. Requests that come faster share a later PATCH.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::domain::target::Target;

/// The pause that one refresh is worth.
const EVERY: Duration = Duration::from_millis(500);
/// Refreshes that may come at once.
const BURST: u32 = 100;
/// The map is swept when it has doubled, but not below this.
const SWEEP_FROM: usize = 1024;

/// Remembers of each target until when its refreshes last. Who was refreshed half a second ago is forgotten.
#[derive(Default)]
pub(super) struct Pace {
    spent: HashMap<Target, Instant>,
    sweep_at: usize,
}

impl Pace {
    /// When the target may be refreshed: now or later.
    pub(super) fn earliest(&self, target: &Target, now: Instant) -> Instant {
        let spent = self.spent.get(target).and_then(|until| until.checked_sub(EVERY * (BURST - 1)));
        spent.map_or(now, |earliest| earliest.max(now))
    }

    /// The target is being refreshed now.
    pub(super) fn refreshed(&mut self, target: &Target, now: Instant) {
        if self.spent.len() >= self.sweep_at.max(SWEEP_FROM) {
            self.spent.retain(|_, until| *until > now);
            self.spent.shrink_to(SWEEP_FROM);
            self.sweep_at = self.spent.len() * 2;
        }
        let until = self.spent.entry(target.clone()).or_insert(now);
        *until = now.max(*until) + EVERY;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::scope::ObjectKey;

    fn target(name: &str) -> Target {
        Target::warehouse(ObjectKey::new("northwind", name))
    }

    #[test]
    fn a_hundred_at_once_then_two_a_second_and_a_rest_earns_a_new_burst() {
        // Far enough from the start of the clock that a burst before it can be expressed.
        let start = Instant::now() + Duration::from_hours(1);
        let mut pace = Pace::default();
        let burst = |pace: &mut Pace, now| {
            let count = std::iter::from_fn(|| {
                let may = pace.earliest(&target("a"), now) == now;
                may.then(|| pace.refreshed(&target("a"), now))
            });
            count.count()
        };
        assert_eq!(burst(&mut pace, start), 100);
        assert_eq!(pace.earliest(&target("a"), start), start + EVERY);
        assert_eq!(pace.earliest(&target("b"), start), start, "each target has its own pace");
        assert_eq!((1..=20).map(|tick| burst(&mut pace, start + EVERY / 2 * tick)).sum::<usize>(), 10);
        assert_eq!(burst(&mut pace, start + Duration::from_hours(1)), 100);
    }

    #[test]
    fn targets_that_rest_are_forgotten() {
        let start = Instant::now();
        let mut pace = Pace::default();
        for number in 0..10_000_u32 {
            pace.refreshed(&target(&number.to_string()), start + EVERY * number);
        }
        assert!(pace.spent.len() <= SWEEP_FROM, "{} are remembered", pace.spent.len());
    }
}
