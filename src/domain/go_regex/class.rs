//! Character classes and escapes: `[…]`, `\d`, `\pL`, `[:alpha:]`, `\x{41}`.

use std::fmt::Write;

use super::error::RegexError;
use super::unicode::{self, UnicodeClass};

/// Matches nothing, not even the empty text.
pub(super) const NEVER: &str = r"[^\x{0}-\x{10FFFF}]";

/// Parses a bracketed class at the start of the text and returns what stands for it, and the text behind it.
pub(super) fn bracketed(text: &str, fold_case: bool) -> Result<(String, &str), RegexError> {
    let mut rest = text.strip_prefix('[').unwrap_or(text);
    let negated = rest.starts_with('^');
    if negated {
        rest = &rest[1..];
    }
    let mut members = Members::default();
    let mut first = true;
    loop {
        // A bracket in the first place is a literal.
        if let Some(after) = rest.strip_prefix(']').filter(|_| !first) {
            return Ok((members.into_atom(negated, fold_case), after));
        }
        first = false;
        if let Some(after) = posix(rest, &mut members)? {
            rest = after;
            continue;
        }
        if let Some(after) = named(rest, &mut members)? {
            rest = after;
            continue;
        }
        let (low, after) = class_char(rest)?;
        rest = after;
        let mut high = low;
        if let Some(after) = rest.strip_prefix('-')
            && !after.is_empty()
            && !after.starts_with(']')
        {
            (high, rest) = class_char(after)?;
            if high < low {
                return Err(RegexError::InvalidClass);
            }
        }
        members.push_range(low, high);
    }
}

/// Parses a class written as an escape, such as `\d` or `\pL`; `None` when the escape stands for a character.
pub(super) fn escaped(text: &str, fold_case: bool) -> Result<Option<(String, &str)>, RegexError> {
    let mut members = Members::default();
    let rest = named(text, &mut members)?;
    Ok(rest.map(|rest| (members.into_atom(false, fold_case), rest)))
}

/// Parses an escape that stands for one code point. It may be a surrogate, which is why it is not a `char`.
pub(super) fn escaped_char(text: &str) -> Result<(u32, &str), RegexError> {
    let mut chars = text[1..].chars();
    let Some(escape) = chars.next() else { return Err(RegexError::TrailingBackslash) };
    let rest = chars.as_str();
    let code = match escape {
        'a' => 0x07,
        'f' => 0x0C,
        'n' => 0x0A,
        'r' => 0x0D,
        't' => 0x09,
        'v' => 0x0B,
        // A single digit other than 0 would be a back-reference.
        '0'..='7' if escape == '0' || rest.starts_with(is_octal) => {
            let more = rest.bytes().take(2).take_while(|byte| is_octal((*byte).into())).count();
            let digits = &text[1..2 + more];
            let code = u32::from_str_radix(digits, 8).map_err(|_| RegexError::InvalidEscape)?;
            return Ok((code, &rest[more..]));
        }
        'x' => return hexadecimal(rest).ok_or(RegexError::InvalidEscape),
        punctuation if punctuation.is_ascii() && !punctuation.is_ascii_alphanumeric() => punctuation.into(),
        _ => return Err(RegexError::InvalidEscape),
    };
    Ok((code, rest))
}

/// Writes a character so that it means itself, inside and outside of classes.
pub(super) fn push_escaped(out: &mut String, literal: char) {
    if literal.is_ascii_alphanumeric() || !literal.is_ascii() {
        out.push(literal);
    } else {
        push_code(out, literal.into());
    }
}

fn push_code(out: &mut String, code: u32) {
    write!(out, "\\x{{{code:X}}}").expect("writing to a string does not fail");
}

fn is_octal(c: char) -> bool {
    matches!(c, '0'..='7')
}

/// `41` or `{41}`.
fn hexadecimal(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = match text.strip_prefix('{') {
        Some(braced) => braced.split_once('}')?,
        None => text.split_at_checked(2)?,
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let significant = digits.trim_start_matches('0');
    let code = if significant.is_empty() { 0 } else { u32::from_str_radix(significant, 16).ok()? };
    (code <= char::MAX.into()).then_some((code, rest))
}

fn class_char(text: &str) -> Result<(u32, &str), RegexError> {
    let mut chars = text.chars();
    match chars.next() {
        None => Err(RegexError::MissingBracket),
        Some('\\') => escaped_char(text),
        Some(literal) => Ok((literal.into(), chars.as_str())),
    }
}

/// `[:name:]` inside of brackets.
fn posix<'t>(text: &'t str, members: &mut Members) -> Result<Option<&'t str>, RegexError> {
    let Some((name, rest)) = text.strip_prefix("[:").and_then(|named| named.split_once(":]")) else {
        return Ok(None);
    };
    let (negated, name) = name.strip_prefix('^').map_or((false, name), |name| (true, name));
    let ranges = match name {
        "alnum" => r"0-9A-Za-z",
        "alpha" => r"A-Za-z",
        "ascii" => r"\x00-\x7F",
        "blank" => r"\t\x20",
        "cntrl" => r"\x00-\x1F\x7F",
        "digit" => DIGITS,
        "graph" => r"!-\x7E",
        "lower" => r"a-z",
        "print" => r"\x20-\x7E",
        "punct" => r"!-/:-@\x5B-\x60\x7B-\x7E",
        "space" => r"\t-\r\x20",
        "upper" => r"A-Z",
        "word" => WORD,
        "xdigit" => r"0-9A-Fa-f",
        _ => return Err(RegexError::InvalidClass),
    };
    members.push_group(ranges, negated);
    Ok(Some(rest))
}

