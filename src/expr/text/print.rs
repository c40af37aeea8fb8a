//! Values as Go's `%v` prints them.

use super::super::limits::{Meter, check_value_depth};
use super::super::time::format::{month_name, weekday_name};
use super::super::time::format_duration;
use super::super::value::Value;
use super::number::print_float;
use crate::expr::RunError;

/// Appends the value.
pub(in crate::expr) fn print(
    value: &Value,
    out: &mut Vec<u8>,
    meter: &mut Meter,
    depth: usize,
) -> Result<(), RunError> {
    check_value_depth(depth)?;
    meter.work(4)?;
    let before = out.len();
    match value {
        Value::Nil => out.extend_from_slice(b"<nil>"),
        Value::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::Int(value) | Value::Int64(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Value::Uint8(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Value::Float(value) => out.extend_from_slice(print_float(*value).as_bytes()),
        Value::Text(text) => out.extend_from_slice(text.as_bytes()),
        Value::Time(time) => out.extend_from_slice(time.go_string().as_bytes()),
        Value::Duration(duration) => out.extend_from_slice(format_duration(*duration).as_bytes()),
        Value::Month(month) => out.extend_from_slice(month_name(*month).as_bytes()),
        Value::Weekday(day) => out.extend_from_slice(weekday_name(*day).as_bytes()),
        Value::Zone(zone) => out.extend_from_slice(zone.name().as_bytes()),
        // The fields behind it; those of other zones are not reproduced.
        Value::ZoneValue(zone) => out.extend_from_slice(format!("{{{} [] []  0 0 <nil>}}", zone.name()).as_bytes()),
        // Upstream prints an address.
        Value::Func(_) => out.extend_from_slice(b"0x0"),
        Value::List(list) => {
            out.push(b'[');
            for (index, item) in list.iter().enumerate() {
                if index > 0 {
                    out.push(b' ');
                }
                print(&item, out, meter, depth + 1)?;
            }
            out.push(b']');
        }
        Value::Map(map) => {
            out.extend_from_slice(b"map[");
            for (index, (key, value)) in map.entries().enumerate() {
                if index > 0 {
                    out.push(b' ');
                }
                print(&key.to_value(), out, meter, depth + 1)?;
                out.push(b':');
                print(value, out, meter, depth + 1)?;
            }
            out.push(b']');
        }
    }
    if !matches!(value, Value::List(_) | Value::Map(_)) {
        meter.allocate(out.len() - before)?;
    }
    Ok(())
}
