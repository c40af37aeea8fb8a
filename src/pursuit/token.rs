//! What can be read from the value of the refresh annotation.
//!
//! Anybody may have written it: Kargo's own receiver, `kubectl`, Quayside. Values are compared for equality alone, as
//! Kargo does, so a hash of each is enough.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;

/// Stands for one value of the annotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark(u64);

impl Mark {
    pub(super) fn of(value: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// The time in a token that Quayside wrote, by the clock of the replica that wrote it; `None` for a value of anybody
/// else.
pub(super) fn time_of(value: &str) -> Option<Timestamp> {
    let (_, fraction) = value.strip_suffix('Z')?.split_once('.')?;
    if fraction.len() != 9 {
        return None;
    }
    value.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refresh::token::token;

    #[test]
    fn only_tokens_of_quayside_have_a_time() {
        let now = "2026-08-21T17:51:41.123456789Z".parse().unwrap();
        assert_eq!(time_of(&token(now)), Some(now));
        let others =
            ["2026-08-21T17:51:41Z", "2026-08-21T17:51:41.123Z", "foo", "", "2026-08-21T17:51:41.123456789+00:00"];
        assert!(others.iter().all(|value| time_of(value).is_none()));
    }
}
