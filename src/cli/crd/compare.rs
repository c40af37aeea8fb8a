//! What changes when a definition takes the place of another one, and what of that must not happen.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionVersion,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::change::{Change, Danger, How, Part, change, difference, says_nothing};
use super::schema;
use crate::api;

/// What becomes other when `new` takes the place of `old`. Empty when they are the same to the API server.
pub(in crate::cli) fn changes(old: &CustomResourceDefinition, new: &CustomResourceDefinition) -> Vec<Change> {
    let mut changes = Vec::new();
    if old.spec.scope != new.spec.scope {
        changes.push(change(Part::Scope, How::Changed, "", format!("{} -> {}", old.spec.scope, new.spec.scope)));
    }
    let (old_names, new_names) = (names(old), names(new));
    if old_names != new_names {
        changes.push(change(Part::Names, How::Changed, "", difference(&old_names, &new_names)));
    }
    let conversion = |of: &CustomResourceDefinition| match &of.spec.conversion {
        Some(conversion) => members(conversion),
        None => members(&json!({"strategy": "None"})),
    };
    if conversion(old) != conversion(new) {
        let detail = difference(&conversion(old), &conversion(new));
        changes.push(change(Part::Conversion, How::Changed, "", detail));
    }
    let version = |of: &CustomResourceDefinition| -> BTreeMap<String, CustomResourceDefinitionVersion> {
        of.spec.versions.iter().map(|version| (version.name.clone(), version.clone())).collect()
    };
    let (old_versions, new_versions) = (version(old), version(new));
    for name in old_versions.keys().filter(|name| !new_versions.contains_key(*name)) {
        changes.push(change(Part::Version, How::Removed, name, ""));
    }
    for (name, new) in &new_versions {
        match old_versions.get(name) {
            None => changes.push(change(Part::Version, How::Added, name, "")),
            Some(old) => compare_version(&mut changes, old, new),
        }
    }
    changes
}

fn compare_version(
    changes: &mut Vec<Change>,
    old: &CustomResourceDefinitionVersion,
    new: &CustomResourceDefinitionVersion,
) {
    let version = &new.name;
    let rest = |of: &CustomResourceDefinitionVersion| {
        let mut rest = members(of);
        rest.retain(|key, _| !["schema", "additionalPrinterColumns"].contains(&key.as_str()));
        rest
    };
    if rest(old) != rest(new) {
        changes.push(change(Part::Version, How::Changed, version, difference(&rest(old), &rest(new))));
    }
    let columns = |of: &CustomResourceDefinitionVersion| -> Vec<(String, Map<String, Value>)> {
        let columns = of.additional_printer_columns.iter().flatten();
        columns.map(|column| (column.name.clone(), members(column))).collect()
    };
    let (old_columns, new_columns) = (columns(old), columns(new));
    let of_name = |columns: &[(String, Map<String, Value>)], name: &str| {
        columns.iter().find(|(other, _)| other == name).map(|(_, column)| column.clone())
    };
    for (name, _) in old_columns.iter().filter(|(name, _)| of_name(&new_columns, name).is_none()) {
        changes.push(change(Part::Column, How::Removed, format!("{version} {name}"), ""));
    }
    for (name, column) in &new_columns {
        let named = format!("{version} {name}");
        match of_name(&old_columns, name) {
            None => changes.push(change(Part::Column, How::Added, named, "")),
            Some(old) if old != *column => {
                changes.push(change(Part::Column, How::Changed, named, difference(&old, column)));
            }
            Some(_) => {}
        }
    }
    let schema = |of: &CustomResourceDefinitionVersion| {
        let schema = of.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
        serde_json::to_value(schema).unwrap_or_default()
    };
    changes.extend(schema::changes(version, &schema(old), &schema(new)));
}

/// The members that say something, as the API server keeps them.
fn members(of: &impl Serialize) -> Map<String, Value> {
    let mut members = match serde_json::to_value(of) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    };
    // The priority of a column is 0 unless it has another one.
    members.retain(|key, value| !says_nothing(value) && (key != "priority" || *value != 0));
    members
}

