//! Secret bytes: wiped when dropped, never printed, compared in constant time.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Secrets shorter than this many bytes are served but warned about: a reader of the status can try to guess
/// them offline, because the receiver path is an unsalted hash of project, name and secret.
pub const WEAK_SECRET_BYTES: usize = 16;

/// The bytes of one key of a Secret, exactly as they are stored: a trailing newline counts.
///
/// There is deliberately no `Debug` and no `Display`.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes over the bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The raw bytes, for hashing and signing. Never compare them: use [`Self::verify_eq`].
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether `presented` equals the secret, in a time that does not depend on where they differ.
    #[must_use]
    pub fn verify_eq(&self, presented: &[u8]) -> bool {
        self.0.ct_eq(presented).into()
    }

    /// Whether there is nothing to guess at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the secret is shorter than [`WEAK_SECRET_BYTES`].
    #[must_use]
    pub fn is_weak(&self) -> bool {
        self.0.len() < WEAK_SECRET_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_covers_every_byte_and_the_length() {
        let secret = Secret::new(b"rosebud was a sled\n".to_vec());
        assert!(secret.verify_eq(b"rosebud was a sled\n"));
        assert!(!secret.verify_eq(b"rosebud was a sled"));
        assert!(!secret.verify_eq(b""));
    }

    #[test]
    fn short_secrets_are_weak_and_only_zero_bytes_are_empty() {
        assert!(Secret::new(vec![]).is_empty());
        assert!(Secret::new(vec![b'x'; 15]).is_weak());
        assert!(!Secret::new(vec![b'x'; 16]).is_weak());
    }
}
