//! Lists.

use std::collections::BTreeMap;

use super::super::limits::{Meter, check_value_depth};
use super::super::ops::{equal, fetch};
use super::super::value::{Elem, Key, List, ListBuilder, Value};
use super::args::{Answer, Context, arg, invalid, list, only};
use super::table::Builtin;
use crate::expr::RunError;
use crate::expr::error::type_error;

pub(super) fn call(builtin: Builtin, args: &[Value], context: &mut Context<'_>) -> Answer {
    let meter = &mut *context.meter;
    match builtin {
        // Whatever is wrong, the answer is nil.
        Builtin::First => Ok(fetch(only(args)?, &Value::Int(0), meter).unwrap_or_default()),
        Builtin::Last => Ok(fetch(only(args)?, &Value::Int(-1), meter).unwrap_or_default()),
        Builtin::Take => take(args),
        Builtin::Reverse => {
            let items = list(args, 0)?;
            meter.upstream_elements(items.len() as u64)?;
            meter.elements(items.len())?;
            let mut reversed: Vec<Value> = items.iter().collect();
            reversed.reverse();
            Ok(Value::list(reversed))
        }
        Builtin::Uniq => {
            let mut kept: Vec<Value> = Vec::new();
            'items: for item in list(args, 0)?.iter() {
                for other in &kept {
                    meter.work(1)?;
                    if equal(&item, other, meter)? {
                        continue 'items;
                    }
                }
                meter.elements(1)?;
                kept.push(item);
            }
            Ok(Value::list(kept))
        }
        Builtin::Concat => {
            let mut all = ListBuilder::default();
            let mut size = 0;
            for index in 0..args.len().max(1) {
                let items = list(args, index)?;
                meter.elements(items.len())?;
                size += items.len();
                items.iter().for_each(|item| all.push(item));
            }
            meter.upstream_elements(size as u64)?;
            Ok(Value::List(all.finish(Elem::Any)))
        }
        _ => {
            let mut flat = Vec::new();
            flatten(list(args, 0)?, &mut flat, meter, 0)?;
            meter.upstream_elements(flat.len() as u64)?;
            Ok(Value::list(flat))
        }
    }
}

fn take(args: &[Value]) -> Answer {
    let items = list(args, 0)?;
    let count = match arg(args, 1)? {
        Value::Int(count)
        | Value::Int64(count)
        | Value::Duration(count)
        | Value::Month(count)
        | Value::Weekday(count) => *count,
        _ => return type_error("an integer is needed"),
    };
    let Ok(count) = usize::try_from(count) else { return invalid("the count is negative") };
    if items.elem() == Elem::Two {
        return type_error("an array cannot be sliced");
    }
    Ok(Value::List(items.slice(0..count, items.elem())))
}

fn flatten(items: &List, flat: &mut Vec<Value>, meter: &mut Meter, depth: usize) -> Result<(), RunError> {
    check_value_depth(depth)?;
    for item in items.iter() {
        meter.elements(1)?;
        match item {
            Value::List(inner) => flatten(&inner, flat, meter, depth + 1)?,
            // Here, too, pointers are followed.
            Value::Zone(zone) => flat.push(Value::ZoneValue(zone)),
            item => flat.push(item),
        }
    }
    Ok(())
}

/// Puts an element into the group of its key.
pub(in crate::expr) fn append_group(
    groups: &mut BTreeMap<Key, Vec<Value>>,
    key: &Value,
    item: Value,
    meter: &mut Meter,
) -> Result<(), RunError> {
    // A group of its own takes more room than its element.
    meter.elements(8)?;
    if let Value::Text(key) = key {
        meter.work(u64::from(groups.len().max(1).ilog2() + 1) * (key.len() as u64 / 32))?;
    }
    let Some(key) = Key::new(key, groups.len()) else { return type_error("this cannot be a key") };
    groups.entry(key).or_default().push(item);
    Ok(())
}
