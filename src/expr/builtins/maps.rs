//! Maps.

use std::collections::BTreeMap;

use super::super::eval::{fetch, key_of, to_int};
use super::super::value::{Elem, Key, List, Map, MapKind, Value};
use super::{Answer, Builtin, Context, arg, list, only, refuse};
use crate::expr::RunError;

pub(super) fn call(builtin: Builtin, args: &[Value], context: &mut Context<'_>) -> Answer {
    match builtin {
        Builtin::Get => get(arg(args, 0)?, arg(args, 1)?),
        Builtin::FromPairs => from_pairs(args, context),
        _ => {
            let Value::Map(map) = only(args)? else { return refuse("a map is needed") };
            context.meter.elements(if builtin == Builtin::ToPairs { 4 } else { 1 } * map.len())?;
            let entries = map.entries().iter();
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
fn get(from: &Value, key: &Value) -> Answer {
    match from {
        Value::List(_) | Value::Text(_) => {
            to_int(key)?;
            Ok(fetch(from, key).unwrap_or_default())
        }
        Value::Map(map) => Ok(map.entries().get(&key_of(map.kind(), key)?).cloned().unwrap_or_default()),
        Value::Time(_) | Value::ZoneValue(_) if !matches!(key, Value::Text(_)) => refuse("a name is needed"),
        // Methods, if there are any.
        from => Ok(fetch(from, key).unwrap_or_default()),
    }
}

fn from_pairs(args: &[Value], context: &mut Context<'_>) -> Answer {
    let pairs = list(args, 0)?;
    let mut entries = BTreeMap::new();
    for pair in pairs.iter() {
        context.meter.elements(2)?;
        let (key, value) = match &pair {
            Value::List(pair) if pair.len() == 2 => (pair.get(0).unwrap_or_default(), pair.get(1).unwrap_or_default()),
            _ => return refuse("a pair is needed"),
        };
        let key = Key::new(&key, entries.len()).map_or_else(|| refuse("this cannot be a key"), Ok::<_, RunError>)?;
        entries.insert(key, value);
    }
    Ok(Value::Map(Map::new(MapKind::AnyAny, entries)))
}
