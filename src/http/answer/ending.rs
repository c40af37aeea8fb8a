//! How the refreshes of a request ended.

use crate::domain::target::Target;

/// How the refreshes ended that a request asked for.
#[derive(Clone, Copy, Debug)]
pub enum Ending<'a> {
    /// All are written, if there were any.
    Written,
    /// At least one, these in order, was not written in time and is owed in memory only.
    Unfinished(&'a [Target]),
    /// At least one, these in order, was not written in time; the disk has them.
    Queued {
        /// Those.
        unfinished: &'a [Target],
        /// How many were asked for.
        all: usize,
    },
    /// The request asked for everything but the refreshes.
    DryRun,
}

impl Ending<'_> {
    /// How many of so many are written.
    pub(super) const fn refreshed(self, matched: usize) -> usize {
        match self {
            Self::Written => matched,
            Self::Unfinished(unfinished) | Self::Queued { unfinished, .. } => matched - unfinished.len(),
            Self::DryRun => 0,
        }
    }

    /// What is said when the disk has what was not written.
    pub(super) fn queued(self) -> Option<String> {
        let Self::Queued { unfinished, all } = self else { return None };
        let queued = unfinished.len();
        Some(format!("queued {queued} of {all} refresh(es), which are repeated until they are written"))
    }
}
