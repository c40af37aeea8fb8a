//! The generated CRDs as a whole, and decoding of what the API server can hold.

use serde_json::json;

use super::*;
use crate::domain::kind::ReceiverKind;

fn schema_of(crd: &CustomResourceDefinition) -> Value {
    serde_json::to_value(&crd.spec.versions[0].schema).unwrap()
}

/// Every key of every object in `value`, with the value it has.
fn walk<'a>(value: &'a Value, visit: &mut impl FnMut(&'a str, &'a Value)) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| {
            visit(key, value);
            walk(value, visit);
        }),
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        _ => {}
    }
}

fn kinds_of(entry: &Entry) -> String {
    entry.kinds().into_iter().map(ReceiverKind::as_str).collect::<Vec<_>>().join("+")
}

#[test]
fn the_checked_in_crds_are_those_of_the_types() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    for (name, wanted) in crd_yaml().unwrap() {
        let found = std::fs::read_to_string(dir.join(&name)).unwrap_or_default();
        assert!(found == wanted, "crds/{name} is out of step with src/api: run `make generate`");
    }
    assert_eq!(
        std::fs::read_dir(&dir).unwrap().count(),
        crds().len(),
        "crds/ has a file that no type generates: run `make generate`"
    );
}

#[test]
fn generated_yaml_says_what_the_types_say() {
    for ((name, yaml), crd) in crd_yaml().unwrap().into_iter().zip(crds()) {
        assert!(yaml.starts_with(HEADER), "{name}");
        let read: Value = serde_saphyr::from_str(&yaml).unwrap();
        assert_eq!(read, serde_json::to_value(&crd).unwrap(), "{name}");
    }
}

#[test]
fn schemas_have_no_nullable_fields_and_no_empty_defaults() {
    for crd in crds() {
        let schema = schema_of(&crd);
        walk(&schema, &mut |key, value| {
            assert_ne!(key, "nullable");
            assert!(key != "default" || value == "", "default: {value}");
        });
    }
}

#[test]
fn every_field_is_described_in_sentences() {
    for crd in crds() {
        let schema = schema_of(&crd);
        walk(&schema, &mut |key, value| {
            if key != "properties" {
                return;
            }
            for (field, schema) in value.as_object().unwrap() {
                let known = ["apiVersion", "kind", "metadata", "spec", "status"].contains(&field.as_str());
                let text = schema["description"].as_str().unwrap_or_default();
                assert!(known || text.ends_with(['.', '`']), "{field}: {text:?}");
            }
        });
    }
}

#[test]
fn receivers_are_a_plain_list_with_ten_kinds() {
    for crd in &crds()[..2] {
        let schema = schema_of(crd);
        let spec = &schema["openAPIV3Schema"]["properties"]["spec"];
        assert_eq!(spec["x-kubernetes-preserve-unknown-fields"], true);
        let list = &spec["properties"]["webhookReceivers"];
        assert_eq!(list.get("x-kubernetes-list-type"), None);
        let fields = list["items"]["properties"].as_object().unwrap();
        let kinds: Vec<_> = fields.keys().map(String::as_str).filter(|k| *k != "name").collect();
        assert_eq!(kinds, ReceiverKind::KARGO.map(ReceiverKind::as_str));
        assert_eq!(list["items"]["required"], json!(["name"]));
        assert_eq!(fields["quay"]["required"], json!(["secretRef"]));
    }
}

