//! OpenID Connect tokens of Google's service accounts, verified offline against keys that the configuration holds.
//!
//! Only what Pub/Sub sends is understood: a compact JWT, signed RS256. Nothing is ever fetched: when Google changes its
//! keys, the Secret needs the new ones.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::domain::secret::Secret;
use crate::receiver::Rejection;

/// How far the clocks of Google and of this host may be apart.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// Both are in use.
const ISSUERS: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];

const UNAUTHORIZED: Rejection = Rejection::Unauthorized("unauthorized");

/// What a token has to be.
#[derive(Clone)]
pub struct Oidc {
    keys: Vec<Key>,
    audience: String,
    email: String,
}

/// A public RSA key, as big-endian bytes.
#[derive(Clone)]
struct Key {
    id: String,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

/// Why a Secret does not say what a token has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OidcError {
    /// Some of the keys are there, and this one is not, or is empty.
    #[error(
        r#"the key "{0}" is missing or empty; verifying tokens takes "{JWKS}", "{AUDIENCE}" and "{EMAIL}", all three"#
    )]
    Missing(&'static str),
    /// The set of keys cannot be used.
    #[error(
        r#"the key "{JWKS}" is not a JSON Web Key Set with at least one RSA key of 2048 bits or more and its "kid""#
    )]
    NoKeys,
}

/// The key of the Secret with Google's public keys, as <https://www.googleapis.com/oauth2/v3/certs> has them.
pub const JWKS: &str = "oidc-jwks";

/// The key of the Secret with the audience that the subscription is configured with.
pub const AUDIENCE: &str = "oidc-audience";

/// The key of the Secret with the service account that the subscription is configured with. Anyone can get a token for
/// any audience, so the account is required, too.
pub const EMAIL: &str = "oidc-email";

impl Oidc {
    /// Reads a Secret's data, given by key; `None` when it has none of [`JWKS`], [`AUDIENCE`] and [`EMAIL`]. White
    /// space around values does not count.
    ///
    /// # Errors
    /// [`OidcError`] when it has some of them, or keys that cannot be used.
    pub fn from_secret<'d>(data: impl Fn(&str) -> Option<&'d Secret>) -> Result<Option<Self>, OidcError> {
        if ![JWKS, AUDIENCE, EMAIL].iter().any(|key| data(key).is_some()) {
            return Ok(None);
        }
        let value = |key| {
            let value = data(key).map(|value| value.expose().trim_ascii()).unwrap_or_default();
            if value.is_empty() {
                Err(OidcError::Missing(key))
            } else {
                Ok(String::from_utf8_lossy(value).into_owned())
            }
        };
        let keys = keys(&value(JWKS)?);
        if keys.is_empty() {
            return Err(OidcError::NoKeys);
        }
        Ok(Some(Self { keys, audience: value(AUDIENCE)?, email: value(EMAIL)? }))
    }

    /// Verifies the value of an `Authorization` header.
    ///
    /// # Errors
    /// 401 when it holds no token, or one that is not genuine, not for us, or out of date.
    pub fn verify(&self, authorization: &str, now: Timestamp) -> Result<(), Rejection> {
        let token = authorization.strip_prefix("Bearer ").ok_or(Rejection::Unauthorized("missing token"))?;
        let (signed, signature) = token.rsplit_once('.').ok_or(UNAUTHORIZED)?;
        let (header, claims) = signed.split_once('.').ok_or(UNAUTHORIZED)?;
        self.verify_signature(&decoded::<Header>(header)?, signed, signature)?;
        self.verify_claims(&decoded(claims)?, now)
    }

    fn verify_signature(&self, header: &Header, signed: &str, signature: &str) -> Result<(), Rejection> {
        // What "crit" names must be understood, and there is nothing of that kind here.
        if header.alg != "RS256" || header.crit.is_some() {
            return Err(UNAUTHORIZED);
        }
        let key = self.keys.iter().find(|key| key.id == header.kid);
        let key = key.ok_or(Rejection::Unauthorized("the token is signed with a key that oidc-jwks does not hold"))?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|_| UNAUTHORIZED)?;
        let Key { modulus, exponent, .. } = key;
        RsaPublicKeyComponents { n: modulus, e: exponent }
            .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature)
            .map_err(|_| UNAUTHORIZED)
    }

    fn verify_claims(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<(), Rejection> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        let is_ours = ISSUERS.contains(&text("iss"))
            && text("aud") == self.audience
            && text("email") == self.email
            && claims.get("email_verified") == Some(&Value::Bool(true));
        if !is_ours {
            return Err(UNAUTHORIZED);
        }
        let time = |name: &str| claims.get(name).and_then(Value::as_i64).and_then(|at| Timestamp::from_second(at).ok());
        let expires = time("exp").ok_or(UNAUTHORIZED)?;
        // Both differences fit: a timestamp is far from the limits of a duration.
        let is_late = now.duration_since(expires) > SKEW;
        let is_early = time("nbf").is_some_and(|from| from.duration_since(now) > SKEW);
        if is_late || is_early {
            return Err(Rejection::Unauthorized("the token is out of date"));
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
    crit: Option<Value>,
}

fn decoded<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, Rejection> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| UNAUTHORIZED)?;
    serde_json::from_slice(&bytes).map_err(|_| UNAUTHORIZED)
}

/// The RSA keys of a set; other keys are left out.
fn keys(set: &str) -> Vec<Key> {
    let set: Value = serde_json::from_str(set).unwrap_or_default();
    let key = |key: &Value| {
        let text = |name: &str| key[name].as_str();
        let number = |name: &str| BASE64_URL_SAFE_NO_PAD.decode(text(name)?).ok();
        let usable = text("kty")? == "RSA" && matches!(text("use"), None | Some("sig"));
        let (modulus, exponent) = (number("n")?, number("e")?);
        (usable && modulus.len() >= 256 && !exponent.is_empty()).then_some(Key {
            id: text("kid")?.to_owned(),
            modulus,
            exponent,
        })
    };
    set["keys"].as_array().into_iter().flatten().filter_map(key).collect()
}

#[cfg(test)]
pub(in crate::receiver) mod tests;
