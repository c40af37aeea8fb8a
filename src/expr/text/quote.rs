//! Quoting as Go's `%q` does it.

use std::sync::LazyLock;

use regex::Regex;

/// What Go prints as it is. Its tables are those of Unicode 15.
static PRINTABLE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^[\p{L}\p{M}\p{N}\p{P}\p{S}&&\p{Age=15.0}]$").ok());

fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return matches!(c, ' '..='~');
    }
    PRINTABLE.as_ref().is_some_and(|class| class.is_match(c.encode_utf8(&mut [0; 4])))
}

/// The text between double quotes, everything unusual escaped.
pub(in crate::expr) fn quote(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    let mut at = 0;
    for (rune, length) in super::super::value::runes(bytes) {
        let is_broken = rune == char::REPLACEMENT_CHARACTER && length == 1;
        match rune {
            _ if is_broken => out += &format!("\\x{:02x}", bytes[at]),
            '"' | '\\' => out.extend(['\\', rune]),
            _ if is_printable(rune) => out.push(rune),
            '\x07' => out += "\\a",
            '\x08' => out += "\\b",
            '\x0C' => out += "\\f",
            '\n' => out += "\\n",
            '\r' => out += "\\r",
            '\t' => out += "\\t",
            '\x0B' => out += "\\v",
            '\0'..' ' | '\x7F' => out += &format!("\\x{:02x}", rune as u32),
            '\u{10000}'.. => out += &format!("\\U{:08x}", rune as u32),
            _ => out += &format!("\\u{:04x}", rune as u32),
        }
        at += length;
    }
    out.push('"');
    out
}
