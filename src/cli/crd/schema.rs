//! The fields of a schema by their paths, and how those of two schemas differ.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::change::{Change, How, Part, difference, says_nothing};

/// What a schema says of one field, without the fields within.
#[derive(Default)]
struct Field {
    /// The field around it; `None` for the whole object.
    parent: Option<String>,
    says: Map<String, Value>,
    description: Value,
}

impl Field {
    /// Whether the API server keeps fields within that the schema does not name.
    fn keeps_unknown(&self) -> bool {
        self.says.contains_key("x-kubernetes-preserve-unknown-fields")
    }
}

type Fields = BTreeMap<String, Field>;

/// How the fields of `new` differ from those of `old`. A field that comes or goes whole is named without those within.
pub(super) fn changes(version: &str, old: &Value, new: &Value) -> Vec<Change> {
    let (old, new) = (fields(old), fields(new));
    let change = |how, path: &str, detail: String| Change {
        part: Part::Field,
        how,
        name: format!("{version} {}", if path.is_empty() { "." } else { path }),
        detail,
        drops_values: false,
    };
    let outermost = |field: &Field, others: &Fields| field.parent.as_ref().is_none_or(|it| others.contains_key(it));
    let mut changes = Vec::new();
    for (path, field) in old.iter().filter(|(path, field)| !new.contains_key(*path) && outermost(field, &new)) {
        let kept = field.parent.as_ref().and_then(|parent| new.get(parent)).is_some_and(Field::keeps_unknown);
        changes.push(Change { drops_values: !kept, ..change(How::Removed, path, String::new()) });
    }
    for (path, _) in new.iter().filter(|(path, field)| !old.contains_key(*path) && outermost(field, &old)) {
        changes.push(change(How::Added, path, String::new()));
    }
    let both = || old.iter().filter_map(|(path, old)| Some((path, old, new.get(path)?)));
    for (path, old, new) in both().filter(|(_, old, new)| old.says != new.says) {
        // What the API server kept because nothing was described is lost as soon as something is.
        let drops_values = old.keeps_unknown() && !new.keeps_unknown();
        changes.push(Change { drops_values, ..change(How::Changed, path, difference(&old.says, &new.says)) });
    }
    let descriptions = both().filter(|(_, old, new)| old.description != new.description).count();
    if descriptions > 0 {
        changes.push(Change {
            part: Part::Descriptions,
            how: How::Changed,
            name: version.to_owned(),
            detail: format!("{descriptions} field(s)"),
            drops_values: false,
        });
    }
    changes
}

fn fields(schema: &Value) -> Fields {
    let mut fields = Fields::new();
    add(&mut fields, None, String::new(), schema);
    fields
}

/// Adds a field and those within: `.name` for a property, `[]` for the items of a list, `.*` for the values of a map.
fn add(fields: &mut Fields, parent: Option<&str>, path: String, schema: &Value) {
    let mut field = Field { parent: parent.map(str::to_owned), ..Field::default() };
    for (key, value) in schema.as_object().into_iter().flatten() {
        match (key.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                for (name, property) in properties {
                    add(fields, Some(&path), format!("{path}.{name}"), property);
                }
            }
            ("items", Value::Object(_)) => add(fields, Some(&path), format!("{path}[]"), value),
            ("additionalProperties", Value::Object(_)) => add(fields, Some(&path), format!("{path}.*"), value),
            ("description", _) => field.description = value.clone(),
            (key, value) if key == "default" || !says_nothing(value) => {
                field.says.insert(key.to_owned(), value.clone());
            }
            _ => {}
        }
    }
    fields.insert(path, field);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(old: &Value, new: &Value) -> Vec<(How, String, String, bool)> {
        let all = changes("v1", old, new).into_iter();
        all.map(|it| (it.how, it.name, it.detail, it.drops_values)).collect()
    }

    fn object(properties: &Value) -> Value {
        json!({"type": "object", "properties": properties})
    }

    #[test]
    fn a_field_that_comes_or_goes_whole_is_named_once() {
        let list = json!({"type": "array", "items": object(&json!({"name": {"type": "string"}}))});
        let (old, new) =
            (object(&json!({"a": {"type": "string"}})), object(&json!({"a": {"type": "string"}, "list": list})));
        assert_eq!(found(&old, &new), [(How::Added, "v1 .list".to_owned(), String::new(), false)]);
        assert_eq!(found(&new, &old), [(How::Removed, "v1 .list".to_owned(), String::new(), true)]);
        assert_eq!(found(&new, &new), []);
    }

    #[test]
    fn values_of_a_removed_field_are_kept_where_the_object_around_it_keeps_unknown_fields() {
        let old = object(&json!({"a": object(&json!({"b": {"type": "string"}}))}));
        let mut new = object(&json!({"a": {"type": "object"}}));
        assert_eq!(found(&old, &new), [(How::Removed, "v1 .a.b".to_owned(), String::new(), true)]);
        new["properties"]["a"]["x-kubernetes-preserve-unknown-fields"] = json!(true);
        let removed = found(&old, &new).into_iter().find(|it| it.0 == How::Removed);
        assert_eq!(removed, Some((How::Removed, "v1 .a.b".to_owned(), String::new(), false)));
        let closed = found(&new, &old).into_iter().find(|it| it.0 == How::Changed);
        assert!(closed.is_some_and(|it| it.3), "a field that keeps unknown fields no longer does");
    }

    #[test]
    fn what_a_field_says_is_compared_by_its_members_and_descriptions_are_counted() {
        let old =
            object(&json!({"m": {"additionalProperties": {"type": "string", "description": "a", "maxLength": 8}}}));
        let new = object(&json!({"m": {"additionalProperties": {"type": "integer", "description": "b", "enum": [1]}}}));
        assert_eq!(
            found(&old, &new),
            [
                (
                    How::Changed,
                    "v1 .m.*".to_owned(),
                    r#"enum, maxLength: 8 -> none, type: "string" -> "integer""#.to_owned(),
                    false
                ),
                (How::Changed, "v1".to_owned(), "1 field(s)".to_owned(), false),
            ]
        );
    }

    #[test]
    fn members_that_the_api_server_leaves_out_are_no_difference() {
        let old = object(&json!({"a": {"type": "string", "nullable": false, "format": "", "required": []}}));
        let new = object(&json!({"a": {"type": "string"}}));
        assert_eq!(found(&old, &new), []);
        let default = object(&json!({"a": {"type": "string", "default": ""}}));
        assert_eq!(found(&default, &new).len(), 1, "an empty default is a default");
    }
}
