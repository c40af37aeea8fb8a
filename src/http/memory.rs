//! What the webhook port may take of the process' memory.

use std::sync::Arc;

use super::heads::Heads;
use super::limits::{
    BODIES_SHARE, CONNECTION_BYTES, CONNECTIONS_SHARE, HEADS_SHARE, LARGE_HEAD_BYTES, MAX_BODY_BYTES, MAX_CONNECTIONS,
    REFRESH_BYTES, REFRESHES_SHARE, WAITS_SHARE,
};
use super::pool::Pool;
use super::waits::Waits;

/// The shares of one budget; cheap to clone.
#[derive(Clone)]
pub struct Memory {
    /// Open connections.
    pub(super) connections: usize,
    /// Large heads.
    pub(super) heads: Arc<Heads>,
    /// Large bodies.
    pub(super) bodies: Arc<Pool>,
    /// Requests that wait for their refreshes.
    pub(super) waits: Arc<Waits>,
}

impl Memory {
    /// The shares of that many bytes.
    #[must_use]
    pub fn new(budget: u64) -> Self {
        let budget = usize::try_from(budget).unwrap_or(usize::MAX);
        let (part, of) = CONNECTIONS_SHARE;
        let connections = (budget / of * part / CONNECTION_BYTES).clamp(1, MAX_CONNECTIONS);
        Self {
            connections,
            waits: Arc::new(Waits::new((connections / WAITS_SHARE).max(1), budget / REFRESHES_SHARE / REFRESH_BYTES)),
            heads: Heads::new((budget / HEADS_SHARE / LARGE_HEAD_BYTES).max(1)),
            // Two receivers can always have one of the largest each.
            bodies: Pool::new((budget / BODIES_SHARE).max(2 * MAX_BODY_BYTES)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::memory::DEFAULT_BUDGET;

    #[test]
    fn the_shares_follow_the_budget_and_leave_half_to_the_tables() {
        assert_eq!(Memory::new(DEFAULT_BUDGET).connections, MAX_CONNECTIONS);
        for budget in [64 << 20, 256 << 20, 1 << 30] {
            let memory = Memory::new(budget);
            let heads = memory.heads.limit() * LARGE_HEAD_BYTES;
            let waits = memory.waits.refreshes() * REFRESH_BYTES;
            let taken = memory.connections * CONNECTION_BYTES + heads + memory.bodies.capacity() + waits;
            assert!(taken as u64 <= budget * 6 / 10, "{taken} of {budget}");
        }
        assert!(Memory::new(0).connections > 0);
    }
}
