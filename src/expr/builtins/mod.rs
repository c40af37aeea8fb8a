//! The functions every expression can call.
//!
//! Owns their names, what is known about their arguments before they run, and what they do. One file per theme.

mod aggregate;
mod dates;
mod lists;
mod maps;
mod numbers;
mod strings;
mod table;
mod template;

use super::limits::Meter;
use super::types::{FuncType, Nature, Type};
use super::value::{List, Text, Value};
use super::{ErrorClass, RunError};

pub(super) use aggregate::sort_by;
pub(super) use dates::call_method;
pub(super) use lists::append_group;
pub(super) use table::{Builtin, Check};
pub(super) use template::call as call_template_func;

/// What an argument of a function that takes a predicate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parameter {
    Value,
    Predicate,
    OptionalValue,
    OptionalPredicate,
}

impl Parameter {
    pub(super) const fn is_optional(self) -> bool {
        matches!(self, Self::OptionalValue | Self::OptionalPredicate)
    }

    pub(super) const fn is_predicate(self) -> bool {
        matches!(self, Self::Predicate | Self::OptionalPredicate)
    }
}

/// What evaluating a builtin needs besides its arguments.
pub(super) struct Context<'a> {
    pub(super) meter: &'a mut Meter,
    pub(super) now: jiff::Timestamp,
}

pub(super) type Answer = Result<Value, RunError>;

pub(super) fn refuse<T>(message: &'static str) -> Result<T, RunError> {
    Err(RunError::new(ErrorClass::Type, message))
}

pub(super) fn invalid<T>(message: &'static str) -> Result<T, RunError> {
    Err(RunError::new(ErrorClass::Value, message))
}

pub(super) fn arg(args: &[Value], index: usize) -> Result<&Value, RunError> {
    args.get(index).ok_or_else(|| RunError::new(ErrorClass::Type, "not enough arguments"))
}

pub(super) fn text(args: &[Value], index: usize) -> Result<&Text, RunError> {
    match arg(args, index)? {
        Value::Text(text) => Ok(text),
        _ => refuse("the argument is not a string"),
    }
}

pub(super) fn list(args: &[Value], index: usize) -> Result<&List, RunError> {
    match arg(args, index)? {
        Value::List(list) => Ok(list),
        _ => refuse("the argument is not a list"),
    }
}

/// Upstream's functions of exactly one argument find whatever was computed last when they are given none.
pub(super) fn only(args: &[Value]) -> Result<&Value, RunError> {
    match args {
        [only] => Ok(only),
        _ => refuse("invalid number of arguments"),
    }
}

/// Calls a builtin that takes no predicate.
pub(super) fn call(builtin: Builtin, args: &[Value], context: &mut Context<'_>) -> Answer {
    use Builtin as B;
    match builtin {
        B::Len | B::Type | B::Abs | B::Ceil | B::Floor | B::Round | B::Int | B::Float | B::Str => {
            numbers::call(builtin, arg(args, 0)?, context)
        }
        B::BitAnd | B::BitOr | B::BitXor | B::BitNand | B::BitShl | B::BitShr | B::BitUshr | B::BitNot => {
            numbers::bits(builtin, args)
        }
        B::Trim
        | B::TrimPrefix
        | B::TrimSuffix
        | B::Upper
        | B::Lower
        | B::Split
        | B::SplitAfter
        | B::Replace
        | B::Repeat
        | B::Join
        | B::IndexOf
        | B::LastIndexOf
        | B::HasPrefix
        | B::HasSuffix
        | B::ToJson
        | B::FromJson
        | B::ToBase64
        | B::FromBase64 => strings::call(builtin, args, context),
        B::Max | B::Min | B::Mean | B::Median | B::Sort => aggregate::call(builtin, args, context),
        B::Now | B::Duration | B::Date | B::Timezone => dates::call(builtin, args, context),
        B::First | B::Last | B::Take | B::Reverse | B::Uniq | B::Concat | B::Flatten => {
            lists::call(builtin, args, context)
        }
        B::Get | B::Keys | B::Values | B::ToPairs | B::FromPairs => maps::call(builtin, args, context),
        B::All
        | B::None
        | B::Any
        | B::One
        | B::Filter
        | B::Map
        | B::Find
        | B::FindIndex
        | B::FindLast
        | B::FindLastIndex
        | B::Count
        | B::Sum
        | B::GroupBy
        | B::SortBy
        | B::Reduce => refuse("not a function"),
    }
}

/// The type a builtin with a rule of its own returns, or nothing if it refuses the arguments.
pub(super) fn validate(builtin: Builtin, args: &[Nature]) -> Option<Nature> {
    table::validate(builtin, args)
}

/// The static type of the name of a builtin that is not called.
pub(super) fn type_of(builtin: Builtin) -> &'static FuncType {
    match builtin.check() {
        Check::Types(types) => types.first().unwrap_or(&table::VARIADIC),
        Check::Rule | Check::Get => &table::VARIADIC,
        Check::Predicate(_, own) => own,
    }
}

pub(super) const TEMPLATE_FUNC: FuncType = FuncType { ins: &[Type::Any], variadic: false, outs: &[Type::Text] };
