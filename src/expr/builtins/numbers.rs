//! Numbers, lengths and types.

use super::super::ops::{float_to_int, to_int};
use super::super::text::number::parse_float;
use super::super::text::print::print;
use super::super::value::{Text, Value};
use super::args::{Answer, Context, arg, invalid};
use super::table::Builtin;
use crate::expr::RunError;
use crate::expr::error::type_error;

/// A builtin of one argument.
pub(super) fn call(builtin: Builtin, value: &Value, context: &mut Context<'_>) -> Answer {
    match builtin {
        Builtin::Len => len(value, context),
        Builtin::Type => Ok(Value::text(type_name(value))),
        Builtin::Abs => match value {
            Value::Int(value) => Ok(Value::Int(value.wrapping_abs())),
            Value::Int64(value) => Ok(Value::Int64(value.wrapping_abs())),
            Value::Uint8(value) => Ok(Value::Uint8(*value)),
            // Not the absolute value: a negative zero stays one.
            Value::Float(value) => Ok(Value::Float(if *value < 0.0 { -value } else { *value })),
            _ => type_error("a number is needed"),
        },
        Builtin::Ceil => rounded(value, f64::ceil),
        Builtin::Floor => rounded(value, f64::floor),
        Builtin::Round => rounded(value, f64::round),
        Builtin::Int => {
            if let Value::Text(text) = value {
                context.meter.read(text.len())?;
            }
            int(value)
        }
        Builtin::Float => match value {
            Value::Text(text) => {
                context.meter.read(2 * text.len())?;
                match parse_float(text.as_bytes()) {
                    Some(value) => Ok(Value::Float(value)),
                    None => invalid("the string is not a number"),
                }
            }
            value => rounded(value, |value| value),
        },
        _ => {
            let mut out = Vec::new();
            print(value, &mut out, context.meter, 0)?;
            Ok(Value::Text(Text::from(out)))
        }
    }
}

fn len(value: &Value, context: &mut Context<'_>) -> Answer {
    let len = match value {
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        Value::Text(text) => {
            context.meter.read(text.len())?;
            text.runes().count()
        }
        _ => return type_error("this has no length"),
    };
    Ok(Value::Int(len as i64))
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Bool(_) => "bool",
        Value::Int(_) | Value::Int64(_) => "int",
        Value::Uint8(_) => "uint",
        Value::Float(_) => "float",
        Value::Text(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "map",
        Value::Func(_) => "func",
        Value::Zone(_) => "unknown",
        named => named.go_type(),
    }
}

fn rounded(value: &Value, round: fn(f64) -> f64) -> Answer {
    value.as_number().map_or_else(|| type_error("a number is needed"), |number| Ok(Value::Float(round(number))))
}

fn int(value: &Value) -> Answer {
    let int = match value {
        Value::Float(value) => float_to_int(*value),
        Value::Duration(value) | Value::Month(value) | Value::Weekday(value) => *value,
        Value::Text(text) => {
            let parsed = text.as_str().and_then(|text| text.parse().ok());
            return parsed.map_or_else(|| invalid("the string is not an integer"), |int| Ok(Value::Int(int)));
        }
        value => to_int(value)?,
    };
    Ok(Value::Int(int))
}

/// Bit operations.
pub(super) fn bits(builtin: Builtin, args: &[Value]) -> Answer {
    let integer = |index| match arg(args, index)?.as_integer() {
        Some(integer) => Ok::<i64, RunError>(integer),
        None => type_error("an integer is needed"),
    };
    let left = integer(0)?;
    if builtin == Builtin::BitNot {
        return Ok(Value::Int(!left));
    }
    let right = integer(1)?;
    if args.len() != 2 {
        return type_error("invalid number of arguments");
    }
    let is_shift = matches!(builtin, Builtin::BitShl | Builtin::BitShr | Builtin::BitUshr);
    if is_shift && right < 0 {
        return invalid("negative shift count");
    }
    // Go shifts everything out where the count is too large.
    let count = u32::try_from(right).unwrap_or(u32::MAX);
    Ok(Value::Int(match builtin {
        Builtin::BitAnd => left & right,
        Builtin::BitOr => left | right,
        Builtin::BitXor => left ^ right,
        Builtin::BitNand => left & !right,
        Builtin::BitShl => left.checked_shl(count).unwrap_or(0),
        Builtin::BitShr => left >> count.min(63),
        _ => (left as u64).checked_shr(count).unwrap_or(0) as i64,
    }))
}
