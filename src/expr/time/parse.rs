//! Points in time from text.

use super::layout::{Item, MONTHS, OffsetStyle, WEEKDAYS, next_item};
use super::{Civil, Time, Zone, days_in_month};

/// Layouts that are tried when none is given.
const COMMON: [&str; 7] = [
    "2006-01-02",
    "15:04:05",
    "2006-01-02 15:04:05",
    "2006-01-02T15:04:05Z07:00",
    "02 Jan 06 15:04 MST",
    "Monday, 02-Jan-06 15:04:05 MST",
    "Mon, 02 Jan 2006 15:04:05 MST",
];

/// Reads a date in any of the common layouts.
pub(in crate::expr) fn parse_any(text: &[u8], zone: &Zone) -> Option<Time> {
    COMMON.iter().find_map(|layout| parse(layout.as_bytes(), text, zone))
}

/// Reads a date that is written like the layout, at a location unless the text says otherwise.
pub(in crate::expr) fn parse(mut layout: &[u8], text: &[u8], zone: &Zone) -> Option<Time> {
    let mut found = Found { rest: text, ..Found::default() };
    loop {
        let (prefix, item, after) = next_item(layout);
        found.literal(prefix)?;
        layout = after;
        match item {
            Some(item) => found.item(item, layout)?,
            None if found.rest.is_empty() => return found.time(zone),
            None => return None,
        }
    }
}

/// What has been read so far.
#[derive(Default)]
struct Found<'a> {
    rest: &'a [u8],
    civil: Civil,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    is_pm: Option<bool>,
    is_utc: bool,
    offset: Option<i64>,
    abbreviation: Option<&'a [u8]>,
}

impl<'a> Found<'a> {
    /// Text that stands for itself; a run of spaces stands for any number of them.
    fn literal(&mut self, mut prefix: &[u8]) -> Option<()> {
        while let Some((&first, others)) = prefix.split_first() {
            if first == b' ' {
                if self.rest.first().is_some_and(|byte| *byte != b' ') {
                    return None;
                }
                prefix = without_spaces(prefix);
                self.rest = without_spaces(self.rest);
                continue;
            }
            self.rest = self.rest.strip_prefix(&[first])?;
            prefix = others;
        }
        Some(())
    }

    fn item(&mut self, item: Item, layout: &[u8]) -> Option<()> {
        match item {
            Item::Year => {
                let year = self.digits(2)?;
                self.civil.year = if year >= 69 { 1900 + year } else { 2000 + year };
            }
            Item::LongYear => self.civil.year = self.digits(4)?,
            Item::Month => self.month = Some(1 + self.name(&MONTHS, true)?),
            Item::LongMonth => self.month = Some(1 + self.name(&MONTHS, false)?),
            Item::NumMonth | Item::ZeroMonth => {
                let month = self.number(item == Item::ZeroMonth)?;
                self.month = Some((1..=12).contains(&month).then_some(month)?);
            }
            Item::Weekday => {
                self.name(&WEEKDAYS, true)?;
            }
            Item::LongWeekday => {
                self.name(&WEEKDAYS, false)?;
            }
            Item::Day | Item::UnderDay | Item::ZeroDay => {
                if item == Item::UnderDay {
                    self.rest = self.rest.strip_prefix(b" ").unwrap_or(self.rest);
                }
                self.day = Some(self.number(item == Item::ZeroDay)?);
            }
            Item::UnderYearDay | Item::ZeroYearDay => self.day_of_year = Some(self.year_day(item)?),
            Item::Hour => self.civil.hour = self.below(24, false)?,
            Item::Hour12 | Item::ZeroHour12 => self.civil.hour = self.below(13, item == Item::ZeroHour12)?,
            Item::Minute | Item::ZeroMinute => self.civil.minute = self.below(60, item == Item::ZeroMinute)?,
            Item::Second | Item::ZeroSecond => {
                self.civil.second = self.below(60, item == Item::ZeroSecond)?;
                self.unannounced_fraction(layout);
            }
            Item::UpperPm | Item::LowerPm => {
                let (am, pm) = if item == Item::UpperPm { (b"AM", b"PM") } else { (b"am", b"pm") };
                let (half, rest) = self.rest.split_at_checked(2)?;
                self.is_pm = Some(half == pm);
                self.rest = (half == am || half == pm).then_some(rest)?;
            }
            Item::ZoneName => self.zone_name()?,
            Item::Offset(style) => self.zone_offset(style)?,
            Item::Fraction(digits, _) => {
                let (text, rest) = self.rest.split_at_checked(digits + 1)?;
                self.civil.nanos = nanoseconds(text)?;
                self.rest = rest;
            }
            Item::Trimmed(..) => {
                if let [b'.' | b',', b'0'..=b'9', ..] = self.rest {
                    self.take_fraction();
                }
            }
        }
        Some(())
    }

