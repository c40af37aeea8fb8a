//! How a PATCH ended: one type, from the API server's answer to what the waiters receive.

use std::sync::Arc;
use std::time::Duration;

/// How one PATCH ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatchOutcome {
    /// The annotation is written.
    Written,
    /// The object does not exist (any more): nothing to refresh.
    Gone,
    /// The API server or an admission webhook refuses the write; repeating it soon would not help.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The API server's message.
        message: Arc<str>,
    },
    /// A failure that passes. Waiters never receive it, because they wait for the next attempt.
    Failed {
        /// The HTTP status, when there was an answer.
        status: Option<u16>,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
}

impl PatchOutcome {
    /// Without an answer of the API server.
    pub(super) const UNREACHABLE: Self = Self::Failed { status: None, retry_after: None };

    /// Whether nothing is owed any more.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self, Self::Written | Self::Gone)
    }

    /// The metric label.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Gone => "gone",
            Self::Refused { .. } => "refused",
            Self::Failed { status: Some(429), .. } => "throttled",
            Self::Failed { status: Some(_), .. } => "server_error",
            Self::Failed { status: None, .. } => "unreachable",
        }
    }
}
