//! Maps.

use std::collections::BTreeMap;

use super::super::ops::{fetch, key_of, to_int};
use super::super::value::{Elem, Key, List, Map, MapKind, Value};
use super::args::{Answer, Context, arg, list, only};
use super::table::Builtin;
use crate::expr::RunError;
use crate::expr::error::type_error;

pub(super) fn call(builtin: Builtin, args: &[Value], context: &mut Context<'_>) -> Answer {
    match builtin {
        Builtin::Get => get(arg(args, 0)?, arg(args, 1)?, context),
        Builtin::FromPairs => from_pairs(args, context),
        _ => {
            let Value::Map(map) = only(args)? else { return type_error("a map is needed") };
            context.meter.elements(if builtin == Builtin::ToPairs { 4 } else { 1 } * map.len())?;
            let entries = map.entries();
            let pair =
                |(key, value): (&Key, &Value)| Value::List(List::new(Elem::Two, vec![key.to_value(), value.clone()]));
            Ok(match builtin {
                Builtin::Keys => Value::list(entries.map(|(key, _)| key.to_value()).collect()),
                Builtin::Values => Value::list(entries.map(|(_, value)| value.clone()).collect()),
                _ => Value::List(List::new(Elem::Pair, entries.map(pair).collect())),
            })
        }
    }
}

/// Like an index, but nil where there is nothing.
fn get(from: &Value, key: &Value, context: &mut Context<'_>) -> Answer {
    match from {
        Value::List(_) | Value::Text(_) => {
            to_int(key)?;
            Ok(fetch(from, key, context.meter).unwrap_or_default())
        }
        Value::Map(map) => {
            let key = key_of(map.kind(), key)?;
            context.meter.work(map.cost_of(&key))?;
            Ok(map.at(&key).cloned().unwrap_or_default())
        }
        Value::Time(_) | Value::ZoneValue(_) if !matches!(key, Value::Text(_)) => type_error("a name is needed"),
        // Methods, if there are any.
        from => Ok(fetch(from, key, context.meter).unwrap_or_default()),
    }
}

fn from_pairs(args: &[Value], context: &mut Context<'_>) -> Answer {
    let pairs = list(args, 0)?;
    let mut entries = BTreeMap::new();
    for pair in pairs.iter() {
        context.meter.elements(8)?;
        let (key, value) = match &pair {
            Value::List(pair) if pair.len() == 2 => (pair.get(0).unwrap_or_default(), pair.get(1).unwrap_or_default()),
            _ => return type_error("a pair is needed"),
        };
        if let Value::Text(key) = &key {
            context.meter.work(u64::from(entries.len().max(1).ilog2() + 1) * (key.len() as u64 / 32))?;
        }
        let key =
            Key::new(&key, entries.len()).map_or_else(|| type_error("this cannot be a key"), Ok::<_, RunError>)?;
        entries.insert(key, value);
    }
    Ok(Value::Map(Map::new(MapKind::AnyAny, entries)))
}