    /// A fraction of the second is understood although the layout does not mention it.
    fn unannounced_fraction(&mut self, layout: &[u8]) {
        let is_announced = matches!(next_item(layout).1, Some(Item::Fraction(..) | Item::Trimmed(..)));
        if matches!(self.rest, [b'.' | b',', b'0'..=b'9', ..]) && !is_announced {
            self.take_fraction();
        }
    }

    fn take_fraction(&mut self) {
        let length = 1 + self.rest[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.civil.nanos = nanoseconds(&self.rest[..length]).unwrap_or_default();
        self.rest = &self.rest[length..];
    }

    /// Exactly that many digits.
    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        digits.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
    }

    /// One or two digits, or exactly two.
    fn number(&mut self, is_fixed: bool) -> Option<i64> {
        let is_two = self.rest.get(1).is_some_and(u8::is_ascii_digit);
        if is_fixed && !is_two {
            return None;
        }
        self.digits(if is_two { 2 } else { 1 })
    }

    fn below(&mut self, end: i64, is_fixed: bool) -> Option<i64> {
        self.number(is_fixed).filter(|number| *number < end)
    }

    fn year_day(&mut self, item: Item) -> Option<i64> {
        let mut missing = 0;
        while item == Item::UnderYearDay && missing < 2 && self.rest.first() == Some(&b' ') {
            self.rest = &self.rest[1..];
            missing += 1;
        }
        self.digits(3 - missing)
    }

    fn name(&mut self, names: &[&str], is_short: bool) -> Option<i64> {
        for (index, name) in names.iter().enumerate() {
            let name = if is_short { &name[..3] } else { name };
            let Some((start, rest)) = self.rest.split_at_checked(name.len()) else { continue };
            if start.eq_ignore_ascii_case(name.as_bytes()) {
                self.rest = rest;
                return i64::try_from(index).ok();
            }
        }
        None
    }

    fn zone_offset(&mut self, style: OffsetStyle) -> Option<()> {
        if style.z && self.rest.first() == Some(&b'Z') {
            self.rest = &self.rest[1..];
            self.is_utc = true;
            return Some(());
        }
        let sign = match self.rest.split_first()? {
            (b'+', rest) => (1, rest),
            (b'-', rest) => (-1, rest),
            _ => return None,
        };
        self.rest = sign.1;
        let mut parts = [0; 3];
        let count = 1 + usize::from(style.minutes) + usize::from(style.seconds);
        for (index, part) in parts.iter_mut().take(count).enumerate() {
            if index > 0 && style.colon {
                self.rest = self.rest.strip_prefix(b":")?;
            }
            *part = self.digits(2)?;
        }
        if parts[0] > 24 || parts[1] > 60 || parts[2] > 60 {
            return None;
        }
        self.offset = Some(sign.0 * (parts[0] * 3600 + parts[1] * 60 + parts[2]));
        Some(())
    }

    fn zone_name(&mut self) -> Option<()> {
        if let Some(rest) = self.rest.strip_prefix(b"UTC") {
            self.rest = rest;
            self.is_utc = true;
            return Some(());
        }
        let (name, rest) = self.rest.split_at_checked(abbreviation_len(self.rest)?)?;
        self.abbreviation = Some(name);
        self.rest = rest;
        Some(())
    }

