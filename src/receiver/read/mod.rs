//! Reading bodies: what several kinds of sender have in common.

pub(in crate::receiver) mod git;
pub(in crate::receiver) mod json;
pub(in crate::receiver) mod media_type;
pub(in crate::receiver) mod registry_event;
