//! The order of the PATCHes: a pure queue in which a delivery never waits for the size of another.
//!
//! Deliveries take turns, one target a turn. Small ones have a ring of their own, because a push to one Warehouse
//! should wait for a round trip and not for all the fan-outs under way; of the turns that both rings want, it gets one
//! in six, so that a fan-out takes at most a fifth longer even under a flood of small deliveries.

use std::collections::VecDeque;
use std::vec::IntoIter;

/// A delivery with more targets is a large one: a fan-out.
pub(super) const SMALL: usize = 16;

/// While both kinds wait, so many turns go to large deliveries before one goes to a small one. A fan-out that shares
/// takes 6/5 of its time at most.
pub(super) const LARGE_TURNS: u32 = 5;

/// Targets that wait for their PATCH, by the deliveries that asked for them.
pub(super) struct Lines<T> {
    small: VecDeque<IntoIter<T>>,
    large: VecDeque<IntoIter<T>>,
    /// How often large deliveries have had a turn since a small one had. At first a small one may go at once.
    large_turns: u32,
}

impl<T> Default for Lines<T> {
    fn default() -> Self {
        Self { small: VecDeque::new(), large: VecDeque::new(), large_turns: LARGE_TURNS }
    }
}

impl<T> Lines<T> {
    /// The targets of one delivery wait from now on.
    pub(super) fn push(&mut self, targets: Vec<T>) {
        let ring = match targets.len() {
            0 => return,
            1..=SMALL => &mut self.small,
            _ => &mut self.large,
        };
        ring.push_back(targets.into_iter());
    }

    /// The target whose turn it is.
    pub(super) fn next(&mut self) -> Option<T> {
        let is_small = !self.small.is_empty() && (self.large.is_empty() || self.large_turns >= LARGE_TURNS);
        self.large_turns = if is_small { 0 } else { self.large_turns.saturating_add(1) };
        let ring = if is_small { &mut self.small } else { &mut self.large };
        let mut line = ring.pop_front()?;
        let target = line.next();
        if line.len() > 0 {
            ring.push_back(line);
        }
        target
    }

    pub(super) fn is_empty(&self) -> bool {
        self.small.is_empty() && self.large.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn queue(sizes: &[usize]) -> Lines<usize> {
        let mut lines = Lines::default();
        for (delivery, size) in sizes.iter().enumerate() {
            lines.push(vec![delivery; *size]);
        }
        lines
    }

    /// In how many turns the last target of a delivery is served.
    fn served_after(lines: &mut Lines<usize>, delivery: usize) -> usize {
        let order: Vec<usize> = std::iter::from_fn(|| lines.next()).collect();
        order.iter().rposition(|served| *served == delivery).unwrap() + 1
    }

    #[test]
    fn a_push_goes_before_ten_thousand_others() {
        assert_eq!(served_after(&mut queue(&[10_000, 1]), 1), 1);
        // One that has just had its turn leaves a few to the fan-outs.
        let mut lines = queue(&[10_000, 5_000, 1]);
        assert_eq!(lines.next(), Some(2));
        lines.push(vec![3]);
        assert_eq!(served_after(&mut lines, 3), LARGE_TURNS as usize + 1);
    }

    #[test]
    fn a_fan_out_takes_at_most_a_fifth_longer_under_a_flood_of_small_deliveries() {
        let mut lines = queue(&[10_000]);
        let (mut turns, mut left) = (0, 10_000);
        while left > 0 {
            lines.push(vec![1]);
            turns += 1;
            left -= usize::from(lines.next() == Some(0));
        }
        assert!(turns <= 12_001, "{turns} turns");
    }

    proptest! {
        /// Nothing is lost or served twice, and a delivery never waits for another one's size: a small one for a few
        /// turns of every small one before it, a large one for no more targets of each other one than it has itself.
        #[test]
        fn no_delivery_waits_for_the_size_of_another(
            sizes in prop::collection::vec(prop_oneof![3 => 1..=SMALL, 1 => SMALL + 1..3_000], 0..40),
            had in 0..5_000_usize,
            own in prop_oneof![3 => 1..=SMALL, 1 => SMALL + 1..300],
        ) {
            let mut lines = queue(&sizes);
            let before = std::iter::from_fn(|| lines.next()).take(had).count();
            lines.push(vec![sizes.len(); own]);
            let order: Vec<usize> = std::iter::from_fn(|| lines.next()).collect();
            prop_assert_eq!(before + order.len(), sizes.iter().sum::<usize>() + own);
            let turns = order.iter().rposition(|served| *served == sizes.len()).unwrap() + 1;
            let (small, large): (Vec<usize>, Vec<usize>) = sizes.iter().partition(|size| **size <= SMALL);
            let share = |others: Vec<usize>| own + others.into_iter().map(|size| size.min(own)).sum::<usize>();
            let bound = if own <= SMALL {
                share(small) * (LARGE_TURNS as usize + 1)
            } else {
                share(large) * (LARGE_TURNS as usize + 1) / LARGE_TURNS as usize + 1
            };
            prop_assert!(turns <= bound, "{turns} turns for {own} of {sizes:?}, {bound} expected");
        }
    }
}
