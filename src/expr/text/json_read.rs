//! JSON as Go's `encoding/json` reads it into an `interface {}`.
//!
//! Numbers are floats and have to fit; of duplicate keys the last wins; invalid UTF-8 and lone surrogates are
//! replaced. Values nest as deeply as Go allows, without recursion.

use thiserror::Error;

use super::super::limits::MAX_JSON_VALUES;
use super::super::value::{Text, Value};

/// Deeper nesting is refused, as Go does.
const MAX_DEPTH: usize = 10_000;

/// Why a text is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum JsonError {
    /// It is not exactly one JSON value, nests too deeply or has a number beyond `f64`.
    #[error("it is not JSON")]
    Syntax,
    /// It has more values than this program is willing to keep.
    #[error("it has more than {MAX_JSON_VALUES} values")]
    TooLarge,
}

/// Reads a document the way Kargo reads the body of a request for the generic receiver.
///
/// # Errors
/// A [`JsonError`] when it is something else, or too large.
pub fn parse_json(text: &[u8]) -> Result<Value, JsonError> {
    let mut reader = Reader { text, at: 0, values: 0 };
    match reader.document() {
        Some(value) => Ok(value),
        None if reader.values > MAX_JSON_VALUES => Err(JsonError::TooLarge),
        None => Err(JsonError::Syntax),
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    values: usize,
}

/// A list or map that is not finished.
enum Open {
    List(Vec<Value>),
    Map(Vec<(Text, Value)>, Text),
}

impl Reader<'_> {
    fn document(&mut self) -> Option<Value> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            self.skip_space();
            self.values += 1;
            if self.values > MAX_JSON_VALUES {
                return None;
            }
            let mut value = match self.peek()? {
                b'[' | b'{' if open.len() >= MAX_DEPTH => return None,
                b'[' => {
                    self.at += 1;
                    if !self.skip_past(b']') {
                        open.push(Open::List(Vec::new()));
                        continue;
                    }
                    Value::list(Vec::new())
                }
                b'{' => {
                    self.at += 1;
                    if !self.skip_past(b'}') {
                        open.push(Open::Map(Vec::new(), self.key()?));
                        continue;
                    }
                    Value::object([])
                }
                _ => self.scalar()?,
            };
            // The value completes whatever it is the last part of.
            loop {
                match open.pop() {
                    None => {
                        self.skip_space();
                        return (self.at == self.text.len()).then_some(value);
                    }
                    Some(Open::List(mut items)) => {
                        items.push(value);
                        if self.skip_past(b',') {
                            open.push(Open::List(items));
                            break;
                        }
                        self.expect(b']')?;
                        value = Value::list(items);
                    }
                    Some(Open::Map(mut members, key)) => {
                        members.push((key, value));
                        if self.skip_past(b',') {
                            let key = self.key()?;
                            open.push(Open::Map(members, key));
                            break;
                        }
                        self.expect(b'}')?;
                        value = Value::object(members);
                    }
                }
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Skips space and, if it comes next, that byte.
    fn skip_past(&mut self, byte: u8) -> bool {
        self.skip_space();
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.skip_past(byte).then_some(())
    }

    fn key(&mut self) -> Option<Text> {
        self.skip_space();
        let key = self.string()?;
        self.expect(b':')?;
        Some(key)
    }

    fn scalar(&mut self) -> Option<Value> {
        let rest = &self.text[self.at..];
        for (word, value) in [("null", Value::Nil), ("true", Value::Bool(true)), ("false", Value::Bool(false))] {
            if rest.starts_with(word.as_bytes()) {
                self.at += word.len();
                return Some(value);
            }
        }
        if rest.first() == Some(&b'"') { self.string().map(Value::Text) } else { self.number() }
    }

    fn digits(&mut self) -> Option<()> {
        let begin = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > begin).then_some(())
    }

    fn number(&mut self) -> Option<Value> {
        let begin = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        let number: f64 = std::str::from_utf8(&self.text[begin..self.at]).ok()?.parse().ok()?;
        number.is_finite().then_some(Value::Float(number))
    }

    fn string(&mut self) -> Option<Text> {
        self.expect(b'"')?;
        let begin = self.at;
        let mut is_plain = true;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    is_plain = false;
                    self.at += 2;
                }
                0..0x20 => return None,
                byte => {
                    is_plain &= byte.is_ascii();
                    self.at += 1;
                }
            }
        }
        let content = &self.text[begin..self.at];
        self.at += 1;
        if is_plain { Some(Text::from(content)) } else { unescape(content) }
    }
}

fn unescape(content: &[u8]) -> Option<Text> {
    let mut out = String::with_capacity(content.len());
    let mut rest = content;
    while let Some((&first, after)) = rest.split_first() {
        if first != b'\\' {
            let (rune, length) = super::super::value::runes(rest).next()?;
            out.push(rune);
            rest = &rest[length..];
            continue;
        }
        let (&escape, after) = after.split_first()?;
        rest = after;
        out.push(match escape {
            b'"' | b'\\' | b'/' => escape as char,
            b'b' => '\x08',
            b'f' => '\x0C',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = code_unit(rest)?;
                rest = &rest[4..];
                let low = rest.strip_prefix(b"\\u").and_then(code_unit).filter(|low| (0xDC00..0xE000).contains(low));
                match (unit, low) {
                    (0xD800..0xDC00, Some(low)) => {
                        rest = &rest[6..];
                        char::from_u32(0x10000 + (unit - 0xD800) * 0x400 + (low - 0xDC00))
                    }
                    _ => char::from_u32(unit),
                }
                .unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return None,
        });
    }
    Some(Text::from(out))
}

fn code_unit(text: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(text.get(..4)?).ok()?;
    if digits.starts_with('+') { None } else { u32::from_str_radix(digits, 16).ok() }
}
