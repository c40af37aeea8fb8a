//! Reading bodies: what several kinds of sender have in common.

pub(in crate::receiver) mod git;
pub mod json;
pub mod media_type;
pub(in crate::receiver) mod registry_event;
