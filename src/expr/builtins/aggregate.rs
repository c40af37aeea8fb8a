//! Extremes, averages and sorting.

use super::super::limits::{Meter, check_value_depth};
use super::super::ops::{Order, compare};
use super::super::value::{Elem, List, Value};
use super::args::{Answer, Context, arg, invalid};
use super::table::Builtin;
use crate::expr::RunError;
use crate::expr::error::type_error;

pub(super) fn call(builtin: Builtin, args: &[Value], context: &mut Context<'_>) -> Answer {
    match builtin {
        Builtin::Max => extreme(args, Order::Less, context.meter),
        Builtin::Min => extreme(args, Order::More, context.meter),
        Builtin::Mean => {
            let (mut sum, mut count) = (0.0, 0_usize);
            for value in args {
                add(value, &mut sum, &mut count, context.meter, 0)?;
            }
            Ok(Value::Float(if count == 0 { 0.0 } else { sum / count as f64 }))
        }
        Builtin::Median => {
            let mut numbers = Vec::new();
            for value in args {
                collect(value, &mut numbers, context.meter, 0)?;
            }
            Ok(Value::Float(median(numbers)))
        }
        _ => sort(args, context),
    }
}

/// The number behind anything whose type is a number underneath.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Duration(value) | Value::Month(value) | Value::Weekday(value) => Some(*value as f64),
        value => value.as_number(),
    }
}

/// The value that no other one is `order` of.
fn extreme(args: &[Value], order: Order, meter: &mut Meter) -> Answer {
    let mut best = Value::Nil;
    for value in args {
        match value {
            Value::List(list) => extreme_of_list(list, order, &mut best, meter, 0)?,
            value if number(value).is_some() => improve(value.clone(), order, &mut best, meter)?,
            // Alone, anything is its own extreme.
            value if args.len() == 1 => return Ok(value.clone()),
            _ => return type_error("a number is needed"),
        }
    }
    Ok(best)
}

fn extreme_of_list(
    list: &List,
    order: Order,
    best: &mut Value,
    meter: &mut Meter,
    depth: usize,
) -> Result<(), RunError> {
    check_value_depth(depth)?;
    for value in list.iter() {
        meter.work(2)?;
        match value {
            Value::List(inner) => {
                let mut inner_best = Value::Nil;
                extreme_of_list(&inner, order, &mut inner_best, meter, depth + 1)?;
                if !matches!(inner_best, Value::Nil) {
                    improve(inner_best, order, best, meter)?;
                }
            }
            value if value.as_number().is_some() => improve(value, order, best, meter)?,
            _ => return type_error("a number is needed"),
        }
    }
    Ok(())
}

fn improve(value: Value, order: Order, best: &mut Value, meter: &mut Meter) -> Result<(), RunError> {
    if matches!(best, Value::Nil) || compare(best, &value, order, meter)? {
        *best = value;
    }
    Ok(())
}

fn add(value: &Value, sum: &mut f64, count: &mut usize, meter: &mut Meter, depth: usize) -> Result<(), RunError> {
    check_value_depth(depth)?;
    meter.work(2)?;
    let Value::List(list) = value else {
        return number(value).map_or_else(
            || type_error("a number is needed"),
            |number| {
                *sum += number;
                *count += 1;
                Ok(())
            },
        );
    };
    // Lists inside of lists are summed up first, as rounding shows.
    let mut inner = 0.0;
    let target = if depth == 0 { &mut *sum } else { &mut inner };
    for value in list.iter() {
        add(&value, target, count, meter, depth + 1)?;
    }
    if depth > 0 {
        *sum += inner;
    }
    Ok(())
}

fn collect(value: &Value, numbers: &mut Vec<f64>, meter: &mut Meter, depth: usize) -> Result<(), RunError> {
    check_value_depth(depth)?;
    meter.elements(1)?;
    match value {
        Value::List(list) => list.iter().try_for_each(|value| collect(&value, numbers, meter, depth + 1)),
        value => match number(value) {
            Some(number) => {
                numbers.push(number);
                Ok(())
            }
            None => type_error("a number is needed"),
        },
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    // NaN comes first.
    numbers.sort_by(|left, right| {
        right.is_nan().cmp(&left.is_nan()).then(left.partial_cmp(right).unwrap_or(std::cmp::Ordering::Equal))
    });
    let middle = numbers.len() / 2;
    match (numbers.len() % 2, numbers.get(middle)) {
        (_, None) => 0.0,
        (1, Some(number)) => *number,
        (_, Some(upper)) => (numbers[middle - 1] + upper) / 2.0,
    }
}

fn sort(args: &[Value], context: &mut Context<'_>) -> Answer {
    let items: Option<Vec<(Value, Value)>> = match arg(args, 0)? {
        Value::List(list) if matches!(list.elem(), Elem::Any | Elem::Int | Elem::Text) => {
            context.meter.elements(2 * list.len())?;
            Some(list.iter().map(|item| (item.clone(), item)).collect())
        }
        _ => None,
    };
    let is_descending = match args.get(1) {
        None => false,
        Some(order) => match order.as_str() {
            Some("asc") => false,
            Some("desc") => true,
            _ => return invalid("unknown order, use asc or desc"),
        },
    };
    // A value that is not a sortable list counts as a list that is nil.
    let Some(items) = items else { return Ok(Value::List(List::nil(Elem::Any))) };
    let sorted = sort_by(items, is_descending, context.meter)?;
    context.meter.upstream_elements(sorted.len() as u64)?;
    Ok(Value::list(sorted))
}

/// Sorts values by their keys. Short lists are sorted exactly as upstream does it, which shows when keys are equal or
/// cannot be ordered; longer ones stably.
pub(in crate::expr) fn sort_by(
    mut pairs: Vec<(Value, Value)>,
    is_descending: bool,
    meter: &mut Meter,
) -> Result<Vec<Value>, RunError> {
    const SHORT: usize = 12;
    let mut is_less = |left: &Value, right: &Value| {
        meter.work(2)?;
        if is_descending { compare(right, left, Order::Less, meter) } else { compare(left, right, Order::Less, meter) }
    };
    let mut run = SHORT;
    for chunk in pairs.chunks_mut(SHORT) {
        for end in 1..chunk.len() {
            let mut at = end;
            while at > 0 && is_less(&chunk[at].0, &chunk[at - 1].0)? {
                chunk.swap(at, at - 1);
                at -= 1;
            }
        }
    }
    while run < pairs.len() {
        let mut merged = Vec::with_capacity(pairs.len());
        let mut rest = pairs.into_iter().peekable();
        while rest.peek().is_some() {
            let left: Vec<_> = rest.by_ref().take(run).collect();
            let right: Vec<_> = rest.by_ref().take(run).collect();
            let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
            while let (Some(one), Some(other)) = (left.peek(), right.peek()) {
                let next = if is_less(&other.0, &one.0)? { right.next() } else { left.next() };
                merged.extend(next);
            }
            merged.extend(left.chain(right));
        }
        pairs = merged;
        run *= 2;
    }
    Ok(pairs.into_iter().map(|(_, item)| item).collect())
}
