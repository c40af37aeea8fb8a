//! Keys of maps.

use super::data::{Elem, Key, List, Value};
use crate::expr::time::{Time, Zone};

impl Key {
    /// The key for a value, unless Go cannot hash it. `entries` is the number of entries of the map.
    pub(in crate::expr) fn new(value: &Value, entries: usize) -> Option<Self> {
        Some(match value {
            Value::Nil => Self::Nil,
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(value) => Self::Int(*value),
            Value::Int64(value) => Self::Int64(*value),
            Value::Uint8(value) => Self::Uint8(*value),
            Value::Float(value) if value.is_nan() => Self::Nan(entries),
            Value::Float(value) => Self::Float(ordered_bits(*value)),
            Value::Text(text) => Self::Text(text.clone()),
            Value::Duration(value) => Self::Duration(*value),
            Value::Month(value) => Self::Month(*value),
            Value::Weekday(value) => Self::Weekday(*value),
            Value::Time(time) => Self::Time(Box::new((time.seconds(), time.nanos(), time.zone().name().to_owned()))),
            Value::Zone(zone) => Self::Zone(zone.name().into()),
            Value::List(list) if list.elem() == Elem::Two => {
                let part = |index| match list.get(index)? {
                    // A pair in a pair is left out: nothing that can be written compares them.
                    Value::List(_) => None,
                    part => Self::new(&part, entries),
                };
                Self::Two(Box::new((part(0)?, part(1)?)))
            }
            Value::List(_) | Value::Map(_) | Value::Func(_) | Value::ZoneValue(_) => return None,
        })
    }

    /// The value the key was made of.
    pub(in crate::expr) fn to_value(&self) -> Value {
        match self {
            Self::Nil => Value::Nil,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::Int64(value) => Value::Int64(*value),
            Self::Uint8(value) => Value::Uint8(*value),
            Self::Float(bits) => Value::Float(from_ordered_bits(*bits)),
            Self::Nan(_) => Value::Float(f64::NAN),
            Self::Text(text) => Value::Text(text.clone()),
            Self::Duration(value) => Value::Duration(*value),
            Self::Month(value) => Value::Month(*value),
            Self::Weekday(value) => Value::Weekday(*value),
            Self::Time(time) => Value::Time(Time::of_key(time.0, time.1, &time.2)),
            Self::Zone(name) => Value::Zone(Zone::load(name).unwrap_or_default()),
            Self::Two(parts) => Value::List(List::new(Elem::Two, vec![parts.0.to_value(), parts.1.to_value()])),
        }
    }
}

/// Negative zero is the same key as zero.
fn ordered_bits(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn from_ordered_bits(bits: u64) -> f64 {
    f64::from_bits(if bits >> 63 == 1 { bits & !(1 << 63) } else { !bits })
}