/// The names, with those that the API server fills in.
fn names(of: &CustomResourceDefinition) -> Map<String, Value> {
    let mut names = of.spec.names.clone();
    names.singular.get_or_insert_with(|| names.kind.to_lowercase());
    names.list_kind.get_or_insert_with(|| format!("{}List", names.kind));
    members(&names)
}

/// Whether objects can be read in the version that Quayside reads.
pub(in crate::cli) fn is_served(definition: &CustomResourceDefinition) -> bool {
    serves(definition, api::VERSION)
}

fn serves(definition: &CustomResourceDefinition, version: &str) -> bool {
    definition.spec.versions.iter().any(|it| it.name == version && it.served)
}

/// What must not happen when `new` takes the place of `old`.
pub(super) fn dangers(
    old: &CustomResourceDefinition,
    new: &CustomResourceDefinition,
    changes: &[Change],
) -> Vec<Danger> {
    let mut dangers = Vec::new();
    let name = old.metadata.name.as_deref().unwrap_or_default();
    let has = |version: &str| new.spec.versions.iter().any(|it| it.name == version);
    let wanted = new.spec.versions.iter().find(|it| it.storage).map_or("", |it| &it.name);
    let stored = old.status.iter().flat_map(|status| status.stored_versions.iter().flatten());
    for version in stored.filter(|version| !has(version)) {
        let message = format!(
            "status.storedVersions names {version}, which this version of Quayside does not know: objects that are \
             stored in it could not be read any more"
        );
        let remedy = format!(
            "Let {wanted} be the version that is stored and go on serving {version} (kubectl edit crd {name}), write every \
             object anew (kubectl get {name} -A -o json | kubectl replace -f -), then take {version} out of the list: kubectl \
             patch crd {name} --subresource=status --type=merge -p '{{\"status\":{{\"storedVersions\":[\"{wanted}\"]}}}}'"
        );
        dangers.push(Danger { message, remedy });
    }
    for version in old.spec.versions.iter().filter(|it| it.served && !serves(new, &it.name)) {
        let message = format!("{} is served now and would not be any more: what uses it would fail", version.name);
        let remedy = "Keep the definition for what uses that version, such as a newer Kargo or Quayside; if nothing does, set served: false for it.";
        dangers.push(Danger { message, remedy: remedy.to_owned() });
    }
    if changes.iter().any(|change| change.part == Part::Scope) {
        let message = "the scope of a definition cannot be changed".to_owned();
        let remedy = "Keep the definition, or save its objects, delete it with them, and create both anew.".to_owned();
        dangers.push(Danger { message, remedy });
    }
    if new.spec.group == api::GROUP && changes.iter().any(|change| change.drops_values) {
        let message = "Kargo's objects would lose what they have in fields that ours does not name".to_owned();
        let remedy = "Keep Kargo's own definition; apply those of quayside.dev alone: quayside crd --own.".to_owned();
        dangers.push(Danger { message, remedy });
    }
    dangers
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinitionStatus;

    use super::*;

    fn ours(name: &str) -> CustomResourceDefinition {
        crate::api::crds().into_iter().find(|it| it.metadata.name.as_deref() == Some(name)).unwrap()
    }

    /// A definition of ours, changed as JSON.
    fn edited(name: &str, edit: impl FnOnce(&mut Value)) -> CustomResourceDefinition {
        let mut value = serde_json::to_value(ours(name)).unwrap();
        edit(&mut value);
        serde_json::from_value(value).unwrap()
    }

    fn parts(changes: &[Change]) -> Vec<(Part, How, &str, &str)> {
        changes.iter().map(|it| (it.part, it.how, it.name.as_str(), it.detail.as_str())).collect()
    }

    const RECEIVERS: &str = "receivers.quayside.dev";

    #[test]
    fn what_the_api_server_fills_in_is_no_difference() {
        for new in crate::api::crds() {
            let name = new.metadata.name.clone().unwrap();
            let old = edited(&name, |crd| {
                crd["spec"]["conversion"] = json!({"strategy": "None"});
                crd["spec"]["versions"][0]["deprecated"] = json!(false);
                for column in
                    crd["spec"]["versions"][0]["additionalPrinterColumns"].as_array_mut().into_iter().flatten()
                {
                    column["priority"] = json!(column["priority"].as_i64().unwrap_or_default());
                }
            });
            assert_eq!(changes(&old, &new), [], "{name}");
            assert_eq!(dangers(&old, &new, &[]), [], "{name}");
        }
    }

    #[test]
    fn names_columns_and_versions_are_compared() {
        let new = ours(RECEIVERS);
        let old = edited(RECEIVERS, |crd| {
            crd["spec"]["names"]["shortNames"] = json!(["rcv"]);
            let version = &mut crd["spec"]["versions"][0];
            version["subresources"] = json!({});
            version["additionalPrinterColumns"][0]["name"] = json!("Sort");
            version["additionalPrinterColumns"][1]["priority"] = json!(1);
        });
        let found = changes(&old, &new);
        assert_eq!(
            parts(&found),
            [
                (Part::Names, How::Changed, "", "shortNames"),
                (Part::Version, How::Changed, "v1alpha1", "subresources"),
                (Part::Column, How::Removed, "v1alpha1 Sort", ""),
                (Part::Column, How::Added, "v1alpha1 Kind", ""),
                (Part::Column, How::Changed, "v1alpha1 Ready", "priority: 1 -> none"),
            ]
        );
        assert_eq!(dangers(&old, &new, &found), []);
    }

    #[test]
    fn a_stored_version_that_would_be_gone_is_a_danger_with_a_remedy() {
        let new = ours(RECEIVERS);
        let mut old = new.clone();
        let stored = |versions: &[&str]| CustomResourceDefinitionStatus {
            stored_versions: Some(versions.iter().map(|&it| it.to_owned()).collect()),
            ..CustomResourceDefinitionStatus::default()
        };
        old.status = Some(stored(&["v1alpha1"]));
        assert_eq!(dangers(&old, &new, &[]), []);
        old.status = Some(stored(&["v1alpha1", "v1beta1"]));
        let found = dangers(&old, &new, &[]);
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("status.storedVersions names v1beta1"), "{found:?}");
        let patch = r#"kubectl patch crd receivers.quayside.dev --subresource=status --type=merge -p '{"status":{"storedVersions":["v1alpha1"]}}'"#;
        assert!(found[0].remedy.contains(patch), "{found:?}");
    }

    #[test]
    fn a_version_that_would_no_longer_be_served_and_another_scope_are_dangers() {
        let new = ours(RECEIVERS);
        let old = edited(RECEIVERS, |crd| {
            let mut other = crd["spec"]["versions"][0].clone();
            other["name"] = json!("v1beta1");
            other["storage"] = json!(false);
            crd["spec"]["versions"].as_array_mut().unwrap().push(other);
            crd["spec"]["scope"] = json!("Cluster");
        });
        let found = changes(&old, &new);
        assert_eq!(
            parts(&found),
            [(Part::Scope, How::Changed, "", "Cluster -> Namespaced"), (Part::Version, How::Removed, "v1beta1", "")]
        );
        let messages: Vec<String> = dangers(&old, &new, &found).into_iter().map(|it| it.message).collect();
        assert!(messages[0].contains("v1beta1 is served now") && messages[1].contains("scope"), "{messages:?}");
    }

    /// Ours name few of Kargo's fields, and leave all others as they are.
    #[test]
    fn only_a_definition_of_kargo_must_not_drop_values() {
        for (name, is_danger) in [(RECEIVERS, false), ("warehouses.kargo.akuity.io", true)] {
            let field = |crd: &mut Value, at: &str| {
                crd.pointer_mut("/spec/versions/0/schema/openAPIV3Schema").unwrap()["properties"][at] =
                    json!({"type": "object"});
            };
            let (old, new) = (edited(name, |crd| field(crd, "extra")), ours(name));
            let found = changes(&old, &new);
            assert_eq!(parts(&found), [(Part::Field, How::Removed, "v1alpha1 .extra", "")], "{name}");
            assert!(found[0].drops_values);
            assert_eq!(!dangers(&old, &new, &found).is_empty(), is_danger, "{name}");
        }
    }
}
