//! Points in time, durations and locations with the arithmetic and the layouts of Go's `time` package.
//!
//! `jiff` supplies the rules of time zones only: Go's layouts, its far larger range and its treatment of
//! abbreviations have no counterpart there.

mod civil;
mod duration;
pub(super) mod format;
mod instant;
mod layout;
mod parse;
mod zone;

pub(super) use civil::{Civil, days_in_month};
pub(super) use duration::{format_duration, parse_duration, round_duration};
pub use instant::Time;
pub(super) use parse::{parse, parse_any};
pub use zone::Zone;
