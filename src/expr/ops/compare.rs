//! Equality and order.

use super::super::limits::{Meter, check_value_depth};
use super::super::value::{Elem, List, Value};
use crate::expr::RunError;
use crate::expr::error::type_error;

/// What is asked of two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::expr) enum Order {
    Less,
    More,
    LessOrEqual,
    MoreOrEqual,
}

impl Order {
    fn holds<T: PartialOrd + ?Sized>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Less => left < right,
            Self::More => left > right,
            Self::LessOrEqual => left <= right,
            Self::MoreOrEqual => left >= right,
        }
    }
}

/// Compares numbers with numbers, and strings, times and durations with their like.
pub(in crate::expr) fn compare(left: &Value, right: &Value, order: Order, meter: &mut Meter) -> Result<bool, RunError> {
    if let (Some(left), Some(right)) = (left.as_integer(), right.as_integer()) {
        return Ok(order.holds(&left, &right));
    }
    if let (Some(left), Some(right)) = (left.as_number(), right.as_number()) {
        return Ok(order.holds(&left, &right));
    }
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => {
            meter.scan(left.len().min(right.len()))?;
            Ok(order.holds(left.as_bytes(), right.as_bytes()))
        }
        (Value::Time(left), Value::Time(right)) => Ok(order.holds(left, right)),
        (Value::Duration(left), Value::Duration(right)) => Ok(order.holds(left, right)),
        _ => type_error("these types cannot be compared"),
    }
}

/// `left == right`
pub(in crate::expr) fn equal(left: &Value, right: &Value, meter: &mut Meter) -> Result<bool, RunError> {
    equal_at(left, right, meter, 0)
}

fn equal_at(left: &Value, right: &Value, meter: &mut Meter, depth: usize) -> Result<bool, RunError> {
    check_value_depth(depth)?;
    if let (Some(left), Some(right)) = (left.as_integer(), right.as_integer()) {
        return Ok(left == right);
    }
    if let (Some(left), Some(right)) = (left.as_number(), right.as_number()) {
        return Ok(left == right);
    }
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => {
            meter.scan(left.len().min(right.len()))?;
            Ok(left == right)
        }
        (Value::Bool(left), Value::Bool(right)) => Ok(left == right),
        (Value::Time(left), Value::Time(right)) => Ok(left == right),
        (Value::Duration(left), Value::Duration(right)) => Ok(left == right),
        (Value::List(left), Value::List(right)) if is_elementwise(left.elem(), right.elem()) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (left, right) in left.iter().zip(right.iter()) {
                meter.work(3)?;
                if !equal_at(&left, &right, meter, depth + 1)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        _ if left.is_nil() && right.is_nil() => Ok(true),
        _ => deeply_equal(left, right, meter, depth),
    }
}

/// Lists of the same type, or one of them a list of anything.
fn is_elementwise(left: Elem, right: Elem) -> bool {
    let is_slice = |elem| !matches!(elem, Elem::Pair | Elem::Two);
    is_slice(left) && is_slice(right) && (left == right || left == Elem::Any || right == Elem::Any)
}

/// Equality of everything else: types have to agree, also inside.
fn deeply_equal(left: &Value, right: &Value, meter: &mut Meter, depth: usize) -> Result<bool, RunError> {
    check_value_depth(depth)?;
    meter.work(3)?;
    Ok(match (left, right) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Int(left), Value::Int(right))
        | (Value::Int64(left), Value::Int64(right))
        | (Value::Duration(left), Value::Duration(right))
        | (Value::Month(left), Value::Month(right))
        | (Value::Weekday(left), Value::Weekday(right)) => left == right,
        (Value::Uint8(left), Value::Uint8(right)) => left == right,
        (Value::Float(left), Value::Float(right)) => left == right,
        (Value::Text(left), Value::Text(right)) => {
            meter.scan(left.len().min(right.len()))?;
            left == right
        }
        (Value::Time(left), Value::Time(right)) => left == right && left.zone().is_same(right.zone()),
        (Value::Zone(left), Value::Zone(right)) | (Value::ZoneValue(left), Value::ZoneValue(right)) => {
            left.is_same(right)
        }
        (Value::List(left), Value::List(right)) => {
            left.is_same(right) || lists_deeply_equal(left, right, meter, depth)?
        }
        (Value::Map(left), Value::Map(right)) => {
            if left.is_same(right) {
                return Ok(true);
            }
            if left.kind() != right.kind() || left.len() != right.len() {
                return Ok(false);
            }
            for (key, value) in left.entries() {
                meter.work(right.cost_of(key))?;
                let Some(other) = right.at(key) else { return Ok(false) };
                if !deeply_equal(value, other, meter, depth + 1)? {
                    return Ok(false);
                }
            }
            true
        }
        _ => false,
    })
}

fn lists_deeply_equal(left: &List, right: &List, meter: &mut Meter, depth: usize) -> Result<bool, RunError> {
    if left.elem() != right.elem() || left.is_nil() != right.is_nil() || left.len() != right.len() {
        return Ok(false);
    }
    for (left, right) in left.iter().zip(right.iter()) {
        if !deeply_equal(&left, &right, meter, depth + 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the optimizer's constants would be printed alike.
pub(in crate::expr) fn equal_constants(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len()
                && left.iter().zip(right.iter()).all(|(left, right)| equal_constants(&left, &right))
        }
        (Value::Map(left), Value::Map(right)) => {
            left.entries().map(|(key, _)| key).eq(right.entries().map(|(key, _)| key))
        }
        (Value::Text(left), Value::Text(right)) => left == right,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        _ => matches!((left.as_number(), right.as_number()), (Some(left), Some(right)) if left == right),
    }
}
