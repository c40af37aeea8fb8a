//! Whose definition it is.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt;
use serde::Serialize;

use crate::api;

/// Kargo's definitions bear it, also those that were applied over ours; ours never do. The chart goes by it, too.
const CONTROLLER_GEN: &str = "controller-gen.kubebuilder.io/version";

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Owner {
    /// The release of Helm, as `namespace/name`, that manages it; empty if none does.
    pub(super) release: String,
    /// It is Kargo's own.
    pub(super) is_kargo: bool,
    /// The release is one of our chart, so `helm upgrade` of it brings the definition up to date.
    pub(super) is_our_release: bool,
    /// Who has written it, by the names in `managedFields`.
    pub(super) written_by: Vec<String>,
}

impl Owner {
    pub(super) fn of(definition: &CustomResourceDefinition) -> Self {
        let annotation = |name: &str| definition.annotations().get(name).map_or("", String::as_str);
        let (release, namespace) =
            (annotation("meta.helm.sh/release-name"), annotation("meta.helm.sh/release-namespace"));
        let by_controller_gen = definition.annotations().contains_key(CONTROLLER_GEN);
        let is_our_chart = definition.labels().get("helm.sh/chart").is_some_and(|chart| chart.starts_with("quayside-"));
        let is_kargo =
            definition.spec.group == api::GROUP && (by_controller_gen || !release.is_empty() && !is_our_chart);
        let writers = definition.managed_fields().iter().filter(|entry| entry.subresource.is_none());
        let mut written_by: Vec<String> = writers.filter_map(|entry| entry.manager.clone()).collect();
        // It adds defaults and conditions to every definition.
        written_by.retain(|manager| manager != "kube-apiserver");
        written_by.sort();
        written_by.dedup();
        Self {
            release: if release.is_empty() { String::new() } else { format!("{namespace}/{release}") },
            is_kargo,
            is_our_release: is_our_chart && !release.is_empty() && !is_kargo,
            written_by,
        }
    }

    /// In words.
    pub(super) fn words(&self) -> String {
        let whose = if self.is_kargo { "Kargo's own, " } else { "" };
        if !self.release.is_empty() {
            return format!("{whose}of the Helm release {}", self.release);
        }
        match self.written_by.join(", ").as_str() {
            "" => format!("{whose}of no Helm release"),
            managers => format!("{whose}of no Helm release, written by {managers}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn owner(name: &str, metadata: Value) -> Owner {
        let ours = crate::api::crds().into_iter().find(|it| it.metadata.name.as_deref() == Some(name)).unwrap();
        let mut value = serde_json::to_value(ours).unwrap();
        value["metadata"] = metadata;
        Owner::of(&serde_json::from_value(value).unwrap())
    }

    fn release(name: &str, chart: Option<&str>, extra: Option<&str>) -> Value {
        let mut metadata = json!({
            "annotations": {"meta.helm.sh/release-name": name, "meta.helm.sh/release-namespace": "ops"}, "labels": {},
        });
        if let Some(chart) = chart {
            metadata["labels"]["helm.sh/chart"] = json!(chart);
        }
        if let Some(extra) = extra {
            metadata["annotations"][extra] = json!("v0.18.0");
        }
        metadata
    }

    #[test]
    fn kargos_own_are_told_from_those_of_our_chart() {
        let warehouses = "warehouses.kargo.akuity.io";
        let of = |metadata| {
            let owner = owner(warehouses, metadata);
            (owner.is_kargo, owner.is_our_release)
        };
        assert_eq!(of(release("quayside", Some("quayside-0.1.0"), None)), (false, true));
        assert_eq!(of(release("kargo", None, None)), (true, false));
        // Applied over ours: the label may have stayed.
        assert_eq!(of(release("kargo", Some("quayside-0.1.0"), Some(CONTROLLER_GEN))), (true, false));
        assert_eq!(of(json!({"annotations": {CONTROLLER_GEN: "v0.18.0"}})), (true, false));
        assert_eq!(of(json!({})), (false, false));
        let other = owner("receivers.quayside.dev", release("platform", None, None));
        assert_eq!((other.is_kargo, other.is_our_release), (false, false));
        assert_eq!(other.words(), "of the Helm release ops/platform");
    }

    #[test]
    fn without_a_release_the_writers_are_named() {
        let written = |manager: &str, subresource: Option<&str>| json!({"manager": manager, "operation": "Update", "subresource": subresource});
        let metadata = json!({"managedFields": [
            written("kubectl-client-side-apply", None), written("kube-apiserver", Some("status")), written("argocd-controller", None),
        ]});
        let owner = owner("receivers.quayside.dev", metadata);
        assert_eq!(owner.words(), "of no Helm release, written by argocd-controller, kubectl-client-side-apply");
    }
}
