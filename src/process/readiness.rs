//! Named gates that must all be open before a replica takes traffic.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;

/// What has to happen before the tables can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Every `ProjectConfig` is listed and resolved once.
    ProjectConfigs,
    /// The `ClusterConfig` is resolved once, or known to be absent.
    ClusterConfigs,
    /// Every `Receiver` is listed and resolved once, or there is no such kind.
    Receivers,
    /// Every `ClusterReceiver` is listed and resolved once, or there is no such kind.
    ClusterReceivers,
    /// Every Warehouse is listed and indexed.
    Warehouses,
    /// Every Promotion is listed, or there is no such kind.
    Promotions,
    /// Every Namespace is listed.
    Namespaces,
    /// The webhook port is open.
    Listener,
}

impl Gate {
    /// Every gate.
    pub const ALL: [Self; 8] = [
        Self::ProjectConfigs,
        Self::ClusterConfigs,
        Self::Receivers,
        Self::ClusterReceivers,
        Self::Warehouses,
        Self::Promotions,
        Self::Namespaces,
        Self::Listener,
    ];

    /// The gate's name in `/readyz` and in the metric.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProjectConfigs => "projectconfigs",
            Self::ClusterConfigs => "clusterconfigs",
            Self::Receivers => "receivers",
            Self::ClusterReceivers => "clusterreceivers",
            Self::Warehouses => "warehouses",
            Self::Promotions => "promotions",
            Self::Namespaces => "namespaces",
            Self::Listener => "listener",
        }
    }
}

/// The state of all gates. A gate that has opened stays open: a later outage of the API server does not unready a
/// replica, because it goes on serving from memory.
#[derive(Default)]
pub struct Readiness {
    open: [AtomicBool; Gate::ALL.len()],
    draining: AtomicBool,
    /// How often the API server has answered something of use.
    heard: AtomicU64,
    /// Requests are taken in although the tables are not filled, because the API server is away.
    intake: AtomicBool,
    changed: Notify,
}

impl Readiness {
    /// Opens a gate.
    pub fn open(&self, gate: Gate) {
        if !self.open[gate as usize].swap(true, Ordering::AcqRel) {
            tracing::info!(gate = gate.as_str(), "gate opened");
            self.changed.notify_waiters();
        }
    }

    /// Whether a gate is open.
    #[must_use]
    pub fn is_open(&self, gate: Gate) -> bool {
        self.open[gate as usize].load(Ordering::Acquire)
    }

    /// Unreadies the replica for good, because it is about to end.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether the replica is about to end.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Whether every route and subscription is known, so that "unknown" can be believed.
    #[must_use]
    pub fn tables_filled(&self) -> bool {
        Gate::ALL.into_iter().filter(|gate| *gate != Gate::Listener).all(|gate| self.is_open(gate))
    }

    /// Returns once the tables are filled.
    pub async fn wait_for_tables(&self) {
        loop {
            // Registered before the look, so that a gate that opens in between is not missed.
            let changed = self.changed.notified();
            if self.tables_filled() {
                return;
            }
            changed.await;
        }
    }

    /// The API server has answered, so the tables will be filled soon.
    pub fn hear(&self) {
        self.heard.fetch_add(1, Ordering::AcqRel);
    }

    /// How often the API server has answered since the start.
    #[must_use]
    pub fn heard(&self) -> u64 {
        self.heard.load(Ordering::Acquire)
    }

    /// Takes traffic from now on although the tables are not filled: whatever comes is taken in. For good, because a
    /// Service whose only replicas go unready again would refuse its senders.
    pub fn open_intake(&self) {
        self.intake.store(true, Ordering::Release);
    }

    /// Whether the replica takes traffic.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let takes_in = self.intake.load(Ordering::Acquire) && self.is_open(Gate::Listener);
        !self.is_draining() && (takes_in || Gate::ALL.iter().all(|gate| self.is_open(*gate)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_ready_when_every_gate_is_open_and_it_does_not_drain() {
        let readiness = Readiness::default();
        for gate in Gate::ALL {
            assert!(!readiness.is_ready());
            readiness.open(gate);
        }
        assert!(readiness.is_ready() && readiness.tables_filled());
        readiness.drain();
        assert!(!readiness.is_ready() && readiness.tables_filled());
    }

    #[test]
    fn a_replica_that_takes_requests_in_is_ready_without_its_tables() {
        let readiness = Readiness::default();
        readiness.open_intake();
        assert!(!readiness.is_ready(), "the port is still closed");
        readiness.open(Gate::Listener);
        assert!(readiness.is_ready() && !readiness.tables_filled());
        readiness.drain();
        assert!(!readiness.is_ready());
    }
}
