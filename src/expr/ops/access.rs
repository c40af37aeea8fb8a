//! Members, elements, slices and membership.

use super::super::limits::Meter;
use super::super::methods::Method;
use super::super::types::Type;
use super::super::value::{Elem, Func, Key, List, MapKind, Text, Value};
use super::arithmetic::to_int;
use super::compare::equal;
use crate::expr::error::type_error;
use crate::expr::{ErrorClass, RunError};

fn index_error<T>() -> Result<T, RunError> {
    Err(RunError::new(ErrorClass::Index, "index out of range"))
}

/// The type whose methods a value has.
fn owner(value: &Value) -> Option<Type> {
    Some(match value {
        Value::Time(_) => Type::Time,
        Value::Duration(_) => Type::Duration,
        Value::Month(_) => Type::Month,
        Value::Weekday(_) => Type::Weekday,
        Value::Zone(_) => Type::Zone,
        _ => return None,
    })
}

/// A method of a value that has it.
pub(in crate::expr) fn method(receiver: Value, method: Method) -> Value {
    Value::Func(Func::method(receiver, method))
}

/// `from.key` or `from[key]`
pub(in crate::expr) fn fetch(from: &Value, key: &Value, meter: &mut Meter) -> Result<Value, RunError> {
    if let (Some(owner), Value::Text(name)) = (owner(from), key)
        && let Some(found) = Method::of(owner, name.as_bytes())
    {
        return Ok(method(from.clone(), found));
    }
    match from {
        Value::Nil => Err(RunError::new(ErrorClass::NilMember, "cannot fetch a member of nil")),
        Value::List(list) => list.get(index(key, list.len())?).map_or_else(index_error, Ok),
        Value::Text(text) => {
            let byte = text.as_bytes().get(index(key, text.len())?);
            byte.map_or_else(index_error, |byte| Ok(Value::Uint8(*byte)))
        }
        Value::Map(map) => {
            let key = key_of(map.kind(), key)?;
            meter.work(map.cost_of(&key))?;
            let found = map.at(&key).cloned();
            Ok(found.unwrap_or_else(|| if map.kind() == MapKind::AnyList { nil_list() } else { Value::Nil }))
        }
        _ => type_error("this has no members"),
    }
}

fn nil_list() -> Value {
    Value::List(List::nil(Elem::Any))
}

/// The position that an index means; negative ones count from the end.
fn index(key: &Value, len: usize) -> Result<usize, RunError> {
    let index = to_int(key)?;
    let index = if index < 0 { index.wrapping_add(len as i64) } else { index };
    usize::try_from(index).or_else(|_| index_error())
}

/// The key of such a map that a value means; nil is the zero key.
pub(in crate::expr) fn key_of(kind: MapKind, value: &Value) -> Result<Key, RunError> {
    match (kind, value) {
        (MapKind::TextAny | MapKind::TextSet, Value::Text(text)) => Ok(Key::Text(text.clone())),
        (MapKind::TextAny | MapKind::TextSet, Value::Nil) => Ok(Key::Text(Text::from(""))),
        (MapKind::IntSet, Value::Int(value)) => Ok(Key::Int(*value)),
        (MapKind::IntSet, Value::Nil) => Ok(Key::Int(0)),
        (MapKind::AnyAny | MapKind::AnyList, value) => {
            Key::new(value, usize::MAX).map_or_else(|| type_error("this cannot be a key"), Ok)
        }
        _ => type_error("the map has no keys of that type"),
    }
}

/// `needle in collection`
pub(in crate::expr) fn contains(needle: &Value, collection: &Value, meter: &mut Meter) -> Result<bool, RunError> {
    match collection {
        Value::Nil => Ok(false),
        Value::List(list) => {
            for item in list.iter() {
                meter.work(1)?;
                if equal(&item, needle, meter)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Value::Map(map) => {
            let key = key_of(map.kind(), needle)?;
            meter.work(map.cost_of(&key))?;
            Ok(map.at(&key).is_some())
        }
        // Times and locations have no fields that are visible.
        Value::Time(_) | Value::Zone(_) | Value::ZoneValue(_) if matches!(needle, Value::Text(_)) => Ok(false),
        _ => type_error("this cannot contain anything"),
    }
}

/// The length in bytes, elements or entries.
pub(in crate::expr) fn length(value: &Value) -> Result<usize, RunError> {
    match value {
        Value::List(list) => Ok(list.len()),
        Value::Text(text) => Ok(text.len()),
        Value::Map(map) => Ok(map.len()),
        _ => type_error("this has no length"),
    }
}

/// `value[from:to]`; out of range is cut off.
pub(in crate::expr) fn slice(value: &Value, from: &Value, to: &Value, meter: &mut Meter) -> Result<Value, RunError> {
    if !matches!(value, Value::List(_) | Value::Text(_)) {
        return type_error("this cannot be sliced");
    }
    let len = length(value)?;
    let bound = |value: &Value| {
        let index = to_int(value)?;
        let index = if index < 0 { index.wrapping_add(len as i64) } else { index };
        Ok::<usize, RunError>(usize::try_from(index).unwrap_or_default())
    };
    let (from, to) = (bound(from)?, bound(to)?.min(len));
    let from = from.min(to);
    Ok(match value {
        Value::Text(text) => {
            meter.allocate(to - from)?;
            Value::Text(Text::from(&text.as_bytes()[from..to]))
        }
        Value::List(list) => {
            // A slice of an array is a slice.
            let elem = if list.elem() == Elem::Two { Elem::Any } else { list.elem() };
            Value::List(list.slice(from..to, elem))
        }
        _ => Value::Nil,
    })
}
