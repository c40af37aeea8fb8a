//! What operators do to values.
//!
//! Owns members, arithmetic, equality and order. The machine and the builtins both call it, and it knows neither.

mod access;
mod arithmetic;
mod compare;
mod power;

pub(super) use access::{contains, fetch, key_of, length, method, slice};
pub(super) use arithmetic::{float_to_int, negate, operate, to_int};
pub(super) use compare::{Order, compare, equal, equal_constants};
pub(super) use power::pow;
