//! Maps. They are kept sorted, so that everything that Go leaves to chance has one outcome here, and in one piece, as
//! bodies may consist of little else.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Text, Value};

/// The Go type of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::expr) enum MapKind {
    /// `map[string]interface {}`
    TextAny,
    /// `map[interface {}]interface {}`
    AnyAny,
    /// `map[interface {}][]interface {}`
    AnyList,
    /// `map[int]struct {}`, which only the right side of `in` can be
    IntSet,
    /// `map[string]struct {}`, likewise
    TextSet,
}

impl MapKind {
    pub(in crate::expr) const fn go_type(self) -> &'static str {
        match self {
            Self::TextAny => "map[string]interface {}",
            Self::AnyAny => "map[interface {}]interface {}",
            Self::AnyList => "map[interface {}][]interface {}",
            Self::IntSet => "map[int]struct {}",
            Self::TextSet => "map[string]struct {}",
        }
    }
}

/// A key, which is a value that Go can hash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::expr) enum Key {
    Nil,
    Bool(bool),
    Int(i64),
    Int64(i64),
    Uint8(u8),
    /// The bits of a float in an order that keeps the numeric one.
    Float(u64),
    /// A NaN equals nothing, not even itself, so each is numbered.
    Nan(usize),
    Text(Text),
    Duration(i64),
    Month(i64),
    Weekday(i64),
    /// Seconds, nanoseconds and the name of the zone.
    Time(Box<(i64, u32, String)>),
    Zone(Box<str>),
    Two(Box<(Self, Self)>),
}

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
            Value::List(list) if list.elem() == super::Elem::Two => {
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
            Self::Time(time) => Value::Time(crate::expr::time::Time::of_key(time.0, time.1, &time.2)),
            Self::Zone(name) => Value::Zone(crate::expr::time::Zone::load(name).unwrap_or_default()),
            Self::Two(parts) => {
                Value::List(super::List::new(super::Elem::Two, vec![parts.0.to_value(), parts.1.to_value()]))
            }
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

/// A shared map.
#[derive(Clone, Debug)]
pub struct Map(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kind: MapKind,
    /// In order, with distinct keys.
    entries: Box<[(Key, Value)]>,
}

/// As for lists: no recursion.
impl Drop for Inner {
    fn drop(&mut self) {
        drop_all(self.take_values().collect());
    }
}

impl Inner {
    fn take_values(&mut self) -> impl Iterator<Item = Value> + use<> {
        std::mem::take(&mut self.entries).into_iter().map(|(_, value)| value)
    }
}

/// Drops values and everything that only they hold, without recursing.
pub(super) fn drop_all(mut pending: Vec<Value>) {
    while let Some(value) = pending.pop() {
        match value {
            Value::List(list) => pending.append(&mut list.into_values()),
            Value::Map(map) => {
                if let Some(mut inner) = Arc::into_inner(map.0) {
                    pending.extend(inner.take_values());
                }
            }
            _ => {}
        }
    }
}

impl Map {
    pub(in crate::expr) fn new(kind: MapKind, entries: BTreeMap<Key, Value>) -> Self {
        Self(Arc::new(Inner { kind, entries: entries.into_iter().collect() }))
    }

    /// A map with string keys. Of equal keys the last one counts.
    pub(in crate::expr) fn of_members(members: impl IntoIterator<Item = (Text, Value)>) -> Self {
        let mut entries: Vec<(Key, Value)> = members.into_iter().map(|(key, value)| (Key::Text(key), value)).collect();
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        entries.dedup_by(|(later, value), (earlier, kept)| {
            let is_same = later == earlier;
            if is_same {
                std::mem::swap(value, kept);
            }
            is_same
        });
        Self(Arc::new(Inner { kind: MapKind::TextAny, entries: entries.into() }))
    }

    pub(in crate::expr) fn kind(&self) -> MapKind {
        self.0.kind
    }

    /// The entries by key.
    pub(in crate::expr) fn entries(&self) -> impl ExactSizeIterator<Item = (&Key, &Value)> {
        self.0.entries.iter().map(|(key, value)| (key, value))
    }

    /// The value of a key.
    pub(in crate::expr) fn at(&self, key: &Key) -> Option<&Value> {
        let found = self.0.entries.binary_search_by(|(known, _)| known.cmp(key)).ok()?;
        Some(&self.0.entries[found].1)
    }

    /// Steps for finding a key, which may be long.
    pub(in crate::expr) fn cost_of(&self, key: &Key) -> u64 {
        let length = if let Key::Text(text) = key { text.len() } else { 0 };
        u64::from(self.len().max(1).ilog2()) * (1 + length as u64 / 32) + length as u64 / 32
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.entries.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.entries.is_empty()
    }

    /// The value of a member of a map with string keys.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.at(&Key::Text(Text::from(key)))
    }

    /// Whether both are the same map, not merely equal ones.
    pub(in crate::expr) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
