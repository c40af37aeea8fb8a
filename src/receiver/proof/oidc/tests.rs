//! Tokens are signed here with a key that is made for the occasion.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::json;

use super::*;
use crate::domain::secret::Secret;
use crate::domain::small_map::SmallMap;

const AUDIENCE_VALUE: &str = "https://hooks.example.com/artifactregistry";
const EMAIL_VALUE: &str = "pusher@northwind.iam.gserviceaccount.com";

static KEY: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The set of keys that holds the public one, which is `SEQUENCE { INTEGER modulus, INTEGER exponent }`.
fn jwks() -> Value {
    let der = KEY.public_key().as_ref();
    let (modulus, exponent) = (&der[der.len() - 261..der.len() - 5], &der[der.len() - 3..]);
    let rsa =
        json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "k1", "n": encoded(modulus), "e": encoded(exponent)});
    json!({"keys": [{"kty": "EC", "kid": "k0", "crv": "P-256"}, rsa]})
}

fn from(values: &[(&str, &str)]) -> Result<Option<Oidc>, OidcError> {
    let value = |(key, value): &(&str, &str)| ((*key).into(), Secret::new(value.as_bytes().to_vec()));
    let data: SmallMap<Secret> = values.iter().map(value).collect();
    Oidc::from_secret(|key| data.get(key))
}

pub(in crate::receiver) fn oidc() -> Oidc {
    let jwks = jwks().to_string();
    from(&[(JWKS, &jwks), (AUDIENCE, &format!("{AUDIENCE_VALUE}\n")), (EMAIL, EMAIL_VALUE)]).unwrap().unwrap()
}

/// Claims that are good in May 2026.
pub(in crate::receiver) fn claims() -> Value {
    let at = |text: &str| text.parse::<Timestamp>().unwrap().as_second();
    json!({
        "iss": "https://accounts.google.com", "aud": AUDIENCE_VALUE, "email": EMAIL_VALUE, "email_verified": true,
        "sub": "1", "iat": at("2026-05-04T07:00:00Z"), "exp": at("2026-05-04T08:00:00Z"),
    })
}

fn signed(header: &Value, claims: &Value) -> String {
    let signed = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
    let mut signature = vec![0; KEY.public_modulus_len()];
    KEY.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", encoded(signature))
}

pub(in crate::receiver) fn token(claims: &Value) -> String {
    signed(&json!({"alg": "RS256", "kid": "k1", "typ": "JWT"}), claims)
}

fn verify_at(now: &str, token: &str) -> Result<(), Rejection> {
    oidc().verify(&format!("Bearer {token}"), now.parse().unwrap())
}

fn verify(token: &str) -> Result<(), Rejection> {
    verify_at("2026-05-04T07:15:32Z", token)
}

#[test]
fn a_genuine_token_is_accepted() {
    assert_eq!(verify(&token(&claims())), Ok(()));
    let mut short = claims();
    short["iss"] = "accounts.google.com".into();
    assert_eq!(verify(&token(&short)), Ok(()));
}

#[test]
fn a_token_for_or_from_somebody_else_is_refused() {
    for (name, value) in [
        ("iss", json!("https://accounts.example.com")),
        ("aud", json!("https://elsewhere.example.com")),
        ("aud", json!([AUDIENCE_VALUE])),
        ("email", json!("mallory@northwind.iam.gserviceaccount.com")),
        ("email_verified", json!(false)),
        ("email_verified", json!("true")),
        ("exp", json!(null)),
        ("exp", json!("tomorrow")),
        ("exp", json!(i64::MAX)),
    ] {
        let mut claims = claims();
        claims[name] = value.clone();
        assert_eq!(verify(&token(&claims)), Err(UNAUTHORIZED), "{name} {value}");
    }
}

#[test]
fn a_token_counts_from_its_beginning_to_its_end_and_a_minute_around() {
    let out_of_date = Err(Rejection::Unauthorized("the token is out of date"));
    let mut claims = claims();
    claims["nbf"] = claims["iat"].clone();
    let token = token(&claims);
    assert_eq!(verify_at("2026-05-04T08:01:00Z", &token), Ok(()));
    assert_eq!(verify_at("2026-05-04T08:01:01Z", &token), out_of_date);
    assert_eq!(verify_at("2026-05-04T06:59:00Z", &token), Ok(()));
    assert_eq!(verify_at("2026-05-04T06:58:59Z", &token), out_of_date);
    assert_eq!(verify_at("9999-12-30T00:00:00Z", &token), out_of_date);
}

#[test]
fn a_changed_foreign_or_unsigned_token_is_refused() {
    let good = token(&claims());
    let (rest, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = rest.split_once('.').unwrap();
    let mut other = claims();
    other["sub"] = "2".into();
    let none = encoded(r#"{"alg":"none","kid":"k1"}"#);
    for wrong in [
        format!("{header}.{}.{signature}", encoded(other.to_string())),
        format!("{header}.{payload}."),
        format!("{header}.{payload}"),
        format!("{none}.{payload}."),
        format!("{none}.{payload}.{signature}"),
        format!("{header}.{payload}.{signature}="),
        signed(&json!({"alg": "RS512", "kid": "k1"}), &claims()),
        signed(&json!({"alg": "HS256", "kid": "k1"}), &claims()),
        signed(&json!({"alg": "RS256"}), &claims()),
        signed(&json!({"alg": "RS256", "kid": "k1", "crit": ["b64"]}), &claims()),
        "..".to_owned(),
        String::new(),
    ] {
        assert_eq!(verify(&wrong), Err(UNAUTHORIZED), "{wrong}");
    }
    let unknown = verify(&signed(&json!({"alg": "RS256", "kid": "k0"}), &claims()));
    assert!(matches!(unknown, Err(Rejection::Unauthorized(text)) if text.contains("oidc-jwks")));
    for header in ["", "Basic eDp5", "bearer x", &good] {
        let refused = oidc().verify(header, Timestamp::UNIX_EPOCH);
        assert_eq!(refused, Err(Rejection::Unauthorized("missing token")), "{header}");
    }
}

#[test]
fn a_secret_says_all_about_tokens_or_nothing() {
    let jwks = jwks().to_string();
    assert!(from(&[("secret", "x")]).unwrap().is_none());
    let read = |values: &[(&str, &str)]| from(values).err();
    assert_eq!(read(&[(JWKS, &jwks), (AUDIENCE, "a")]), Some(OidcError::Missing(EMAIL)));
    assert_eq!(read(&[(EMAIL, "e")]), Some(OidcError::Missing(JWKS)));
    assert_eq!(read(&[(JWKS, &jwks), (AUDIENCE, " \n"), (EMAIL, "e")]), Some(OidcError::Missing(AUDIENCE)));
    let short = json!({"keys": [{"kty": "RSA", "kid": "k", "n": encoded([1; 128]), "e": "AQAB"}]}).to_string();
    for unusable in ["{}", "x", "[]", r#"{"keys":[{"kty":"EC"}]}"#, &short] {
        assert_eq!(read(&[(JWKS, unusable), (AUDIENCE, "a"), (EMAIL, "e")]), Some(OidcError::NoKeys), "{unusable}");
    }
}
