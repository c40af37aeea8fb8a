//! Strings as Go has them: bytes that are usually, but not necessarily, UTF-8.

use std::fmt;
use std::sync::Arc;

/// A shared string.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Arc<[u8]>);

impl Text {
    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The string, if it is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The characters as Go's `range` visits them: every byte that is not part of a character counts as `U+FFFD`.
    pub(in crate::expr) fn runes(&self) -> Runes<'_> {
        Runes(&self.0)
    }

    /// The text with every byte that is not part of a character replaced by `U+FFFD`.
    pub(in crate::expr) fn to_valid(&self) -> std::borrow::Cow<'_, str> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => text.into(),
            Err(_) => self.runes().map(|(rune, _)| rune).collect::<String>().into(),
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into_bytes().into())
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(&self.0), f)
    }
}

/// Iterates over characters and their lengths in bytes.
pub(in crate::expr) struct Runes<'a>(pub(in crate::expr) &'a [u8]);

impl Iterator for Runes<'_> {
    type Item = (char, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let (&first, _) = self.0.split_first()?;
        let length = match first {
            0..=0x7F => 1,
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            _ => 0,
        };
        let decoded = self.0.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok()?.chars().next());
        let (rune, length) = decoded.map_or((char::REPLACEMENT_CHARACTER, 1), |rune| (rune, length));
        self.0 = &self.0[length..];
        Some((rune, length))
    }
}

/// The characters of bytes and their lengths.
pub(in crate::expr) fn runes(bytes: &[u8]) -> Runes<'_> {
    Runes(bytes)
}
