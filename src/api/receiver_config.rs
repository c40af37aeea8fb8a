//! One entry of `spec.webhookReceivers`: its name, its kind and that kind's settings. The contract is Kargo's CRD for
//! the fields and Kargo's admission webhook for what it refuses.
//!
//! Owns the schema of an entry and of the list; `decode` owns how a stored list is read.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::kinds::{KargoKinds, which_are_set};
use crate::domain::kind::ReceiverKind;

/// The most receivers one object may list. Go's types have no limit; the CEL rules need one to have a bounded cost.
const MAX_RECEIVERS: u32 = 256;

/// One webhook receiver: its name and exactly one of the other fields, which is its kind. Example:
/// `{"name": "quay", "quay": {"secretRef": {"name": "quay-webhook"}}}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true, "x-kubernetes-validations" = entry_rules()))]
pub struct ReceiverConfig {
    /// The name of the receiver, unique in this list. It is part of what the URL is derived from, so renaming a
    /// receiver changes its URL. Lower-case letters, digits, `-` and `.`, starting and ending with a letter or digit,
    /// at most 253 characters; example: `quay`.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub name: String,

    /// Its kind and that kind's settings.
    #[serde(flatten)]
    pub kinds: KargoKinds,
}

/// Schema of the list: plain and atomic as Kargo's, with names that differ. (To name the two in the message would cost
/// the API server more than it allows.)
pub(super) fn list_schema(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": MAX_RECEIVERS,
        "items": generator.subschema_for::<ReceiverConfig>(),
        "x-kubernetes-validations": [{
            "rule": "self.all(a, self.exists_one(b, b.name == a.name))",
            "message": "two webhook receivers have the same name; give each receiver a name of its own",
        }],
    })
}

/// What Kargo's admission webhook checks on one entry.
fn entry_rules() -> Value {
    let kinds = ReceiverKind::list(&ReceiverKind::KARGO);
    json!([
        {
            "rule": format!("{}.exists(set, set)", which_are_set(&ReceiverKind::KARGO)),
            "message": format!("the webhook receiver has no kind; set one of {kinds}"),
        },
        {
            "rule": format!("{}.filter(set, set).size() < 2", which_are_set(&ReceiverKind::KARGO)),
            "message": format!("the webhook receiver has more than one kind; set only one of {kinds}, \
                                and list another receiver with a name of its own for each other kind"),
        },
    ])
}
