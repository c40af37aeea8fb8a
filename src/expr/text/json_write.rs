//! JSON as Go's `encoding/json` writes it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::limits::{Meter, check_value_depth};
use super::super::value::{Key, MapKind, Value, runes};
use super::number::json_float;
use crate::expr::{ErrorClass, RunError};

/// Writes a value, on one line or indented by two spaces.
pub(in crate::expr) fn to_json(value: &Value, is_indented: bool, meter: &mut Meter) -> Result<String, RunError> {
    let mut writer = Writer { out: String::new(), is_indented, meter };
    writer.value(value, 0)?;
    Ok(writer.out)
}

struct Writer<'a> {
    out: String,
    is_indented: bool,
    meter: &'a mut Meter,
}

fn unsupported<T>(message: &'static str) -> Result<T, RunError> {
    Err(RunError::new(ErrorClass::Value, message))
}

impl Writer<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), RunError> {
        check_value_depth(depth)?;
        self.meter.work(4)?;
        let before = self.out.len();
        match value {
            Value::Nil => self.out.push_str("null"),
            Value::Bool(value) => self.out.push_str(if *value { "true" } else { "false" }),
            Value::Int(value)
            | Value::Int64(value)
            | Value::Duration(value)
            | Value::Month(value)
            | Value::Weekday(value) => self.out.push_str(&value.to_string()),
            Value::Uint8(value) => self.out.push_str(&value.to_string()),
            Value::Float(value) if value.is_finite() => self.out.push_str(&json_float(*value)),
            Value::Float(_) => return unsupported("JSON has no such number"),
            Value::Text(text) => self.string(text.as_bytes()),
            Value::Time(time) => {
                if !(0..10_000).contains(&time.civil().year) {
                    return unsupported("JSON has no such year");
                }
                self.string(time.rfc3339().as_bytes());
            }
            Value::Zone(_) | Value::ZoneValue(_) => self.out.push_str("{}"),
            Value::Func(_) => return unsupported("JSON has no functions"),
            Value::List(list) if list.is_nil() => self.out.push_str("null"),
            Value::List(list) => match list.as_bytes() {
                Some(bytes) => {
                    self.meter.allocate(bytes.len())?;
                    self.string(STANDARD.encode(bytes).as_bytes());
                }
                None => self.sequence(b'[', list.iter().map(|item| (None, item)), depth)?,
            },
            Value::Map(map) if map.kind() == MapKind::TextAny => {
                self.sequence(b'{', map.entries().map(|(key, value)| (Some(key), value.clone())), depth)?;
            }
            Value::Map(_) => return unsupported("JSON has no keys but strings"),
        }
        if !matches!(value, Value::List(_) | Value::Map(_)) {
            self.meter.read(self.out.len() - before)?;
            self.meter.allocate(self.out.len() - before)?;
        }
        Ok(())
    }

    fn sequence<'k>(
        &mut self,
        begin: u8,
        items: impl Iterator<Item = (Option<&'k Key>, Value)>,
        depth: usize,
    ) -> Result<(), RunError> {
        self.out.push(begin as char);
        let mut is_empty = true;
        for (key, value) in items {
            self.meter.allocate(if self.is_indented { 2 * depth + 4 } else { 1 })?;
            if !is_empty {
                self.out.push(',');
            }
            is_empty = false;
            self.line(depth + 1);
            if let Some(Key::Text(key)) = key {
                self.meter.allocate(key.len())?;
                self.string(key.as_bytes());
                self.out.push_str(if self.is_indented { ": " } else { ":" });
            }
            self.value(&value, depth + 1)?;
        }
        if !is_empty {
            self.line(depth);
        }
        // The closing brackets are two after the opening ones.
        self.out.push((begin + 2) as char);
        Ok(())
    }

    fn line(&mut self, depth: usize) {
        if self.is_indented {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", depth));
        }
    }

    fn string(&mut self, bytes: &[u8]) {
        self.out.push('"');
        for (rune, length) in runes(bytes) {
            match rune {
                // No part of a character.
                char::REPLACEMENT_CHARACTER if length == 1 => self.out.push_str("\\ufffd"),
                '"' | '\\' => self.out.extend(['\\', rune]),
                '\x08' => self.out.push_str("\\b"),
                '\x0C' => self.out.push_str("\\f"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\0'..' ' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                    self.out.push_str(&format!("\\u{:04x}", rune as u32));
                }
                _ => self.out.push(rune),
            }
        }
        self.out.push('"');
    }
}
