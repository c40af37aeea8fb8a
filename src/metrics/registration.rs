//! What is counted about notifications that are registered with senders.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{OutcomeLabel, StateLabel};

/// The metrics of registrations; clones count into the same metrics.
#[derive(Clone, Default)]
pub struct RegistrationMetrics {
    repositories: Family<StateLabel, Gauge>,
    calls: Family<OutcomeLabel, Counter>,
    /// Notifications that were switched on again.
    pub healed: Counter,
    /// Warehouses that were refreshed because their notifications may have missed a push.
    pub refreshes: Counter,
}

impl RegistrationMetrics {
    /// Puts all of them into the registry.
    pub fn register(&self, r: &mut Registry) {
        r.register(
            "registration_repositories",
            "Repositories of registrations, by the state of their notifications",
            self.repositories.clone(),
        );
        r.register(
            "registration_calls",
            "Calls to the APIs of registries and Git hosts, by outcome",
            self.calls.clone(),
        );
        r.register("registration_healed", "Notifications that were switched on again", self.healed.clone());
        r.register(
            "registration_refreshes",
            "Refreshes because a notification may have missed a push",
            self.refreshes.clone(),
        );
    }

    /// So many repositories more are in this state, or fewer.
    pub fn repositories(&self, state: &'static str, difference: i64) {
        self.repositories.get_or_create(&StateLabel { state }).inc_by(difference);
    }

    /// A call has ended.
    pub fn called(&self, outcome: &'static str) {
        self.calls.get_or_create(&OutcomeLabel { outcome }).inc();
    }
}
