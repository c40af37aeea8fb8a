//! Client certificates: who presented which, and which ones a receiver demands.
//!
//! It knows nothing of TLS: the caller that builds a [`ClientIdentity`] has checked that the sender holds the private
//! key.

pub mod passed_on;

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// SHA-256 of a certificate in DER. Not a secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

/// A text is not a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a fingerprint is 64 hexadecimal digits, with or without colons: openssl x509 -in FILE -noout -fingerprint -sha256"
)]
pub struct InvalidFingerprint;

impl Fingerprint {
    /// The fingerprint of a certificate.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }
}

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    /// Reads `6F:0C:…` or `6f0c…`, also with what `openssl` prints in front of it.
    ///
    /// # Errors
    /// When it is anything else.
    fn from_str(text: &str) -> Result<Self, InvalidFingerprint> {
        let digits = text.rsplit('=').next().unwrap_or_default().trim().replace(':', "");
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| InvalidFingerprint)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a sender proved about itself when it connected, here or to a proxy that is trusted. A sender that presented a
/// certificate also proved to hold its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientIdentity {
    /// A certificate that a configured authority issued, or that the operator pinned.
    Verified {
        /// Of the certificate.
        fingerprint: Fingerprint,
    },
    /// A certificate from no trusted authority. The handshake accepts it: for a receiver that demands nothing it
    /// is as good as none, and a receiver that names its fingerprint needs no authority.
    Unverified {
        /// Of the certificate.
        fingerprint: Fingerprint,
    },
    /// No certificate, or no TLS.
    #[default]
    None,
}

/// The word that demands any verified certificate.
const REQUIRED: &[u8] = b"required";

/// Whether the rule of a receiver admits a sender.
///
/// Each line of the rule is the fingerprint of a certificate that is admitted, or the word `required`, which admits
/// every verified one. Empty lines are skipped, and a line that is neither admits no client; the same holds for a rule
/// without any line.
#[must_use]
pub fn permits(rule: &[u8], identity: &ClientIdentity) -> bool {
    let mut lines = rule.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let (presented, verified) = match identity {
        ClientIdentity::Verified { fingerprint } => (fingerprint, true),
        ClientIdentity::Unverified { fingerprint } => (fingerprint, false),
        ClientIdentity::None => return false,
    };
    lines.any(|line| {
        let named = || std::str::from_utf8(line).ok().and_then(|line| line.parse().ok());
        (verified && line == REQUIRED) || named() == Some(*presented)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the empty string.
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn fingerprint() -> Fingerprint {
        Fingerprint::of(b"")
    }

    fn other() -> Fingerprint {
        Fingerprint::of(b"another certificate")
    }

    #[test]
    fn fingerprints_are_read_as_openssl_prints_them() {
        let colons =
            EMPTY.to_uppercase().as_bytes().chunks(2).map(String::from_utf8_lossy).collect::<Vec<_>>().join(":");
        for text in
            [EMPTY, &EMPTY.to_uppercase(), &colons, &format!("sha256 Fingerprint={colons}"), &format!(" {EMPTY}\r")]
        {
            assert_eq!(text.parse(), Ok(fingerprint()), "{text}");
        }
        assert_eq!(fingerprint().to_string(), EMPTY);
        for text in
            ["", "required", &EMPTY[1..], &format!("{EMPTY}0"), &EMPTY.replace('e', "g"), "SHA1 Fingerprint=00:11"]
        {
            assert_eq!(text.parse::<Fingerprint>(), Err(InvalidFingerprint), "{text}");
        }
    }

    #[test]
    fn a_named_certificate_needs_nobody_to_vouch_for_it() {
        let rule = format!("{}\r\n\n  {EMPTY}  \n", other());
        for fingerprint in [fingerprint(), other()] {
            assert!(permits(rule.as_bytes(), &ClientIdentity::Unverified { fingerprint }));
            assert!(permits(rule.as_bytes(), &ClientIdentity::Verified { fingerprint }));
        }
        let fingerprint = Fingerprint::of(b"a third one");
        assert!(!permits(rule.as_bytes(), &ClientIdentity::Verified { fingerprint }), "verified, but not named");
        assert!(!permits(rule.as_bytes(), &ClientIdentity::None));
    }

    #[test]
    fn required_admits_every_verified_certificate_and_no_other() {
        let fingerprint = fingerprint();
        for rule in ["required", " required\n", &format!("{}\nrequired", other())] {
            assert!(permits(rule.as_bytes(), &ClientIdentity::Verified { fingerprint }), "{rule:?}");
            assert!(!permits(rule.as_bytes(), &ClientIdentity::Unverified { fingerprint }), "{rule:?}");
            assert!(!permits(rule.as_bytes(), &ClientIdentity::None), "{rule:?}");
        }
    }

    #[test]
    fn a_rule_that_says_nothing_valid_admits_nobody() {
        let fingerprint = fingerprint();
        for rule in [&b""[..], b"\n", b"Required", b"optional", b"\xff\xfe", &EMPTY.as_bytes()[2..]] {
            assert!(!permits(rule, &ClientIdentity::Verified { fingerprint }), "{rule:?}");
        }
    }
}
