//! Durations as text, and back.

/// What Go prints.
pub(in crate::expr) fn format_duration(duration: i64) -> String {
    let sign = if duration < 0 { "-" } else { "" };
    let nanos = duration.unsigned_abs();
    let small = |unit: u64, name: &str| format!("{sign}{}{name}", with_fraction(nanos, unit));
    match nanos {
        0 => "0s".to_owned(),
        1..1_000 => small(1, "ns"),
        1_000..1_000_000 => small(1_000, "µs"),
        1_000_000..1_000_000_000 => small(1_000_000, "ms"),
        _ => {
            let (minutes, rest) = (nanos / 60_000_000_000, nanos % 60_000_000_000);
            let seconds = with_fraction(rest, 1_000_000_000);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{sign}{seconds}s"),
                (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

fn with_fraction(nanos: u64, unit: u64) -> String {
    let (whole, rest) = (nanos / unit, nanos % unit);
    if rest == 0 {
        return whole.to_string();
    }
    let digits = unit.ilog10() as usize;
    let fraction = format!("{rest:0digits$}");
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

/// Reads a duration such as `-1.5h`; `None` if it is none or beyond 64 bits of nanoseconds.
pub(in crate::expr) fn parse_duration(text: &[u8]) -> Option<i64> {
    let (negative, mut rest) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    if rest == b"0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let whole_len = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let whole = number(&rest[..whole_len])?;
        let mut after = &rest[whole_len..];
        let (mut fraction, mut scale, mut fraction_len) = (0_u64, 1_f64, 0);
        if let Some(digits) = after.strip_prefix(b".") {
            fraction_len = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
            // Digits that do not fit make no difference.
            for digit in &digits[..fraction_len] {
                let Some(longer) = fraction.checked_mul(10).and_then(|f| f.checked_add(u64::from(digit - b'0'))) else {
                    break;
                };
                if longer > i64::MAX as u64 {
                    break;
                }
                fraction = longer;
                scale *= 10.0;
            }
            after = &digits[fraction_len..];
        }
        if whole_len == 0 && fraction_len == 0 {
            return None;
        }
        let unit_len = after.iter().take_while(|byte| **byte != b'.' && !byte.is_ascii_digit()).count();
        let unit = unit(&after[..unit_len])?;
        rest = &after[unit_len..];
        let mut value = whole.checked_mul(unit).filter(|value| *value <= 1 << 63)?;
        if fraction > 0 {
            value = value.checked_add((fraction as f64 * (unit as f64 / scale)) as u64)?;
        }
        total = total.checked_add(value).filter(|total| *total <= 1 << 63)?;
    }
    if negative {
        return Some((total as i64).wrapping_neg());
    }
    i64::try_from(total).ok()
}

fn number(digits: &[u8]) -> Option<u64> {
    let add = |number: u64, digit: &u8| number.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    digits.iter().try_fold(0_u64, add).filter(|number| *number <= 1 << 63)
}

fn unit(name: &[u8]) -> Option<u64> {
    Some(match name {
        b"ns" => 1,
        b"us" | b"\xC2\xB5s" | b"\xCE\xBCs" => 1_000,
        b"ms" => 1_000_000,
        b"s" => 1_000_000_000,
        b"m" => 60_000_000_000,
        b"h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// Rounded to the nearest multiple, halves away from zero, as far as a duration can hold it.
pub(in crate::expr) fn round_duration(duration: i64, to: i64) -> i64 {
    if to <= 0 {
        return duration;
    }
    let (duration, to) = (i128::from(duration), i128::from(to));
    let rest = (duration % to).abs();
    let down = duration - duration.signum() * rest;
    let rounded = if rest * 2 < to { down } else { down + if duration < 0 { -to } else { to } };
    rounded.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}
