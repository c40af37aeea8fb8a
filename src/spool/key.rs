//! The spool's own random key: what names this disk, and hides the paths that are kept on it.

use std::io;
use std::sync::Arc;

use aws_lc_rs::hmac::{self, Context, HMAC_SHA256};
use zeroize::Zeroizing;

pub(super) const KEY_BYTES: usize = 32;

/// Half of a digest is enough to tell paths apart, and for nothing else.
pub(super) const MARK_BYTES: usize = 16;

/// What a path looks like on disk. Without the key nobody can tell of which path it is.
pub(super) type Mark = [u8; MARK_BYTES];

/// Belongs to one directory as long as that exists.
pub(super) struct Key(hmac::Key);

impl Key {
    pub(super) fn new(bytes: &[u8; KEY_BYTES]) -> Self {
        Self(hmac::Key::new(HMAC_SHA256, bytes))
    }

    /// A key that nobody has had before.
    pub(super) fn random() -> io::Result<Zeroizing<[u8; KEY_BYTES]>> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        aws_lc_rs::rand::fill(bytes.as_mut()).map_err(|_| io::Error::other("the system has no random numbers"))?;
        Ok(bytes)
    }

    /// A public name of the directory.
    pub(super) fn id(&self) -> Arc<str> {
        let [a, b, c, d, e, f, g, h, ..] = self.mark("name", b"");
        hex::encode([a, b, c, d, e, f, g, h]).into()
    }

    /// The mark of a path.
    pub(super) fn mark_of(&self, path: &[u8]) -> Mark {
        self.mark("path", path)
    }

    fn mark(&self, purpose: &str, of: &[u8]) -> Mark {
        let mut context = Context::with_key(&self.0);
        context.update(purpose.as_bytes());
        context.update(&[0]);
        context.update(of);
        let digest = context.sign();
        let mut mark = Mark::default();
        mark.copy_from_slice(&digest.as_ref()[..MARK_BYTES]);
        mark
    }
}
