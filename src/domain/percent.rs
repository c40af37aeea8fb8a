//! Parts of URLs, escaped.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// All but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A part of a URL, whatever it holds: everything is escaped that is not a letter, a digit or one of `-._~`.
#[must_use]
pub fn escaped(part: &[u8]) -> String {
    percent_encode(part, RESERVED).to_string()
}
