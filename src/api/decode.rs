//! Tolerant decoding of receivers. Those of one list are decoded one by one, so that one that is odd (past admission,
//! or written for a newer Kargo) is an error of its own and the others are served. The contract for what is odd is Go's
//! decoding of Kargo's types: unknown fields are ignored, wrong types are errors.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::receiver::ReceiverSpec;
use super::receiver_config::ReceiverConfig;
use super::secret_ref::SecretRef;
use crate::domain::kind::ReceiverKind;

/// A receiver, whichever object declares it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its name: that of the entry in a list, or of the object.
    pub name: String,
    /// Its kind and settings. What Kargo's objects cannot say is left at its default.
    pub spec: ReceiverSpec,
}

/// Why a receiver could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("spec.webhookReceivers[{index}]: {cause}")]
pub struct EntryError {
    /// Its place in the list; 0 for an object that is one receiver.
    pub index: usize,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// What is wrong with it. Never shows a value of the entry, which might be a secret in the wrong place.
    pub cause: String,
}

impl From<ReceiverConfig> for Entry {
    fn from(ReceiverConfig { name, kinds }: ReceiverConfig) -> Self {
        Self { name, spec: ReceiverSpec { kargo: kinds, ..ReceiverSpec::default() } }
    }
}

impl Entry {
    /// Decodes `spec.webhookReceivers` of a `ProjectConfig`'s or `ClusterConfig`'s spec, each entry on its own.
    #[must_use]
    pub fn decode_list(spec: &Value) -> Vec<Result<Self, EntryError>> {
        ReceiverConfig::decode_list(spec).into_iter().map(|entry| entry.map(Self::from)).collect()
    }

    /// Decodes the spec of a `Receiver` or `ClusterReceiver` of that name.
    ///
    /// # Errors
    /// When a member has a type that it cannot have, or when the only kind is one that we do not know.
    pub fn decode_receiver(name: &str, spec: &Value) -> Result<Self, EntryError> {
        let fail = |cause| EntryError { index: 0, name: Some(name.to_owned()), cause };
        let empty = Map::new();
        let fields = match spec {
            Value::Null => &empty,
            Value::Object(fields) => fields,
            _ => return Err(fail("spec is not an object".to_owned())),
        };
        let alone = |(key, value): (&String, &Value)| {
            let error = ReceiverSpec::deserialize(&json!({key: value})).err()?;
            Some(format!("{key}: {}", without_value(&error.to_string())))
        };
        let spec = ReceiverSpec::deserialize(fields).map_err(|error| {
            fail(fields.iter().find_map(alone).unwrap_or_else(|| without_value(&error.to_string())))
        })?;
        let settings = ["registryHost", "hostAliases", "allowSHA1Signatures", "authentication"];
        let unknown: Vec<_> = fields.keys().map(String::as_str).filter(|key| !settings.contains(key)).collect();
        if spec.secrets().next().is_none() && !unknown.is_empty() {
            let (unknown, known) = (unknown.join(", "), ReceiverKind::list(&ReceiverKind::ALL));
            return Err(fail(format!("unknown receiver kind {unknown}; known kinds are {known}")));
        }
        Ok(Self { name: name.to_owned(), spec })
    }

    /// The kinds it sets. A valid receiver has exactly one; when it sets several, the first counts.
    #[must_use]
    pub fn kinds(&self) -> Vec<ReceiverKind> {
        self.spec.secrets().map(|(kind, _)| kind).collect()
    }

    /// The kind that counts; `None` when the receiver sets none.
    #[must_use]
    pub fn kind(&self) -> Option<ReceiverKind> {
        self.spec.secrets().next().map(|(kind, _)| kind)
    }

    /// The name of the Secret, which may be empty; `None` when the receiver sets no kind.
    #[must_use]
    pub fn secret_name(&self) -> Option<&str> {
        self.spec.secrets().next().map(|(_, SecretRef { name })| name.as_str())
    }
}

impl ReceiverConfig {
    /// Decodes `spec.webhookReceivers` of a `ProjectConfig`'s or `ClusterConfig`'s spec, each entry on its own. Fields
    /// we do not know are ignored beside a kind we know; alone they are an error that names them.
    ///
    /// ```
    /// # use quayside::api::ReceiverConfig;
    /// let spec = serde_json::json!({"webhookReceivers": [
    ///     {"name": "new", "forge": {"secretRef": {"name": "s"}}},
    ///     {"name": "quay", "quay": {"secretRef": {"name": "s"}}},
    /// ]});
    /// let entries = ReceiverConfig::decode_list(&spec);
    /// assert!(entries[0].as_ref().is_err_and(|e| e.cause.contains("unknown receiver kind forge")));
    /// assert!(entries[1].as_ref().is_ok_and(|r| r.kinds.secrets().any(|(kind, secret)| kind.as_str() == "quay" &&
    /// secret.name == "s")));
    /// ```
    #[must_use]
    pub fn decode_list(spec: &Value) -> Vec<Result<Self, EntryError>> {
        Self::decode_entries(spec.get("webhookReceivers"))
    }

    /// As [`Self::decode_list`], from the list itself.
    #[must_use]
    pub fn decode_entries(list: Option<&Value>) -> Vec<Result<Self, EntryError>> {
        match list {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(entries)) => {
                entries.iter().enumerate().map(|(index, entry)| Self::decode(index, entry)).collect()
            }
            Some(_) => {
                vec![Err(EntryError { index: 0, name: None, cause: "webhookReceivers is not a list".to_owned() })]
            }
        }
    }

    fn decode(index: usize, entry: &Value) -> Result<Self, EntryError> {
        let name = entry.get("name").and_then(Value::as_str).map(str::to_owned);
        let fail = |cause| EntryError { index, name: name.clone(), cause };
        let Value::Object(fields) = entry else {
            return Err(fail("the entry is not an object".to_owned()));
        };
        let config = Self::deserialize(entry).map_err(|error| fail(locate(entry, &error)))?;
        let is_known = |key: &str| key == "name" || ReceiverKind::KARGO.iter().any(|kind| kind.as_str() == key);
        let unknown: Vec<_> = fields.keys().map(String::as_str).filter(|key| !is_known(key)).collect();
        if config.kinds.secrets().next().is_none() && !unknown.is_empty() {
            let (unknown, known) = (unknown.join(", "), ReceiverKind::list(&ReceiverKind::KARGO));
            return Err(fail(format!("unknown receiver kind {unknown}; known kinds are {known}")));
        }
        Ok(config)
    }
}

/// Says which field of the entry an error is about, and leaves out the value that serde puts into it.
fn locate(entry: &Value, error: &serde_json::Error) -> String {
    let alone = |kind: ReceiverKind| {
        let settings = entry.get(kind.as_str())?;
        let error = ReceiverConfig::deserialize(&json!({"name": "", kind.as_str(): settings})).err()?;
        Some((kind, error))
    };
    match ReceiverKind::KARGO.into_iter().find_map(alone) {
        Some((kind, error)) => format!("{kind}: {}", without_value(&error.to_string())),
        None => without_value(&error.to_string()),
    }
}

/// `invalid type: string "hunter2", expected struct X` → `invalid type: string, expected struct X`.
fn without_value(message: &str) -> String {
    let value = message.find(['"', '`']).filter(|_| message.starts_with("invalid "));
    match (value, message.rfind(", expected ")) {
        (Some(start), Some(end)) if start < end => {
            format!("{}{}", message[..start].trim_end(), &message[end..])
        }
        _ => message.to_owned(),
    }
}
