//! OpenID Connect tokens: a set of keys in the first line, a token in the second.
#![no_main]

use std::collections::BTreeMap;

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use quayside::domain::secret::Secret;
use quayside::receiver::proof::oidc::{AUDIENCE, EMAIL, JWKS, Oidc};
use quayside_fuzz::within_budget;

/// A key of the right form, so that tokens are reached whatever the first line holds.
const KEYS: &str = r#"{"keys":[{"kty":"RSA","use":"sig","kid":"k","e":"AQAB","n":"MODULUS"}]}"#;

fuzz_target!(|text: &str| {
    let (keys, token) = text.split_once('\n').unwrap_or(("", text));
    let own = KEYS.replace("MODULUS", &"_".repeat(342));
    within_budget(text.len(), || {
        for keys in [keys, &own] {
            let data = [(JWKS, keys), (AUDIENCE, "audience"), (EMAIL, "someone@example.com")];
            let data: BTreeMap<String, Secret> =
                data.into_iter().map(|(key, value)| (key.to_owned(), Secret::new(value.as_bytes().to_vec()))).collect();
            if let Ok(Some(oidc)) = Oidc::from_secret(|key| data.get(key)) {
                // Nobody can sign for these keys.
                assert!(oidc.verify(token, Timestamp::UNIX_EPOCH).is_err());
                assert!(oidc.verify(&format!("Bearer {token}"), Timestamp::UNIX_EPOCH).is_err());
            }
        }
    });
});
