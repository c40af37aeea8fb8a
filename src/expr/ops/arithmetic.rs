//! Numbers, and the operators that also work on strings, times and durations.

use super::super::code::Op;
use super::super::limits::Meter;
use super::super::value::{Text, Value};
use super::power::pow;
use crate::expr::error::type_error;
use crate::expr::{ErrorClass, RunError};

/// A float as Go's amd64 compiler converts it: what does not fit is the smallest integer.
pub(in crate::expr) fn float_to_int(value: f64) -> i64 {
    const END: f64 = 9_223_372_036_854_775_808.0;
    if (-END..END).contains(&value) { value as i64 } else { i64::MIN }
}

/// Any number as an integer.
pub(in crate::expr) fn to_int(value: &Value) -> Result<i64, RunError> {
    match value {
        Value::Float(value) => Ok(float_to_int(*value)),
        value => value.as_integer().map_or_else(|| type_error("an integer is needed"), Ok),
    }
}

pub(in crate::expr) fn negate(value: &Value) -> Result<Value, RunError> {
    Ok(match value {
        Value::Int(value) => Value::Int(value.wrapping_neg()),
        Value::Int64(value) => Value::Int64(value.wrapping_neg()),
        Value::Uint8(value) => Value::Uint8(value.wrapping_neg()),
        Value::Float(value) => Value::Float(-value),
        _ => return type_error("only numbers can be negated"),
    })
}

pub(in crate::expr) fn operate(op: &Op, left: &Value, right: &Value, meter: &mut Meter) -> Result<Value, RunError> {
    if let (Some(left), Some(right)) = (left.as_integer(), right.as_integer()) {
        return Ok(match op {
            Op::Add => Value::Int(left.wrapping_add(right)),
            Op::Subtract => Value::Int(left.wrapping_sub(right)),
            Op::Multiply => Value::Int(left.wrapping_mul(right)),
            Op::Modulo if right == 0 => return Err(RunError::new(ErrorClass::Value, "integer divide by zero")),
            Op::Modulo => Value::Int(left.wrapping_rem(right)),
            _ => Value::Float(floats(op, left as f64, right as f64)),
        });
    }
    if let (Some(left), Some(right)) = (left.as_number(), right.as_number()) {
        if matches!(op, Op::Modulo) {
            return type_error("the remainder is defined for integers only");
        }
        return Ok(Value::Float(floats(op, left, right)));
    }
    match (op, left, right) {
        (Op::Add, Value::Text(left), Value::Text(right)) => {
            meter.allocate(left.len() + right.len())?;
            Ok(Value::Text(Text::from([left.as_bytes(), right.as_bytes()].concat())))
        }
        (Op::Add, Value::Time(time), Value::Duration(duration))
        | (Op::Add, Value::Duration(duration), Value::Time(time)) => Ok(Value::Time(time.add(*duration))),
        (Op::Add, Value::Duration(left), Value::Duration(right)) => Ok(Value::Duration(left.wrapping_add(*right))),
        (Op::Subtract, Value::Time(left), Value::Time(right)) => Ok(Value::Duration(left.since(right))),
        (Op::Subtract, Value::Time(time), Value::Duration(duration)) => {
            Ok(Value::Time(time.add(duration.wrapping_neg())))
        }
        (Op::Subtract, Value::Duration(left), Value::Duration(right)) => Ok(Value::Duration(left.wrapping_sub(*right))),
        (Op::Multiply, Value::Duration(left), right) => scale(*left, right),
        (Op::Multiply, left, Value::Duration(right)) => scale(*right, left),
        _ => type_error("the operator is not defined for these types"),
    }
}

/// A duration times a float is a number, not a duration.
fn scale(duration: i64, factor: &Value) -> Result<Value, RunError> {
    match factor {
        Value::Duration(factor) => Ok(Value::Duration(duration.wrapping_mul(*factor))),
        Value::Float(factor) => Ok(Value::Float(duration as f64 * factor)),
        factor => match factor.as_integer() {
            Some(factor) => Ok(Value::Duration(duration.wrapping_mul(factor))),
            None => type_error("a duration can only be multiplied by numbers"),
        },
    }
}

fn floats(op: &Op, left: f64, right: f64) -> f64 {
    match op {
        Op::Add => left + right,
        Op::Subtract => left - right,
        Op::Multiply => left * right,
        Op::Divide => left / right,
        _ => pow(left, right),
    }
}
