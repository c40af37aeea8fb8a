//! The objects as the watches decode them: only what is used, and never failing on what others wrote.
//!
//! `spec` and `status` stay unparsed text until they are looked at one object at a time, so that one odd object can
//! never break a list or a watch for all others, and the megabytes of statuses are copied, not built; most are never
//! looked at.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::{ClusterResourceScope, NamespaceResourceScope};
use kube::{Resource, ResourceExt};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::api::{ClusterConfig, ClusterReceiver, GROUP, ProjectConfig, Receiver, VERSION, Warehouse};
use crate::domain::criterion::Labels;
use crate::domain::project_filter::{PROJECT_SELECTOR, PROJECTS, ProjectFilter};
use crate::domain::target::TargetKind;
use crate::refresh::patch::REFRESH_ANNOTATION;

/// A Warehouse, as far as its subscriptions and refreshes go.
#[derive(Clone, Deserialize)]
pub struct WatchedWarehouse {
    #[serde(default, deserialize_with = "lite_meta")]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Option<Box<RawValue>>,
    #[serde(default)]
    status: Option<Box<RawValue>>,
}

impl WatchedWarehouse {
    /// The text of `spec`; `null` when there is none.
    #[must_use]
    pub fn spec(&self) -> &str {
        self.spec.as_deref().map_or("null", RawValue::get)
    }

    /// The text of `status`; `null` when there is none.
    #[must_use]
    pub fn status(&self) -> &str {
        self.status.as_deref().map_or("null", RawValue::get)
    }

    /// The value of the refresh annotation.
    #[must_use]
    pub fn refresh_annotation(&self) -> Option<&str> {
        self.annotations().get(REFRESH_ANNOTATION).map(String::as_str)
    }

    /// Its labels.
    #[must_use]
    pub fn criterion_labels(&self) -> Labels {
        criterion_labels(&self.metadata)
    }
}

/// A Promotion, as far as the pull requests go that it waits for.
#[derive(Clone, Deserialize)]
pub struct WatchedPromotion {
    #[serde(default, deserialize_with = "lite_meta")]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Option<Box<RawValue>>,
    #[serde(default)]
    status: Option<Box<RawValue>>,
}

impl WatchedPromotion {
    /// The text of `spec`; `null` when there is none.
    #[must_use]
    pub fn spec(&self) -> &str {
        self.spec.as_deref().map_or("null", RawValue::get)
    }

    /// The text of `status`; `null` when there is none.
    #[must_use]
    pub fn status(&self) -> &str {
        self.status.as_deref().map_or("null", RawValue::get)
    }

    /// The value of the refresh annotation.
    #[must_use]
    pub fn refresh_annotation(&self) -> Option<&str> {
        self.annotations().get(REFRESH_ANNOTATION).map(String::as_str)
    }

    /// Its labels.
    #[must_use]
    pub fn criterion_labels(&self) -> Labels {
        criterion_labels(&self.metadata)
    }
}

fn criterion_labels(metadata: &ObjectMeta) -> Labels {
    let labels = metadata.labels.iter().flatten();
    labels.map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect()
}

/// An object that declares receivers.
#[derive(Clone, Deserialize)]
#[serde(bound = "")]
pub struct WatchedConfig<K> {
    #[serde(default, deserialize_with = "lite_meta")]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Option<Box<RawValue>>,
    #[serde(default)]
    status: Option<Box<RawValue>>,
    #[serde(skip)]
    kind: PhantomData<fn() -> K>,
}

impl<K: Resource<DynamicType = ()>> WatchedConfig<K>
where
    Self: Resource,
{
    /// The text of `spec`; `null` when there is none.
    #[must_use]
    pub fn spec(&self) -> &str {
        self.spec.as_deref().map_or("null", RawValue::get)
    }

    /// The text of `status`; `null` when there is none.
    #[must_use]
    pub fn status(&self) -> &str {
        self.status.as_deref().map_or("null", RawValue::get)
    }

    /// To which projects its receivers are narrowed down.
    ///
    /// # Errors
    /// What is wrong with an annotation.
    pub fn project_filter(&self) -> Result<ProjectFilter, String> {
        let annotation = |name: &str| self.annotations().get(name).map(String::as_str);
        ProjectFilter::parse(annotation(PROJECTS), annotation(PROJECT_SELECTOR))
    }

    /// The value of the refresh annotation.
    #[must_use]
    pub fn refresh_annotation(&self) -> Option<&str> {
        self.annotations().get(REFRESH_ANNOTATION).map(String::as_str)
    }
}

