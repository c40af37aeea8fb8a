//! Percent-escapes as Go's `net/url` reads and writes them.
//!
//! Owns which bytes stand for themselves in which part of a URL. Decoded parts are bytes, since an
//! escape can spell any byte; encoded parts are ASCII.

use std::fmt;

/// Why a text is not a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidUrl(pub(super) &'static str);

impl fmt::Display for InvalidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidUrl {}

/// The part of a URL a text stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// User name or password.
    User,
    /// Host and port.
    Host,
    /// Zone of an IPv6 address.
    Zone,
    /// Path.
    Path,
    /// Fragment.
    Fragment,
}

/// Decodes the escapes in `text`.
///
/// # Errors
/// A malformed escape, or a byte or an escape that `part` does not admit.
pub(super) fn unescape(text: &[u8], part: Part) -> Result<Vec<u8>, InvalidUrl> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        if *byte == b'%' {
            let Some(value) = hex_pair(tail) else {
                return Err(InvalidUrl("malformed percent-escape"));
            };
            if !escape_is_admitted(value, part) {
                return Err(InvalidUrl("percent-escape not allowed in a host"));
            }
            out.push(value);
            rest = &tail[2..];
        } else {
            let in_host = matches!(part, Part::Host | Part::Zone);
            if in_host && byte.is_ascii() && must_escape(*byte, part) {
                return Err(InvalidUrl("invalid character in host name"));
            }
            out.push(*byte);
            rest = tail;
        }
    }
    Ok(out)
}

/// Encodes what may not stand for itself in `part`.
pub(super) fn escape(bytes: &[u8], part: Part) -> String {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let mut out = String::with_capacity(bytes.len());
    for &byte in bytes {
        if must_escape(byte, part) {
            out.push('%');
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 15)]);
        } else {
            out.push(char::from(byte));
        }
    }
    out
}

/// The encoded form of `bytes`: the spelling it was given in, if that is a proper one and still
/// means the same, else Go's own.
pub(super) fn escape_as_given(bytes: &[u8], given: &str, part: Part) -> String {
    let is_proper = given.bytes().all(|b| b"!$&'()*+,;=:@[]%".contains(&b) || !must_escape(b, part));
    let still_meant = || unescape(given.as_bytes(), part).is_ok_and(|meaning| meaning == bytes);
    if !given.is_empty() && is_proper && still_meant() { given.to_owned() } else { escape(bytes, part) }
}

/// Whether each `%` in `text` begins an escape.
pub(super) fn is_well_formed(text: &str) -> bool {
    let mut pieces = text.as_bytes().split(|&b| b == b'%');
    pieces.next();
    pieces.all(|piece| hex_pair(piece).is_some())
}

/// Hosts admit escapes for non-ASCII bytes and the percent sign only; zones for what they could
/// also hold plainly, and for spaces.
fn escape_is_admitted(value: u8, part: Part) -> bool {
    match part {
        Part::Host => value == b'%' || !value.is_ascii(),
        Part::Zone => matches!(value, b'%' | b' ') || !must_escape(value, Part::Host),
        Part::User | Part::Path | Part::Fragment => true,
    }
}

fn must_escape(byte: u8, part: Part) -> bool {
    let plain: &[u8] = match part {
        Part::User => b"$&+,;=",
        Part::Host | Part::Zone => b"!$&'()*+,;=:[]<>\"",
        Part::Path => b"$&+,/:;=@",
        Part::Fragment => b"$&+,/:;=?@!()*",
    };
    !(byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || plain.contains(&byte))
}

fn hex_pair(bytes: &[u8]) -> Option<u8> {
    let [high, low, ..] = bytes else {
        return None;
    };
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16)?).ok();
    Some(digit(*high)? << 4 | digit(*low)?)
}

#[cfg(test)]
mod tests {
    use super::{Part, escape, escape_as_given, is_well_formed, unescape};

    #[test]
    fn escapes_are_decoded_once_to_any_byte() {
        assert_eq!(unescape(b"a%2Fb%ff%2525+", Part::Path).unwrap(), b"a/b\xff%25+");
    }

    #[test]
    fn malformed_escapes_are_errors_everywhere() {
        for text in ["%", "%a", "%zz", "x%2", "%+1"] {
            assert!(unescape(text.as_bytes(), Part::Path).is_err(), "{text}");
            assert!(!is_well_formed(text), "{text}");
        }
        assert!(is_well_formed("a%20%Ff"));
    }

    #[test]
    fn hosts_admit_escapes_for_non_ascii_bytes_and_percent_only() {
        assert_eq!(unescape(b"h%C3%A4%25", Part::Host).unwrap(), b"h\xc3\xa4%");
        for text in ["h%20", "h%41", "a b", "a\\b", "a#"] {
            assert!(unescape(text.as_bytes(), Part::Host).is_err(), "{text}");
        }
        assert_eq!(unescape(b"%25en%200", Part::Zone).unwrap(), b"%en 0");
        assert!(unescape(b"%25%ff", Part::Zone).is_err());
    }

    #[test]
    fn each_part_has_its_own_plain_bytes() {
        let all = b" !$(),/:;=?@[~%";
        assert_eq!(escape(all, Part::Path), "%20%21$%28%29,/:;=%3F@%5B~%25");
        assert_eq!(escape(all, Part::Fragment), "%20!$(),/:;=?@%5B~%25");
        assert_eq!(escape(all, Part::User), "%20%21$%28%29,%2F%3A;=%3F%40%5B~%25");
        assert_eq!(escape(all, Part::Host), "%20!$(),%2F:;=%3F%40[~%25");
    }

    #[test]
    fn a_given_spelling_is_kept_while_it_is_proper_and_means_the_same() {
        assert_eq!(escape_as_given(b"/a(b)/c", "/a(b)%2fc", Part::Path), "/a(b)%2fc");
        assert_eq!(escape_as_given(b"/a(b", "/a(b)", Part::Path), "/a%28b");
        assert_eq!(escape_as_given("/ä".as_bytes(), "/ä", Part::Path), "/%C3%A4");
    }
}