    fn time(mut self, zone: &Zone) -> Option<Time> {
        match self.is_pm {
            Some(true) if self.civil.hour < 12 => self.civil.hour += 12,
            Some(false) if self.civil.hour == 12 => self.civil.hour = 0,
            _ => {}
        }
        let year = self.civil.year;
        if let Some(day_of_year) = self.day_of_year {
            let first = Civil { year, month: 1, day: day_of_year, ..Civil::default() };
            let date = Civil::from_seconds(first.to_seconds().0, 0);
            let is_other = |given: Option<i64>, real| given.is_some_and(|given| given != real);
            if day_of_year < 1 || date.year != year || is_other(self.month, date.month) || is_other(self.day, date.day)
            {
                return None;
            }
            (self.month, self.day) = (Some(date.month), Some(date.day));
        }
        self.civil.month = self.month.unwrap_or(1);
        self.civil.day = self.day.unwrap_or(1);
        if self.civil.day < 1 || self.civil.day > days_in_month(self.civil.month, year) {
            return None;
        }
        Some(self.located(zone))
    }

    fn located(&self, zone: &Zone) -> Time {
        let utc = Time::from_civil(&self.civil, Zone::default());
        let name = self.abbreviation.map(String::from_utf8_lossy).unwrap_or_default();
        let shifted = |offset: i64, zone| Time::new(utc.seconds().wrapping_sub(offset), utc.nanos(), zone);
        if self.is_utc {
            return utc;
        }
        if let Some(offset) = self.offset {
            let local = zone.at(utc.seconds().wrapping_sub(offset));
            let is_local = local.offset == offset && (name.is_empty() || local.abbreviation == name);
            return shifted(offset, if is_local { zone.clone() } else { Zone::fixed(&name, offset) });
        }
        if self.abbreviation.is_some() {
            if let Some(offset) = zone.offset_named(&name, utc.seconds()) {
                return shifted(offset, zone.clone());
            }
            // An unknown abbreviation is a name without an offset, unless it spells one out.
            let hours: i64 = name.strip_prefix("GMT").and_then(|hours| hours.parse().ok()).unwrap_or_default();
            return utc.in_zone(Zone::fixed(&name, hours * 3600));
        }
        Time::from_civil(&self.civil, zone.clone())
    }
}

fn without_spaces(text: &[u8]) -> &[u8] {
    let spaces = text.iter().take_while(|byte| **byte == b' ').count();
    &text[spaces..]
}

/// The nanoseconds of a separator and digits, of which only nine count.
fn nanoseconds(text: &[u8]) -> Option<i64> {
    let (separator, digits) = text.split_first()?;
    if !matches!(separator, b'.' | b',') || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(9);
    Some(padded.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
}

/// The length of the time zone abbreviation at the beginning.
fn abbreviation_len(text: &[u8]) -> Option<usize> {
    let start = text.get(..3)?;
    if text.starts_with(b"ChST") || text.starts_with(b"MeST") {
        return Some(4);
    }
    if start == b"GMT" {
        return Some(3 + signed_hours_len(&text[3..]).unwrap_or_default());
    }
    if matches!(start[0], b'+' | b'-') {
        return signed_hours_len(text);
    }
    let upper = text.iter().take(6).take_while(|byte| byte.is_ascii_uppercase()).count();
    match upper {
        3 => Some(3),
        4 => (text[3] == b'T' || text.starts_with(b"WITA")).then_some(4),
        5 => (text[4] == b'T').then_some(5),
        _ => None,
    }
}

fn signed_hours_len(text: &[u8]) -> Option<usize> {
    let digits = text.strip_prefix(b"+").or_else(|| text.strip_prefix(b"-"))?;
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let hours: u64 = std::str::from_utf8(&digits[..count]).ok()?.parse().ok()?;
    (hours <= 23).then_some(1 + count)
}
