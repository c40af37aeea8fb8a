//! HMAC signatures over the raw body, compared in constant time.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use crate::domain::secret::Secret;
use crate::receiver::Rejection;

/// The hash under an HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-1, which is refused unless it is all that a sender has, or it is allowed.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// Whether `signature` is the HMAC of `body`.
    #[must_use]
    pub fn verifies(self, secret: &Secret, body: &[u8], signature: &[u8]) -> bool {
        let key = secret.expose();
        match self {
            Self::Sha1 => mac::<Hmac<Sha1>>(key, body).is_some_and(|mac| mac.verify_slice(signature).is_ok()),
            Self::Sha256 => mac::<Hmac<Sha256>>(key, body).is_some_and(|mac| mac.verify_slice(signature).is_ok()),
            Self::Sha512 => mac::<Hmac<Sha512>>(key, body).is_some_and(|mac| mac.verify_slice(signature).is_ok()),
        }
    }

    /// The HMAC of `body` in lower-case hexadecimal digits.
    #[must_use]
    pub fn sign(self, secret: &Secret, body: &[u8]) -> String {
        let key = secret.expose();
        match self {
            Self::Sha1 => mac::<Hmac<Sha1>>(key, body).map(|mac| hex::encode(mac.finalize().into_bytes())),
            Self::Sha256 => mac::<Hmac<Sha256>>(key, body).map(|mac| hex::encode(mac.finalize().into_bytes())),
            Self::Sha512 => mac::<Hmac<Sha512>>(key, body).map(|mac| hex::encode(mac.finalize().into_bytes())),
        }
        .unwrap_or_default()
    }
}

/// `None` never: an HMAC takes a key of any length.
fn mac<M: Mac + KeyInit>(key: &[u8], body: &[u8]) -> Option<M> {
    let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
    mac.update(body);
    Some(mac)
}

/// Checks a header of the form `sha256=<hex>`, as GitHub, Gitea and Bitbucket send it. The part before the equals sign
/// chooses the hash, exactly `sha1`, `sha256` or `sha512`; the digits may be of either case.
///
/// # Errors
/// 401 with Kargo's texts, and one of our own for SHA-1 where it is not allowed.
pub fn check_prefixed(header: &str, secret: &Secret, body: &[u8], allow_sha1: bool) -> Result<(), Rejection> {
    if header.is_empty() {
        return Err(Rejection::Unauthorized("missing signature"));
    }
    let wrong = Rejection::Unauthorized("unauthorized");
    let (algorithm, digits) = header.split_once('=').ok_or(wrong)?;
    let algorithm = match algorithm {
        "sha1" => Algorithm::Sha1,
        "sha256" => Algorithm::Sha256,
        "sha512" => Algorithm::Sha512,
        _ => return Err(wrong),
    };
    let signature = hex::decode(digits).map_err(|_| wrong)?;
    if !algorithm.verifies(secret, body, &signature) {
        return Err(wrong);
    }
    if algorithm == Algorithm::Sha1 && !allow_sha1 {
        return Err(Rejection::Unauthorized("SHA-1 signatures are not accepted; let the sender sign with SHA-256"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret {
        Secret::new(b"mysupersecrettoken".to_vec())
    }

    /// The key is the one of Kargo's own tests, the values were computed by its library.
    #[test]
    fn documented_signatures_agree() {
        let cases = [
            (Algorithm::Sha256, "{}", "de2e1764aa285bef796c9abeea4ce4c87d9b70cbf55fd03e5ba3b11f76f7e500"),
            (Algorithm::Sha1, "{}", "79282d83a221a7ea020fbf99bf0699511b46f0a5"),
            (Algorithm::Sha256, "", "931ae8e83643ab3f0e64f2b02ccc6939967225c99643c7efa8f734f21ba5c109"),
        ];
        for (algorithm, body, expected) in cases {
            assert_eq!(algorithm.sign(&secret(), body.as_bytes()), expected);
            assert!(algorithm.verifies(&secret(), body.as_bytes(), &hex::decode(expected).unwrap()));
        }
    }

    #[test]
    fn the_prefix_chooses_the_hash_and_sha1_needs_permission() {
        let check = |header: &str, allow_sha1| check_prefixed(header, &secret(), b"{}", allow_sha1);
        let sha256 = "de2e1764aa285bef796c9abeea4ce4c87d9b70cbf55fd03e5ba3b11f76f7e500";
        let sha1 = "79282d83a221a7ea020fbf99bf0699511b46f0a5";
        assert_eq!(check(&format!("sha256={sha256}"), false), Ok(()));
        assert_eq!(check(&format!("sha256={}", sha256.to_uppercase()), false), Ok(()));
        assert_eq!(check("", false), Err(Rejection::Unauthorized("missing signature")));
        for wrong in [sha256.to_owned(), format!("SHA256={sha256}"), format!("sha1={sha256}"), "sha256=zz".to_owned()] {
            assert_eq!(check(&wrong, true), Err(Rejection::Unauthorized("unauthorized")), "{wrong}");
        }
        assert_eq!(check(&format!("sha1={sha1}"), true), Ok(()));
        assert!(matches!(check(&format!("sha1={sha1}"), false), Err(Rejection::Unauthorized(_))));
    }
}
