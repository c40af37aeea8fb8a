//! Numbers as text, and back.

/// Reads a float as Go does; `None` if it is none or too large. Underscores and hexadecimal digits are allowed.
pub(in crate::expr) fn parse_float(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (Some(1.0), &text[1..]),
        b'-' => (Some(-1.0), &text[1..]),
        _ => (None, text),
    };
    let lower = rest.to_ascii_lowercase();
    match &*lower {
        "inf" | "infinity" => return Some(sign.unwrap_or(1.0) * f64::INFINITY),
        "nan" => return sign.is_none().then_some(f64::NAN),
        _ => {}
    }
    if lower.contains('_') && !are_underscores_fine(&lower) {
        return None;
    }
    let digits = lower.replace('_', "");
    let size = match digits.strip_prefix("0x") {
        Some(hex) => parse_hex(hex)?,
        None => {
            // Rust reads more than digits, a point and an exponent.
            let is_plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'+' | b'-');
            if !digits.bytes().all(is_plain) || digits.starts_with(['+', '-', 'e']) {
                return None;
            }
            digits.parse::<f64>().ok()?
        }
    };
    size.is_finite().then(|| sign.unwrap_or(1.0) * size)
}

fn parse_hex(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let far = if exponent.starts_with('-') { -100_000 } else { 100_000 };
    let mut exponent: i64 = exponent.parse().unwrap_or(far);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 {
        return None;
    }
    let mut bits: u128 = 0;
    for (index, digit) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = digit.to_digit(16)?;
        if bits >> 120 == 0 {
            bits = bits << 4 | u128::from(digit);
        } else {
            // Digits that do not fit only matter for ties.
            bits |= u128::from(digit != 0);
            exponent = exponent.saturating_add(4);
        }
        if index >= whole.len() {
            exponent = exponent.saturating_sub(4);
        }
    }
    if bits == 0 {
        return Some(0.0);
    }
    let exponent = exponent.clamp(-2000, 2000) as i32;
    // Halves at a time, so that no intermediate result leaves the range too early.
    let half = exponent / 2;
    Some(bits as f64 * 2_f64.powi(half) * 2_f64.powi(exponent - half))
}

/// Underscores stand between digits, or after a prefix.
fn are_underscores_fine(lower: &str) -> bool {
    let (is_hex, mut before, rest) = match lower.get(..2) {
        Some(prefix @ ("0x" | "0b" | "0o")) => (prefix == "0x", '0', &lower[2..]),
        _ => (false, '^', lower),
    };
    for c in rest.chars() {
        let is_digit = c.is_ascii_digit() || is_hex && c.is_ascii_hexdigit();
        before = match c {
            _ if is_digit => '0',
            '_' if before == '0' => '_',
            '_' => return false,
            _ if before == '_' => return false,
            _ => '!',
        };
    }
    before != '_'
}

/// The shortest digits that mean this number and no other, and the position of the point among them.
fn shortest(value: f64) -> (String, i32) {
    let size = value.abs();
    let text = format!("{size:e}");
    let digits = text.find('e').unwrap_or_default() - usize::from(text.contains('.'));
    // Of several numbers of that many digits Go takes the closest, and the even one of two.
    let closest = format!("{size:.*e}", digits.saturating_sub(1));
    let text = if closest.parse() == Ok(size) { closest } else { text };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (mantissa.replace('.', ""), exponent.parse::<i32>().unwrap_or_default() + 1)
}

/// With an exponent if the number is smaller than 10^-`low` or at least 10^`high`.
fn format(value: f64, low: i32, high: i32, is_short_exponent: bool) -> String {
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let (digits, point) = shortest(value);
    let exponent = point - 1;
    if value != 0.0 && (exponent < -low || exponent >= high) {
        let fraction = if digits.len() > 1 { format!(".{}", &digits[1..]) } else { String::new() };
        let exponent_sign = if exponent < 0 { '-' } else { '+' };
        let size = exponent.unsigned_abs();
        let size = if is_short_exponent && exponent < 0 { size.to_string() } else { format!("{size:02}") };
        return format!("{sign}{}{fraction}e{exponent_sign}{size}", &digits[..1]);
    }
    let count = digits.len() as i32;
    let body = if point <= 0 {
        if value == 0.0 { "0".to_owned() } else { format!("0.{}{digits}", "0".repeat(-point as usize)) }
    } else if point >= count {
        format!("{digits}{}", "0".repeat((point - count) as usize))
    } else {
        format!("{}.{}", &digits[..point as usize], &digits[point as usize..])
    };
    format!("{sign}{body}")
}

/// What Go prints.
pub(in crate::expr) fn print_float(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        format(value, 4, 6, false)
    }
}

/// What Go writes into JSON. The number has to be finite.
pub(in crate::expr) fn json_float(value: f64) -> String {
    format(value, 6, 21, true)
}