#[test]
fn a_receiver_of_our_own_has_all_kinds_and_its_settings() {
    for crd in &crds()[3..5] {
        let schema = schema_of(crd);
        let spec = &schema["openAPIV3Schema"]["properties"]["spec"];
        let mut fields: Vec<_> = spec["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        fields
            .retain(|field| !["registryHost", "hostAliases", "allowSHA1Signatures", "authentication"].contains(field));
        let mut kinds = ReceiverKind::ALL.map(ReceiverKind::as_str);
        kinds.sort_unstable();
        assert_eq!(fields, kinds);
        assert_eq!(spec["x-kubernetes-validations"].as_array().unwrap().len(), 2);
        assert_eq!(spec.get("x-kubernetes-preserve-unknown-fields"), None);
        assert_eq!(schema["openAPIV3Schema"]["required"], json!(["spec"]));
    }
}

#[test]
fn an_odd_receiver_says_which_member_is_odd_and_shows_no_value() {
    let secret = json!({"secretRef": {"name": "s"}});
    let shown = |spec: Value| match Entry::decode_receiver("r", &spec) {
        Ok(entry) => format!("{} {:?} {:?}", kinds_of(&entry), entry.secret_name(), entry.spec.registry_host()),
        Err(error) => error.cause,
    };
    assert_eq!(shown(json!({"quay": secret})), r#"quay Some("s") None"#);
    let hosts = json!({"msr": {"secretRef": {"name": "s"}, "registryHost": "a:5000"}, "registryHost": "b"});
    assert_eq!(shown(hosts), r#"msr Some("s") Some("a:5000")"#);
    assert_eq!(shown(json!({"zot": secret, "registryHost": "b", "future": 1})), r#"zot Some("s") Some("b")"#);
    assert_eq!(shown(json!({"msr": secret, "github": secret})), r#"github+msr Some("s") None"#);
    assert_eq!(shown(Value::Null), " None None");
    assert_eq!(shown(json!("hunter2")), "spec is not an object");
    assert_eq!(shown(json!({"msr": {"secretRef": "hunter2"}})), "msr: invalid type: string, expected struct SecretRef");
    assert_eq!(shown(json!({"quay": secret, "hostAliases": [{"pushed": "a"}]})), "hostAliases: missing field `pulled`");
    assert_eq!(
        shown(json!({"quay": secret, "authentication": {"basicAuth": "hunter2"}})),
        "authentication: invalid type: string, expected struct KeyRef"
    );
    assert!(
        shown(json!({"forge": secret, "registryHost": "b"})).starts_with("unknown receiver kind forge; known kinds")
    );
}

#[test]
fn fields_we_do_not_own_survive_decoding() {
    let object = json!({
        "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "ProjectConfig", "metadata": {"name": "p", "namespace": "p"},
        "spec": {
            "promotionPolicies": [{"stage": "test", "autoPromotionEnabled": true}],
            "webhookReceivers": [{"name": "a", "forge": {"x": 1}}],
            "promotionWindows": [{"name": "night"}],
        },
        "status": {"webhookReceivers": [{"name": "a", "path": "/a"}], "lastHandledRefresh": "t", "stats": {"stages": 3}},
    });
    let config: ProjectConfig = serde_json::from_value(object.clone()).unwrap();
    assert_eq!(serde_json::to_value(&config).unwrap(), object);
}

#[test]
fn manifests_written_for_kargo_decode_and_come_back_unchanged() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/upstream");
    let mut kinds = Vec::new();
    for file in std::fs::read_dir(dir).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        for mut object in objects {
            let round_trip = match object["kind"].as_str() {
                Some("ProjectConfig") => {
                    let config: ProjectConfig = serde_json::from_value(object.clone()).unwrap();
                    for receiver in config.spec.receivers() {
                        kinds.extend(receiver.unwrap().kinds.secrets().map(|(kind, _)| kind));
                    }
                    serde_json::to_value(config)
                }
                Some("ClusterConfig") => {
                    let config: ClusterConfig = serde_json::from_value(object.clone()).unwrap();
                    assert!(config.spec.receivers().iter().all(Result::is_ok));
                    serde_json::to_value(config)
                }
                _ => serde_json::to_value(serde_json::from_value::<Warehouse>(object.clone()).unwrap()),
            };
            // An absent spec is written as an empty one.
            object.as_object_mut().unwrap().entry("spec").or_insert_with(|| json!({}));
            assert_eq!(round_trip.unwrap(), object);
        }
    }
    assert_eq!(kinds, ReceiverKind::KARGO, "one receiver of each kind, in order");
}

#[test]
fn an_object_without_spec_decodes() {
    let object =
        json!({"apiVersion": "kargo.akuity.io/v1alpha1", "kind": "ClusterConfig", "metadata": {"name": "cluster"}});
    let config: ClusterConfig = serde_json::from_value(object).unwrap();
    assert_eq!((config.metadata.name.as_deref(), config.spec.receivers().len()), (Some("cluster"), 0));
}

#[test]
fn an_odd_receiver_does_not_hide_its_neighbours() {
    let secret = json!({"secretRef": {"name": "s"}});
    let entries = Entry::decode_list(&json!({"webhookReceivers": [
        {"name": "good", "harbor": secret, "description": "fields beside a kind we know are ignored"},
        {"name": "newer", "forge": secret},
        {"name": "flat", "quay": {"secretRef": "hunter2"}},
        {"name": "bare", "quay": {}},
        {"quay": secret},
        "text",
        {"name": "none"},
        {"name": "two", "quay": {"secretRef": {"name": "q"}}, "github": secret},
        {"name": "unset", "quay": null},
        {"name": "nameless", "azure": {"secretRef": {}}},
    ]}));
    let shown: Vec<_> = entries
        .iter()
        .map(|entry| match entry {
            Ok(config) => format!("{} {} {:?}", config.name, kinds_of(config), config.secret_name()),
            Err(error) => error.to_string(),
        })
        .collect();
    assert_eq!(
        shown,
        [
            "good harbor Some(\"s\")",
            "spec.webhookReceivers[1]: unknown receiver kind forge; known kinds are artifactory, azure, bitbucket, dockerhub, \
         generic, gitea, github, gitlab, harbor, quay",
            "spec.webhookReceivers[2]: quay: invalid type: string, expected struct SecretRef",
            "spec.webhookReceivers[3]: quay: missing field `secretRef`",
            "spec.webhookReceivers[4]: missing field `name`",
            "spec.webhookReceivers[5]: the entry is not an object",
            "none  None",
            "two github+quay Some(\"s\")",
            "unset  None",
            "nameless azure Some(\"\")",
        ]
    );
    assert_eq!(entries[3].as_ref().unwrap_err().name.as_deref(), Some("bare"));
}

#[test]
fn a_missing_or_odd_list_is_no_panic() {
    assert!(ReceiverConfig::decode_list(&json!({})).is_empty());
    assert!(ReceiverConfig::decode_list(&json!({"webhookReceivers": null})).is_empty());
    assert!(ReceiverConfig::decode_list(&Value::Null).is_empty());
    let odd = ReceiverConfig::decode_list(&json!({"webhookReceivers": {"name": "a"}}));
    assert!(matches!(odd.as_slice(), [Err(error)] if error.cause == "webhookReceivers is not a list"));
}

#[test]
fn generic_settings_round_trip() {
    let entry = json!({"name": "g", "generic": {"secretRef": {"name": "s"}, "actions": [{
        "action": "Refresh",
        "whenExpression": "request.header('X-Event') == 'push'",
        "parameters": {"tier": "prod"},
        "targetSelectionCriteria": [{
            "kind": "Warehouse",
            "name": "${{ request.body.service }}",
            "labelSelector": {"matchLabels": {"team": "web"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]},
            "indexSelector": {"matchIndices": [{"key": "subscribedURLs", "operator": "Equals", "value": "v"}]},
        }],
    }]}});
    let decoded = ReceiverConfig::decode_list(&json!({"webhookReceivers": [entry]})).remove(0).unwrap();
    assert_eq!(serde_json::to_value(decoded).unwrap(), entry);
}

#[test]
fn status_paths_and_urls_stay_out_of_debug_output() {
    let details = ReceiverDetails {
        name: Some("quay".to_owned()),
        path: Some("/webhooks/quay/credential".to_owned()),
        url: Some("https://x.example/webhooks/quay/credential".to_owned()),
    };
    let status = ConfigStatus { webhook_receivers: vec![details], ..ConfigStatus::default() };
    assert!(!format!("{status:?}").contains("credential"));
    let own = ReceiverStatus { path: Some("/quay/credential".to_owned()), ..ReceiverStatus::default() };
    assert!(!format!("{own:?}").contains("credential"));
}
