//! YAML as `go.yaml.in/yaml/v3` writes it, in block style with an indentation of four.

mod scalar;

use std::cmp::Ordering;

use super::super::limits::{Meter, check_value_depth};
use super::super::time::format_duration;
use super::super::value::{Key, Text, Value};
use super::number::print_float;
use crate::expr::{ErrorClass, RunError};

/// Writes a value as a document.
pub(in crate::expr) fn to_yaml(value: &Value, meter: &mut Meter) -> Result<Vec<u8>, RunError> {
    let mut writer = Writer { out: Vec::new(), meter };
    writer.value(value, Place::Root, 0, 0)?;
    Ok(writer.out)
}

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    /// After a key.
    Member,
    /// After a dash.
    Item,
}

struct Writer<'a> {
    out: Vec<u8>,
    meter: &'a mut Meter,
}

impl Writer<'_> {
    /// `indent` is that of the surrounding list or map.
    fn value(&mut self, value: &Value, place: Place, indent: usize, depth: usize) -> Result<(), RunError> {
        check_value_depth(depth)?;
        self.meter.work(8)?;
        let inner = match place {
            Place::Root => 0,
            Place::Item => indent + 2,
            Place::Member => (indent + 4) / 4 * 4,
        };
        match value {
            Value::List(list) if !list.is_empty() => {
                let items = list.iter().map(|item| (b"-".to_vec(), item, Place::Item));
                self.lines(items, place, inner, depth)
            }
            Value::Map(map) if !map.is_empty() => {
                let mut entries: Vec<_> = map.entries().collect();
                self.meter.elements(entries.len())?;
                entries.sort_by(|(left, _), (right, _)| natural(left, right));
                let members = entries.into_iter().map(|(key, value)| {
                    let mut line = match key {
                        Key::Text(key) => scalar::string(key, None),
                        key => plain(&key.to_value()).unwrap_or_default().into_bytes(),
                    };
                    line.push(b':');
                    (line, value.clone(), Place::Member)
                });
                self.lines(members, place, inner, depth)
            }
            value => {
                let text = match value {
                    Value::Text(text) => scalar::string(text, Some(if place == Place::Root { 4 } else { inner })),
                    Value::Func(_) => return Err(RunError::new(ErrorClass::Value, "YAML has no functions")),
                    value => plain(value).unwrap_or_default().into_bytes(),
                };
                self.meter.read(4 * text.len())?;
                self.meter.allocate(text.len() + 2)?;
                // An empty text needs no space before it.
                if place != Place::Root {
                    self.out.push(b' ');
                }
                self.out.extend_from_slice(&text);
                if self.out.last() != Some(&b'\n') || text.is_empty() {
                    self.out.push(b'\n');
                }
                Ok(())
            }
        }
    }

    fn lines(
        &mut self,
        items: impl Iterator<Item = (Vec<u8>, Value, Place)>,
        place: Place,
        inner: usize,
        depth: usize,
    ) -> Result<(), RunError> {
        if place == Place::Member {
            self.out.push(b'\n');
        }
        for (index, (head, value, inside)) in items.enumerate() {
            self.meter.allocate(inner + head.len() + 1)?;
            if place == Place::Item && index == 0 {
                self.out.push(b' ');
            } else {
                self.out.extend(std::iter::repeat_n(b' ', inner));
            }
            self.out.extend_from_slice(&head);
            self.value(&value, inside, inner, depth + 1)?;
        }
        Ok(())
    }
}

/// A value that needs no quotes, however it is written.
fn plain(value: &Value) -> Option<String> {
    Some(match value {
        Value::Nil => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) | Value::Int64(value) | Value::Month(value) | Value::Weekday(value) => value.to_string(),
        Value::Uint8(value) => value.to_string(),
        Value::Float(value) if value.is_nan() => ".nan".to_owned(),
        Value::Float(value) if value.is_infinite() => if *value > 0.0 { ".inf" } else { "-.inf" }.to_owned(),
        Value::Float(value) => print_float(*value),
        Value::Duration(duration) => format_duration(*duration),
        Value::Time(time) => time.rfc3339(),
        Value::List(_) => "[]".to_owned(),
        Value::Map(_) | Value::Zone(_) | Value::ZoneValue(_) => "{}".to_owned(),
        Value::Text(_) | Value::Func(_) => return None,
    })
}

/// Letters before everything else, and numbers inside of keys by their value.
fn natural(left: &Key, right: &Key) -> Ordering {
    let (Key::Text(left_text), Key::Text(right_text)) = (left, right) else { return left.cmp(right) };
    let runes = |text: &Text| text.runes().map(|(rune, _)| rune).collect::<Vec<_>>();
    let (left, right) = (runes(left_text), runes(right_text));
    let Some(at) = left.iter().zip(&right).position(|(left, right)| left != right) else {
        return left.len().cmp(&right.len());
    };
    let (one, other) = (left[at], right[at]);
    let after_digit = at > 0 && left[at - 1].is_ascii_digit();
    match (one.is_alphabetic(), other.is_alphabetic()) {
        (true, true) => one.cmp(&other),
        (true, false) => {
            if after_digit {
                Ordering::Less
            } else {
                Ordering::Greater
            }
        }
        (false, true) => {
            if after_digit {
                Ordering::Greater
            } else {
                Ordering::Less
            }
        }
        (false, false) => {
            let has_lead = (one == '0' || other == '0')
                && left[..at].iter().rev().take_while(|c| c.is_ascii_digit()).any(|c| *c != '0');
            let number = |runes: &[char]| {
                let digits = runes[at..].iter().map_while(|c| c.to_digit(10));
                let start = (u64::from(has_lead), 0_usize);
                digits
                    .fold(start, |(sum, count), digit| (sum.wrapping_mul(10).wrapping_add(u64::from(digit)), count + 1))
            };
            number(&left).cmp(&number(&right)).then(one.cmp(&other))
        }
    }
}
