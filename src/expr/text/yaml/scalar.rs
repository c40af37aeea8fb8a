//! Strings in YAML: plain if that is understood as a string, else quoted, or literal if they have several lines.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;

use super::super::super::time::{Zone, parse};
use super::super::super::value::Text;
use super::super::number::parse_float;

/// Words and numbers that are no strings when they are not quoted, nor were in YAML 1.1.
static NO_STRING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"^(?:|~|null|Null|NULL|true|True|TRUE|false|False|FALSE|<<",
        r"|y|Y|yes|Yes|YES|on|On|ON|n|N|no|No|NO|off|Off|OFF",
        r"|\.nan|\.NaN|\.NAN|[-+]?\.(?:inf|Inf|INF)",
        r"|[-+]?(?:\.[0-9_]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?",
        r"|[-+]?0_*(?:[xX][0-9a-fA-F_]+|[oO]?[0-7_]+|[bB][01_]+)",
        r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?)$",
    ))
    .ok()
});

fn is_string(text: &str) -> bool {
    let is_word = NO_STRING.as_ref().is_some_and(|words| words.is_match(text));
    let is_point = text.starts_with('.') && parse_float(text.as_bytes()).is_some();
    !is_word && !is_point && !is_date(text)
}

fn is_date(text: &str) -> bool {
    const LAYOUTS: [&str; 4] =
        ["2006-1-2T15:4:5.999999999Z07:00", "2006-1-2t15:4:5.999999999Z07:00", "2006-1-2 15:4:5.999999999", "2006-1-2"];
    let starts_like_one = text.len() > 4 && text.as_bytes()[..4].iter().all(u8::is_ascii_digit);
    starts_like_one
        && text.as_bytes()[4] == b'-'
        && LAYOUTS.iter().any(|layout| parse(layout.as_bytes(), text.as_bytes(), &Zone::default()).is_some())
}

/// A string. Only where an indentation is given may it be literal.
pub(super) fn string(text: &Text, indent: Option<usize>) -> Vec<u8> {
    let Some(text) = text.as_str() else {
        return format!("!!binary {}", STANDARD.encode(text.as_bytes())).into_bytes();
    };
    let looks = Looks::of(text);
    if text.contains('\n') {
        return match indent {
            Some(indent) if looks.allows_literal => literal(text, indent),
            _ => double_quoted(text),
        }
        .into_bytes();
    }
    if !is_string(text) { double_quoted(text) } else { looks.styled(text) }.into_bytes()
}

/// What a string allows.
struct Looks {
    allows_plain: bool,
    allows_single: bool,
    allows_literal: bool,
}

impl Looks {
    fn of(text: &str) -> Self {
        let is_blank = |c: Option<char>| matches!(c, None | Some(' ' | '\t'));
        let mut has_indicator = text.starts_with("---") || text.starts_with("...");
        let (mut has_break, mut has_tab, mut has_special) = (false, false, false);
        let (mut break_space, mut space_break) = (false, false);
        let mut before = None;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let next = chars.peek().copied();
            has_indicator |= match c {
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`'
                    if before.is_none() =>
                {
                    true
                }
                '?' | '-' if before.is_none() => is_blank(next),
                ':' => is_blank(next),
                '#' => is_blank(before) || before.is_some_and(is_break),
                _ => false,
            };
            has_tab |= c == '\t';
            has_special |= c != '\t' && !is_printable(c);
            has_break |= is_break(c);
            break_space |= c == ' ' && before.is_some_and(is_break);
            space_break |= is_break(c) && before == Some(' ');
            before = Some(c);
        }
        let is_edge = |c: Option<char>| c.is_some_and(|c| c == ' ' || is_break(c));
        let has_edge = is_edge(text.chars().next()) || is_edge(before);
        let is_odd = space_break || has_special;
        Self {
            allows_plain: !(has_edge || break_space || is_odd || has_tab || has_break || has_indicator),
            allows_single: !(break_space || is_odd || has_tab),
            allows_literal: !(text.is_empty() || before == Some(' ') || is_odd),
        }
    }

    fn styled(&self, text: &str) -> String {
        if self.allows_plain {
            text.to_owned()
        } else if self.allows_single {
            format!("'{}'", text.replace('\'', "''"))
        } else {
            double_quoted(text)
        }
    }
}

fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{A0}'..='\u{D7FF}' | '\u{E000}'..='\u{FEFE}' | '\u{FF00}'..='\u{FFFD}')
}

fn literal(text: &str, indent: usize) -> String {
    let mut out = "|".to_owned();
    if text.starts_with([' ', '\r', '\n', '\u{85}', '\u{2028}', '\u{2029}']) {
        out.push('4');
    }
    match text.strip_suffix('\n') {
        None => out.push('-'),
        Some(rest) if rest.is_empty() || rest.ends_with('\n') => out.push('+'),
        Some(_) => {}
    }
    out.push('\n');
    for line in text.split_inclusive('\n') {
        if line != "\n" {
            out.extend(std::iter::repeat_n(' ', indent));
        }
        out += line;
    }
    out
}

fn double_quoted(text: &str) -> String {
    let mut out = "\"".to_owned();
    for c in text.chars() {
        if is_printable(c) && !is_break(c) && !matches!(c, '"' | '\\') {
            out.push(c);
            continue;
        }
        out.push('\\');
        match c {
            '\0' => out.push('0'),
            '\x07' => out.push('a'),
            '\x08' => out.push('b'),
            '\t' => out.push('t'),
            '\n' => out.push('n'),
            '\x0B' => out.push('v'),
            '\x0C' => out.push('f'),
            '\r' => out.push('r'),
            '\x1B' => out.push('e'),
            '"' | '\\' => out.push(c),
            '\u{85}' => out.push('N'),
            '\u{2028}' => out.push('L'),
            '\u{2029}' => out.push('P'),
            '\0'..='\u{FF}' => out += &format!("x{:02X}", c as u32),
            '\u{100}'..='\u{FFFF}' => out += &format!("u{:04X}", c as u32),
            _ => out += &format!("U{:08X}", c as u32),
        }
    }
    out.push('"');
    out
}
