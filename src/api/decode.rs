//! Tolerant decoding of `spec.webhookReceivers`. Entries are decoded one by one, so that one that is odd (past admission,
//! or written for a newer Kargo) is an error of its own and the others are served. The contract for what is odd is Go's
//! decoding of Kargo's types: unknown fields are ignored, wrong types are errors.

use serde::Deserialize as _;
use serde_json::{Value, json};

use super::receiver_config::{KINDS, ReceiverConfig};

/// Why one entry of `spec.webhookReceivers` could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("spec.webhookReceivers[{index}]: {cause}")]
pub struct EntryError {
    /// Its place in the list.
    pub index: usize,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// What is wrong with it. Never shows a value of the entry, which might be a secret in the wrong place.
    pub cause: String,
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
    /// assert!(entries[1].as_ref().is_ok_and(|r| r.kinds() == ["quay"] && r.secret_name() == Some("s")));
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
        let unknown: Vec<_> =
            fields.keys().map(String::as_str).filter(|k| *k != "name" && !KINDS.contains(k)).collect();
        if config.secrets().next().is_none() && !unknown.is_empty() {
            let (unknown, known) = (unknown.join(", "), KINDS.join(", "));
            return Err(fail(format!("unknown receiver kind {unknown}; known kinds are {known}")));
        }
        Ok(config)
    }
}

/// Says which field of the entry an error is about, and leaves out the value that serde puts into it.
fn locate(entry: &Value, error: &serde_json::Error) -> String {
    let alone = |kind: &'static str| {
        let settings = entry.get(kind)?;
        let error = ReceiverConfig::deserialize(&json!({"name": "", kind: settings})).err()?;
        Some((kind, error))
    };
    match KINDS.into_iter().find_map(alone) {
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
