//! Finding a part of a text.

use super::super::limits::Meter;
use crate::expr::RunError;

/// Where the part occurs first.
pub(in crate::expr) fn find(text: &[u8], part: &[u8], meter: &mut Meter) -> Result<Option<usize>, RunError> {
    meter.read(text.len())?;
    if let (Ok(text), Ok(part)) = (std::str::from_utf8(text), std::str::from_utf8(part)) {
        return Ok(text.find(part));
    }
    // Only what is not UTF-8 is searched naively, and pays for it.
    meter.scan(text.len().saturating_mul(part.len()))?;
    Ok(if part.is_empty() { Some(0) } else { text.windows(part.len()).position(|window| window == part) })
}

/// Where the part occurs last.
pub(in crate::expr) fn find_last(text: &[u8], part: &[u8], meter: &mut Meter) -> Result<Option<usize>, RunError> {
    meter.read(text.len())?;
    if let (Ok(text), Ok(part)) = (std::str::from_utf8(text), std::str::from_utf8(part)) {
        return Ok(text.rfind(part));
    }
    meter.scan(text.len().saturating_mul(part.len()))?;
    Ok(if part.is_empty() { Some(text.len()) } else { text.windows(part.len()).rposition(|window| window == part) })
}

/// The pieces of a text between occurrences of a separator, at most that many.
pub(in crate::expr) fn split<'a>(
    text: &'a [u8],
    separator: &[u8],
    limit: usize,
    meter: &mut Meter,
) -> Result<Vec<&'a [u8]>, RunError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    if let (Ok(valid), Ok(separator)) = (std::str::from_utf8(text), std::str::from_utf8(separator)) {
        meter.read(text.len())?;
        for piece in valid.splitn(limit, separator) {
            meter.elements(1)?;
            meter.work(2)?;
            pieces.push(piece.as_bytes());
        }
        return Ok(pieces);
    }
    while pieces.len() + 1 < limit {
        let Some(at) = find(rest, separator, meter)? else { break };
        meter.elements(1)?;
        pieces.push(&rest[..at]);
        rest = &rest[at + separator.len()..];
    }
    pieces.push(rest);
    Ok(pieces)
}