/// The few members of `metadata` that are used; above all not `managedFields`.
fn lite_meta<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Lite {
        name: Option<String>,
        namespace: Option<String>,
        resource_version: Option<String>,
        generation: Option<i64>,
        labels: Option<BTreeMap<String, String>>,
        annotations: Option<Ours>,
    }
    #[derive(Deserialize)]
    struct Ours {
        #[serde(rename = "kargo.akuity.io/refresh")]
        refresh: Option<String>,
        #[serde(rename = "quayside.dev/projects")]
        projects: Option<String>,
        #[serde(rename = "quayside.dev/project-selector")]
        selector: Option<String>,
    }
    let lite = Lite::deserialize(deserializer)?;
    let annotations = lite.annotations.map(|Ours { refresh, projects, selector }| {
        let named = [(REFRESH_ANNOTATION, refresh), (PROJECTS, projects), (PROJECT_SELECTOR, selector)];
        named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    });
    Ok(ObjectMeta {
        name: lite.name,
        namespace: lite.namespace,
        resource_version: lite.resource_version,
        generation: lite.generation,
        labels: lite.labels,
        annotations,
        ..ObjectMeta::default()
    })
}

/// Debug shows which object it is and nothing of its content: a status holds receiver URLs.
macro_rules! watched {
    ($type:ty, $crd:ty, $scope:ty) => {
        watched!(
            $type,
            $scope,
            <$crd as Resource>::group(&()),
            <$crd as Resource>::version(&()),
            <$crd as Resource>::kind(&()),
            <$crd as Resource>::plural(&())
        );
    };
    ($type:ty, $scope:ty, $group:expr, $version:expr, $kind:expr, $plural:expr) => {
        impl Resource for $type {
            type DynamicType = ();
            type Scope = $scope;

            fn kind(_: &()) -> Cow<'_, str> {
                $kind
            }
            fn group(_: &()) -> Cow<'_, str> {
                $group
            }
            fn version(_: &()) -> Cow<'_, str> {
                $version
            }
            fn plural(_: &()) -> Cow<'_, str> {
                $plural
            }
            fn meta(&self) -> &ObjectMeta {
                &self.metadata
            }
            fn meta_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?}/{:?})", Self::kind(&()), self.namespace(), self.name_any())
            }
        }
    };
}

watched!(WatchedWarehouse, Warehouse, NamespaceResourceScope);
// Its schema is Kargo's alone.
watched!(
    WatchedPromotion,
    NamespaceResourceScope,
    GROUP.into(),
    VERSION.into(),
    "Promotion".into(),
    TargetKind::Promotion.plural().into()
);
watched!(WatchedConfig<ProjectConfig>, ProjectConfig, NamespaceResourceScope);
watched!(WatchedConfig<ClusterConfig>, ClusterConfig, ClusterResourceScope);
watched!(WatchedConfig<Receiver>, Receiver, NamespaceResourceScope);
watched!(WatchedConfig<ClusterReceiver>, ClusterReceiver, ClusterResourceScope);

#[cfg(test)]
mod tests {
    use kube::core::{ObjectList, WatchEvent};

    use super::*;

    #[test]
    fn a_list_and_a_watch_survive_whatever_a_spec_holds() {
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        let odd = format!(
            r#"{{"metadata":{{"name":"a","namespace":"n","generation":2}},"spec":{{"subscriptions":{deep}}}}}"#
        );
        let good = r#"{"metadata":{"name":"b","annotations":{"x":"y"}},"spec":null,"status":{"big":[1,2]}}"#;
        let list = format!(
            r#"{{"kind":"WarehouseList","apiVersion":"kargo.akuity.io/v1alpha1","metadata":{{"resourceVersion":"7"}},"items":[{odd},{good},{{"spec":"text"}}]}}"#
        );
        let list: ObjectList<WatchedWarehouse> = serde_json::from_str(&list).unwrap();
        assert_eq!(list.items.len(), 3);
        assert!(list.items[0].spec().contains("[[[["));
        assert_eq!(list.items[1].spec(), "null");
        let event = format!(r#"{{"type":"ADDED","object":{odd}}}"#);
        let event: WatchEvent<WatchedWarehouse> = serde_json::from_str(&event).unwrap();
        assert!(matches!(event, WatchEvent::Added(warehouse) if warehouse.name_any() == "a"));
    }

    #[test]
    fn of_the_annotations_only_those_that_are_read_are_kept() {
        let text = r#"{"metadata":{"name":"w","annotations":{"kargo.akuity.io/refresh":"t",
            "quayside.dev/last-refresh-cause":"{\"cause\":\"delivery\"}","kubectl.kubernetes.io/x":"y"}}}"#;
        let warehouse: WatchedWarehouse = serde_json::from_str(text).unwrap();
        assert_eq!(warehouse.annotations().keys().collect::<Vec<_>>(), [REFRESH_ANNOTATION]);
        assert_eq!(warehouse.refresh_annotation(), Some("t"));
    }

    #[test]
    fn debug_shows_nothing_of_a_status() {
        let text = r#"{"metadata":{"name":"p","namespace":"p"},"status":{"webhookReceivers":[{"path":"/quay/abc"}]}}"#;
        let config: WatchedConfig<ProjectConfig> = serde_json::from_str(text).unwrap();
        assert!(config.status().contains("/quay/abc"));
        assert!(!format!("{config:?}").contains("/quay/abc"));
    }
}
