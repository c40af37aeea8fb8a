//! What functions get, and how they take it apart.

use super::super::error::type_error;
use super::super::limits::Meter;
use super::super::value::{List, Text, Value};
use crate::expr::{ErrorClass, RunError};

/// What evaluating a builtin needs besides its arguments.
pub(in crate::expr) struct Context<'a> {
    pub(in crate::expr) meter: &'a mut Meter,
    pub(in crate::expr) now: jiff::Timestamp,
}

pub(in crate::expr) type Answer = Result<Value, RunError>;

pub(super) fn invalid<T>(message: &'static str) -> Result<T, RunError> {
    Err(RunError::new(ErrorClass::Value, message))
}

pub(super) fn arg(args: &[Value], index: usize) -> Result<&Value, RunError> {
    args.get(index).ok_or_else(|| RunError::new(ErrorClass::Type, "not enough arguments"))
}

pub(super) fn text(args: &[Value], index: usize) -> Result<&Text, RunError> {
    match arg(args, index)? {
        Value::Text(text) => Ok(text),
        _ => type_error("the argument is not a string"),
    }
}

pub(super) fn list(args: &[Value], index: usize) -> Result<&List, RunError> {
    match arg(args, index)? {
        Value::List(list) => Ok(list),
        _ => type_error("the argument is not a list"),
    }
}

/// Upstream's functions of exactly one argument find whatever was computed last when they are given none.
pub(super) fn only(args: &[Value]) -> Result<&Value, RunError> {
    match args {
        [only] => Ok(only),
        _ => type_error("invalid number of arguments"),
    }
}
