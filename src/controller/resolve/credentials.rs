//! What a receiver's Secret says beyond its secret: credentials that are demanded, and the secret before: pure.

use jiff::Timestamp;

use crate::api::Entry;
use crate::api::receiver::KeyRef;
use crate::controller::secrets::SecretData;
use crate::domain::kind::ReceiverKind;
use crate::domain::owner::Owner;
use crate::domain::secret::Secret;
use crate::receiver::proof::credentials::{AUTH_HEADER, BASIC_AUTH, BODY_TOKEN, CLIENT_CERTIFICATE, Credentials};

/// Reads the credentials that senders of a receiver have to present. White space at the end of a value does not count:
/// files have a newline there.
///
/// # Errors
/// The text for a person: a key that is named and missing, an empty value, a credential that the kind cannot check. A
/// receiver is rather not served than served without what protects it.
pub(super) fn credentials(
    owner: &Owner,
    entry: &Entry,
    kind: ReceiverKind,
    data: &SecretData,
) -> Result<Credentials, String> {
    let named = entry.spec.authentication.clone().unwrap_or_default();
    let is_harbor = kind == ReceiverKind::Harbor;
    // To Kargo that key is Harbor's secret, which the kind itself checks, and other receivers may share the Secret.
    let has_auth_header = !is_harbor && !owner.is_kargos();
    let credentials = Credentials {
        basic_auth: value(data, named.basic_auth.as_ref(), BASIC_AUTH)?,
        body_token: value(data, named.body_token.as_ref(), BODY_TOKEN)?,
        client_certificate: value(data, named.client_certificate.as_ref(), CLIENT_CERTIFICATE)?,
        auth_header: if has_auth_header { value(data, named.auth_header.as_ref(), AUTH_HEADER)? } else { None },
    };
    if is_harbor && credentials.basic_auth.is_some() {
        return Err(format!(
            r#"the key "{BASIC_AUTH}" cannot be demanded of Harbor, whose header Authorization is its secret; remove it"#
        ));
    }
    if credentials.body_token.is_some() && kind != ReceiverKind::Quay {
        return Err(format!(r#"the key "{BODY_TOKEN}" can be demanded of Quay only; remove it"#));
    }
    Ok(credentials)
}

fn value(data: &SecretData, named: Option<&KeyRef>, default: &str) -> Result<Option<Secret>, String> {
    let key = named.and_then(|named| named.key.as_deref()).unwrap_or(default);
    match data.get(key).map(|value| value.expose().trim_ascii_end()) {
        Some([]) => {
            Err(format!(r#"the key "{key}" is empty, so no sender could present it; give it a value or remove it"#))
        }
        Some(value) => Ok(Some(Secret::new(value.to_vec()))),
        None if named.is_some() => Err(format!(r#"the key "{key}" is missing, which spec.authentication names"#)),
        None => Ok(None),
    }
}

/// The secret before the current one, whose URL stays alive beside the new one.
pub(super) struct Previous {
    /// The secret.
    pub(super) secret: Secret,
    /// When it stops to count; `None` for as long as it is there.
    pub(super) until: Option<Timestamp>,
    /// What is wrong with the expiry, for a person. The old URL then stays, because an outage would be worse.
    pub(super) mistake: Option<String>,
}

/// Reads `<key>.previous` and `<key>.previous-until`. An empty secret, or one equal to the current one, does not count.
pub(super) fn previous(kind: ReceiverKind, data: &SecretData) -> Option<Previous> {
    let key = kind.secret_key();
    let secret = data.get(&format!("{key}.previous")).filter(|secret| !secret.is_empty())?;
    if data.get(key).is_some_and(|current| current.verify_eq(secret.expose())) {
        return None;
    }
    let until_key = format!("{key}.previous-until");
    let until = data.get(&until_key).map(|value| String::from_utf8_lossy(value.expose().trim_ascii()).into_owned());
    let (until, mistake) = match until.as_deref().map(str::parse::<Timestamp>) {
        None => (None, None),
        Some(Ok(until)) => (Some(until), None),
        Some(Err(_)) => {
            let mistake = format!(
                r#"the key "{until_key}" is not a time such as 2026-12-31T23:59:59Z, so the previous secret does not expire"#
            );
            (None, Some(mistake))
        }
    };
    Some(Previous { secret: secret.clone(), until, mistake })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::scope::ObjectKey;

    fn own() -> Owner {
        Owner::Receiver(ObjectKey::new("northwind", "quay"))
    }

    fn data(pairs: &[(&str, &str)]) -> SecretData {
        pairs.iter().map(|(key, value)| ((*key).into(), Secret::new(value.as_bytes().to_vec()))).collect()
    }

    fn entry(authentication: &serde_json::Value) -> Entry {
        let spec = json!({"quay": {"secretRef": {"name": "s"}}, "authentication": authentication});
        Entry::decode_receiver("quay", &spec).unwrap()
    }

    #[test]
    fn a_key_counts_by_its_default_name_or_the_one_that_is_given_and_a_newline_at_its_end_does_not() {
        let plain = entry(&json!(null));
        let found = credentials(&own(), &plain, ReceiverKind::Quay, &data(&[("basic-auth", "u:p\n")])).unwrap();
        assert!(found.basic_auth.unwrap().verify_eq(b"u:p"));
        let named = entry(&json!({"bodyToken": {"key": "token"}}));
        let found =
            credentials(&own(), &named, ReceiverKind::Quay, &data(&[("token", "t"), ("body-token", "x")])).unwrap();
        assert!(found.body_token.unwrap().verify_eq(b"t"));
        assert!(found.basic_auth.is_none() && found.auth_header.is_none() && found.client_certificate.is_none());
    }

    #[test]
    fn what_cannot_be_demanded_is_reported_and_never_left_out() {
        let plain = entry(&json!(null));
        let message =
            |entry: &Entry, kind, pairs: &[(&str, &str)]| credentials(&own(), entry, kind, &data(pairs)).err().unwrap();
        assert!(message(&plain, ReceiverKind::Quay, &[("basic-auth", "\n")]).contains("is empty"));
        assert!(message(&plain, ReceiverKind::GitHub, &[("body-token", "t")]).contains("Quay only"));
        assert!(message(&plain, ReceiverKind::Harbor, &[("basic-auth", "u:p")]).contains("Harbor"));
        assert!(
            message(&entry(&json!({"authHeader": {}})), ReceiverKind::Quay, &[])
                .contains(r#""auth-header" is missing"#)
        );
        // For Harbor, and for Kargo's objects, that key is Harbor's secret.
        let projects = Owner::ProjectConfig("northwind".into());
        let pairs = data(&[("auth-header", "x")]);
        assert!(credentials(&projects, &plain, ReceiverKind::Quay, &pairs).unwrap().auth_header.is_none());
        assert!(credentials(&own(), &plain, ReceiverKind::Quay, &pairs).unwrap().auth_header.is_some());
        assert!(
            credentials(&own(), &plain, ReceiverKind::Harbor, &data(&[("auth-header", "x")]))
                .unwrap()
                .auth_header
                .is_none()
        );
    }

    #[test]
    fn the_previous_secret_may_expire_and_a_wrong_date_does_not_end_it() {
        let of = |pairs: &[(&str, &str)]| previous(ReceiverKind::GitLab, &data(pairs));
        assert!(of(&[("secret-token", "new")]).is_none());
        assert!(of(&[("secret-token", "new"), ("secret-token.previous", "")]).is_none());
        assert!(of(&[("secret-token", "same"), ("secret-token.previous", "same")]).is_none());
        let plain = of(&[("secret-token", "new"), ("secret-token.previous", "old")]).unwrap();
        assert!(plain.secret.verify_eq(b"old") && plain.until.is_none() && plain.mistake.is_none());
        let with = |until| of(&[("secret-token.previous", "old"), ("secret-token.previous-until", until)]).unwrap();
        assert_eq!(with("2026-12-31T23:59:59Z\n").until.unwrap().to_string(), "2026-12-31T23:59:59Z");
        assert!(with("soon").until.is_none() && with("soon").mistake.unwrap().contains("previous-until"));
    }
}
