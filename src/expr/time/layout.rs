//! Layouts: a date written the way Go's reference time is written.

/// An element of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    UpperPm,
    LowerPm,
    ZoneName,
    Offset(OffsetStyle),
    /// That many digits, after that separator.
    Fraction(usize, u8),
    /// Up to that many digits, without trailing zeros.
    Trimmed(usize, u8),
}

/// How an offset from UTC is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OffsetStyle {
    /// `Z` for UTC.
    pub(super) z: bool,
    pub(super) colon: bool,
    pub(super) minutes: bool,
    pub(super) seconds: bool,
}

/// Everything that begins with a fixed text, longer ones first. `Jan` and `Mon` are handled apart.
const ITEMS: [(&str, Item); 33] = [
    ("January", Item::LongMonth),
    ("Monday", Item::LongWeekday),
    ("MST", Item::ZoneName),
    ("01", Item::ZeroMonth),
    ("02", Item::ZeroDay),
    ("03", Item::ZeroHour12),
    ("04", Item::ZeroMinute),
    ("05", Item::ZeroSecond),
    ("06", Item::Year),
    ("002", Item::ZeroYearDay),
    ("15", Item::Hour),
    ("1", Item::NumMonth),
    ("2006", Item::LongYear),
    ("2", Item::Day),
    ("_2", Item::UnderDay),
    ("__2", Item::UnderYearDay),
    ("3", Item::Hour12),
    ("4", Item::Minute),
    ("5", Item::Second),
    ("PM", Item::UpperPm),
    ("pm", Item::LowerPm),
    ("-070000", offset(false, false, true, true)),
    ("-07:00:00", offset(false, true, true, true)),
    ("-0700", offset(false, false, true, false)),
    ("-07:00", offset(false, true, true, false)),
    ("-07", offset(false, false, false, false)),
    ("Z070000", offset(true, false, true, true)),
    ("Z07:00:00", offset(true, true, true, true)),
    ("Z0700", offset(true, false, true, false)),
    ("Z07:00", offset(true, true, true, false)),
    ("Z07", offset(true, false, false, false)),
    ("Jan", Item::Month),
    ("Mon", Item::Weekday),
];

const fn offset(z: bool, colon: bool, minutes: bool, seconds: bool) -> Item {
    Item::Offset(OffsetStyle { z, colon, minutes, seconds })
}

/// Finds the first element: the text before it, the element and the rest of the layout.
pub(super) fn next_item(layout: &[u8]) -> (&[u8], Option<Item>, &[u8]) {
    for at in 0..layout.len() {
        let rest = &layout[at..];
        if rest.starts_with(b"_2006") {
            // The underscore stands for itself.
            return (&layout[..=at], Some(Item::LongYear), &rest[5..]);
        }
        if let Some((item, length)) = fraction(rest) {
            return (&layout[..at], Some(item), &rest[length..]);
        }
        for (text, item) in ITEMS {
            if !rest.starts_with(text.as_bytes()) {
                continue;
            }
            let after = &rest[text.len()..];
            let is_word = matches!(item, Item::Month | Item::Weekday);
            if is_word && after.first().is_some_and(u8::is_ascii_lowercase) {
                continue;
            }
            return (&layout[..at], Some(item), after);
        }
    }
    (layout, None, &[])
}

fn fraction(rest: &[u8]) -> Option<(Item, usize)> {
    let (&separator, digits) = rest.split_first()?;
    let &digit = digits.first()?;
    if !matches!(separator, b'.' | b',') || !matches!(digit, b'0' | b'9') {
        return None;
    }
    let count = digits.iter().take_while(|byte| **byte == digit).count();
    if digits.get(count).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let item = if digit == b'0' { Item::Fraction(count, separator) } else { Item::Trimmed(count, separator) };
    Some((item, count + 1))
}

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
