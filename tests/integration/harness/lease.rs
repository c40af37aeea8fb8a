//! The Lease by which replicas agree, on a control plane where no other test writes statuses.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;
use tokio::sync::MutexGuard;

use super::{ControlPlane, Operator, Setup, wait_until};

/// The namespace that the chart gives rights on Leases in.
pub(crate) const LEASE_NAMESPACE: &str = "quayside";

/// The right to a control plane alone, at first without a Lease.
pub(crate) struct LeaseTurn {
    pub(crate) plane: &'static ControlPlane,
    api: Api<Lease>,
    _turn: MutexGuard<'static, ()>,
}

impl LeaseTurn {
    pub(crate) async fn take() -> Self {
        let (plane, turn) = ControlPlane::for_elections().await;
        let turn = Self { plane, api: Api::namespaced(plane.admin().await, LEASE_NAMESPACE), _turn: turn };
        if turn.get().await.is_some() {
            turn.api.delete("quayside", &DeleteParams::default()).await.unwrap();
        }
        turn
    }

    /// A replica that takes part in the election.
    pub(crate) fn replica<const N: usize>(&self, arguments: [&str; N]) -> Operator {
        Operator::start(Setup::on(self.plane).with(["--lease-namespace", LEASE_NAMESPACE]).with(arguments))
    }

    pub(crate) async fn get(&self) -> Option<Lease> {
        self.api.get_opt("quayside").await.unwrap()
    }

    pub(crate) async fn holder(&self) -> String {
        self.get().await.unwrap().spec.unwrap().holder_identity.unwrap_or_default()
    }

    pub(crate) async fn annotations(&self) -> BTreeMap<String, String> {
        self.get().await.unwrap().metadata.annotations.unwrap_or_default()
    }

    /// Lets the Lease say that the last replica ended so long ago.
    pub(crate) async fn ended_ago(&self, ago: Duration) {
        let renewed = Timestamp::now() - ago;
        let spec = json!({"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": format!("{renewed:.6}")});
        let lease = json!({"metadata": {"name": "quayside"}, "spec": spec});
        if self.get().await.is_some() {
            self.api.delete("quayside", &DeleteParams::default()).await.unwrap();
        }
        self.api.create(&PostParams::default(), &serde_json::from_value(lease).unwrap()).await.unwrap();
    }
}

impl Operator {
    pub(crate) fn leads(&self) -> bool {
        self.metric("quayside_leader") > 0.0
    }

    /// Waits until it is the one that writes statuses.
    pub(crate) async fn leading(&self, limit: Duration) {
        self.ready().await;
        wait_until("the replica leads", limit, async || self.leads().then_some(())).await;
    }
}
