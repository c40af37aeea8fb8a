//! Upper and lower case, one character for one character and blind to context, as Go does it.

use super::super::value::Text;

pub(in crate::expr) fn upper(text: &Text) -> Text {
    map(text, |c| match c {
        // Where the full upper case is longer than one character, Go has the short one, which usually is the same.
        '\u{1F80}'..='\u{1F87}' | '\u{1F90}'..='\u{1F97}' | '\u{1FA0}'..='\u{1FA7}' => {
            char::from_u32(c as u32 + 8).unwrap_or(c)
        }
        '\u{1FB3}' | '\u{1FC3}' | '\u{1FF3}' => char::from_u32(c as u32 + 9).unwrap_or(c),
        _ => single(c.to_uppercase()).unwrap_or(c),
    })
}

pub(in crate::expr) fn lower(text: &Text) -> Text {
    map(text, |c| if c == 'İ' { 'i' } else { single(c.to_lowercase()).unwrap_or(c) })
}

fn single(mut chars: impl Iterator<Item = char>) -> Option<char> {
    let first = chars.next()?;
    chars.next().is_none().then_some(first)
}

fn map(text: &Text, change: impl Fn(char) -> char) -> Text {
    Text::from(text.runes().map(|(rune, _)| change(rune)).collect::<String>())
}
