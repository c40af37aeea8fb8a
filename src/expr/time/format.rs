//! Points in time as text.

use super::layout::{Item, MONTHS, OffsetStyle, WEEKDAYS, next_item};
use super::{Civil, Time};

/// The name of a month, January being 1.
pub(in crate::expr) fn month_name(month: i64) -> String {
    let name = usize::try_from(month - 1).ok().and_then(|index| MONTHS.get(index));
    name.map_or_else(|| format!("%!Month({month})"), |name| (*name).to_owned())
}

/// The name of a day of the week, Sunday being 0.
pub(in crate::expr) fn weekday_name(day: i64) -> String {
    let name = usize::try_from(day).ok().and_then(|index| WEEKDAYS.get(index));
    name.map_or_else(|| format!("%!Weekday({day})"), |name| (*name).to_owned())
}

impl Time {
    /// Written the way the layout says.
    pub(in crate::expr) fn format(&self, layout: &str) -> String {
        String::from_utf8_lossy(&self.format_bytes(layout.as_bytes())).into_owned()
    }

    pub(in crate::expr) fn format_bytes(&self, mut layout: &[u8]) -> Vec<u8> {
        let zone = self.zone().at(self.seconds());
        let civil = self.civil();
        let mut out = Vec::with_capacity(layout.len() + 10);
        loop {
            let (prefix, item, rest) = next_item(layout);
            out.extend_from_slice(prefix);
            let Some(item) = item else { return out };
            layout = rest;
            match item {
                Item::ZoneName if zone.abbreviation.is_empty() => {
                    // Without a name, the offset.
                    let style = OffsetStyle { z: false, colon: false, minutes: true, seconds: false };
                    out.extend_from_slice(offset_text(zone.offset, style).as_bytes());
                }
                Item::ZoneName => out.extend_from_slice(zone.abbreviation.as_bytes()),
                Item::Offset(style) => out.extend_from_slice(offset_text(zone.offset, style).as_bytes()),
                item => out.extend_from_slice(civil_text(item, &civil).as_bytes()),
            }
        }
    }

    /// What Go prints.
    pub(in crate::expr) fn go_string(&self) -> String {
        self.format("2006-01-02 15:04:05.999999999 -0700 MST")
    }
}

fn civil_text(item: Item, civil: &Civil) -> String {
    let hour12 = if civil.hour % 12 == 0 { 12 } else { civil.hour % 12 };
    match item {
        Item::LongMonth => month_name(civil.month),
        Item::Month => month_name(civil.month).chars().take(3).collect(),
        Item::NumMonth => civil.month.to_string(),
        Item::ZeroMonth => format!("{:02}", civil.month),
        Item::LongWeekday => weekday_name(civil.weekday()),
        Item::Weekday => weekday_name(civil.weekday()).chars().take(3).collect(),
        Item::Day => civil.day.to_string(),
        Item::UnderDay => format!("{:2}", civil.day),
        Item::ZeroDay => format!("{:02}", civil.day),
        Item::UnderYearDay => format!("{:3}", civil.day_of_year()),
        Item::ZeroYearDay => format!("{:03}", civil.day_of_year()),
        Item::Hour => format!("{:02}", civil.hour),
        Item::Hour12 => hour12.to_string(),
        Item::ZeroHour12 => format!("{hour12:02}"),
        Item::Minute => civil.minute.to_string(),
        Item::ZeroMinute => format!("{:02}", civil.minute),
        Item::Second => civil.second.to_string(),
        Item::ZeroSecond => format!("{:02}", civil.second),
        Item::LongYear if civil.year < 0 => format!("-{:04}", civil.year.unsigned_abs()),
        Item::LongYear => format!("{:04}", civil.year),
        Item::Year => format!("{:02}", civil.year.unsigned_abs() % 100),
        Item::UpperPm => if civil.hour >= 12 { "PM" } else { "AM" }.to_owned(),
        Item::LowerPm => if civil.hour >= 12 { "pm" } else { "am" }.to_owned(),
        Item::Fraction(digits, separator) => {
            let all = format!("{:09}", civil.nanos);
            let shown: String = all.chars().chain(std::iter::repeat('0')).take(digits).collect();
            format!("{}{shown}", separator as char)
        }
        Item::Trimmed(digits, separator) => {
            let all = format!("{:09}", civil.nanos);
            let shown = all[..digits.min(9)].trim_end_matches('0');
            if shown.is_empty() { String::new() } else { format!("{}{shown}", separator as char) }
        }
        Item::ZoneName | Item::Offset(_) => String::new(),
    }
}

fn offset_text(offset: i64, style: OffsetStyle) -> String {
    if style.z && offset == 0 {
        return "Z".to_owned();
    }
    // As in Go, the sign is that of the whole minutes.
    let minutes = offset / 60;
    let (sign, size) = if minutes < 0 { ('-', -offset) } else { ('+', offset) };
    let minutes = minutes.abs();
    let mut text = format!("{sign}{:02}", minutes / 60);
    let separator = if style.colon { ":" } else { "" };
    if style.minutes {
        text += &format!("{separator}{:02}", minutes % 60);
    }
    if style.seconds {
        text += &format!("{separator}{:02}", (size % 60).abs());
    }
    text
}
