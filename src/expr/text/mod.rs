//! Text as Go writes and reads it: printing, quoting, JSON, YAML and numbers.

pub(super) mod case;
pub(super) mod json_read;
pub(super) mod json_write;
pub(super) mod number;
pub(super) mod pattern;
pub(super) mod print;
pub(super) mod quote;
pub(super) mod search;
pub(super) mod yaml;
