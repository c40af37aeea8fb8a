//! The functions every expression can call.
//!
//! Owns their names, what is known about their arguments before they run, and what they do. One file per theme.

mod aggregate;
mod args;
mod dates;
mod lists;
mod maps;
mod numbers;
mod strings;
mod table;
mod template;

use super::error::type_error;
use super::value::Value;
use args::{Answer, arg};

pub(super) use aggregate::sort_by;
pub(super) use args::Context;
pub(super) use dates::call_method;
pub(super) use lists::append_group;
pub(super) use table::{Builtin, Check, Parameter};
pub(super) use template::call as call_template_func;

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
        | B::Reduce => type_error("not a function"),
    }
}