const DIGITS: &str = "0-9";
const SPACE: &str = r"\t\n\f\r\x20";
const WORD: &str = "0-9A-Za-z_";

/// `\d` and its kind, `\p{…}`.
fn named<'t>(text: &'t str, members: &mut Members) -> Result<Option<&'t str>, RegexError> {
    let mut bytes = text.bytes();
    if bytes.next() != Some(b'\\') {
        return Ok(None);
    }
    let Some(letter) = bytes.next() else { return Ok(None) };
    let ranges = match letter.to_ascii_lowercase() {
        b'd' => DIGITS,
        b's' => SPACE,
        b'w' => WORD,
        b'p' => return property(&text[2..], letter == b'P', members).map(Some),
        _ => return Ok(None),
    };
    members.push_group(ranges, letter.is_ascii_uppercase());
    Ok(Some(&text[2..]))
}

/// What follows `\p`: one letter or a name in braces.
fn property<'t>(text: &'t str, negated: bool, members: &mut Members) -> Result<&'t str, RegexError> {
    let (name, rest) = match text.strip_prefix('{') {
        Some(braced) => braced.split_once('}').ok_or(RegexError::InvalidClass)?,
        None => {
            let letter = text.chars().next().ok_or(RegexError::InvalidClass)?;
            text.split_at(letter.len_utf8())
        }
    };
    let (negated, name) = name.strip_prefix('^').map_or((negated, name), |name| (!negated, name));
    members.push_property(unicode::lookup(name).ok_or(RegexError::InvalidClass)?, negated);
    Ok(rest)
}

/// The members of a class, as the `regex` crate writes them.
#[derive(Default)]
struct Members(String);

impl Members {
    fn push_range(&mut self, low: u32, high: u32) {
        // Surrogates are no characters, neither alone nor in the middle of a range.
        let low = if (0xD800..=0xDFFF).contains(&low) { 0xE000 } else { low };
        let high = if (0xD800..=0xDFFF).contains(&high) { 0xD7FF } else { high };
        if low <= high {
            push_code(&mut self.0, low);
            if low < high {
                self.0.push('-');
                push_code(&mut self.0, high);
            }
        }
    }

    fn push_group(&mut self, ranges: &str, negated: bool) {
        self.0.push_str(if negated { "[^" } else { "[" });
        self.0.push_str(ranges);
        self.0.push(']');
    }

    fn push_property(&mut self, class: UnicodeClass, negated: bool) {
        match class {
            UnicodeClass::Any if negated => {}
            UnicodeClass::Any => self.push_range(0, char::MAX.into()),
            UnicodeClass::Ascii => self.push_group(r"\x00-\x7F", negated),
            UnicodeClass::Assigned => self.push_table("gc=Cn", !negated),
            UnicodeClass::Surrogates if negated => self.push_range(0, char::MAX.into()),
            UnicodeClass::Surrogates => {}
            UnicodeClass::Category(name) => {
                self.push_table(&format!("gc={name}"), negated);
            }
            UnicodeClass::Script(name) => {
                self.push_table(&format!("sc={name}"), negated);
            }
        }
    }

    fn push_table(&mut self, name: &str, negated: bool) {
        self.0.push_str(if negated { r"\P{" } else { r"\p{" });
        self.0.push_str(name);
        self.0.push('}');
    }

    fn into_atom(self, negated: bool, fold_case: bool) -> String {
        match (self.0.as_str(), negated) {
            ("", false) => NEVER.to_owned(),
            ("", true) => "(?s:.)".to_owned(),
            (members, negated) => {
                let (open, close) = if fold_case { ("(?i:", ")") } else { ("", "") };
                let caret = if negated { "^" } else { "" };
                format!("{open}[{caret}{members}]{close}")
            }
        }
    }
}
