//! Prometheus metrics. Every label value comes from a closed set; `docs/operations.md` has a row for each metric.
//!
//! Each subsystem has a file: what it counts, under which name, and the calls that count it. A clone counts into the
//! same metrics, so each part is given its own and nothing else.

pub mod connection;
pub mod controller;
pub mod delivery;
pub mod lease;
pub mod pursuit;
pub mod recovery;
pub mod refresh;
pub mod registration;
pub mod spool;
pub mod tables;
pub mod tls;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use connection::ConnectionMetrics;
use controller::ControllerMetrics;
use delivery::DeliveryMetrics;
use lease::LeaseMetrics;
use pursuit::PursuitMetrics;
use recovery::CatchUpMetrics;
use refresh::RefreshMetrics;
use registration::RegistrationMetrics;
use spool::SpoolMetrics;
use tables::TableMetrics;
use tls::TlsMetrics;

/// Declares sets of one label.
macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident { $label:ident })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
        pub struct $name {
            /// The value.
            pub $label: &'static str,
        }
    )*};
}

labels! {
    /// One label named `kind`.
    KindLabel { kind }
    /// One label named `outcome`.
    OutcomeLabel { outcome }
    /// One label named `resource`.
    ResourceLabel { resource }
    /// One label named `gate`.
    GateLabel { gate }
    /// One label named `reason`.
    ReasonLabel { reason }
    /// One label named `state`.
    StateLabel { state }
    /// One label named `version`.
    VersionLabel { version }
}

/// Everything that is counted; clones count into the same metrics. Gauges that mirror a table are set at each scrape,
/// so they cannot drift.
#[derive(Clone, Default)]
pub struct Metrics {
    /// Requests on the webhook port.
    pub delivery: DeliveryMetrics,
    /// Annotation PATCHes.
    pub refresh: RefreshMetrics,
    /// What the tables hold.
    pub tables: TableMetrics,
    /// Watches, reconciliations and statuses.
    pub controller: ControllerMetrics,
    /// The election.
    pub lease: LeaseMetrics,
    /// Pushes until Kargo has looked.
    pub pursuit: PursuitMetrics,
    /// Refreshes after a downtime.
    pub catch_up: CatchUpMetrics,
    /// Notifications that are registered with senders.
    pub registration: RegistrationMetrics,
    /// What the spool does and holds.
    pub spool: SpoolMetrics,
    /// The webhook port's connections.
    pub connections: ConnectionMetrics,
    /// TLS on the webhook port.
    pub tls: TlsMetrics,
}

impl Metrics {
    /// The registry that describes all of them, under the prefix `quayside`.
    #[must_use]
    pub fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix("quayside");
        let r = &mut registry;
        self.delivery.register(r);
        self.refresh.register(r);
        self.tables.register(r);
        self.controller.register(r);
        self.lease.register(r);
        self.pursuit.register(r);
        self.catch_up.register(r);
        self.registration.register(r);
        self.spool.register(r);
        self.connections.register(r);
        self.tls.register(r);
        let build: Family<VersionLabel, Gauge> = Family::default();
        build.get_or_create(&VersionLabel { version: env!("CARGO_PKG_VERSION") }).set(1);
        r.register("build_info", "The running version", build);
        registry
    }
}

/// The exposition text (OpenMetrics).
#[must_use]
pub fn exposition(registry: &Registry) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    encode(&mut text, registry).ok();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subsystem_is_in_the_exposition() {
        let metrics = Metrics::default();
        let registry = metrics.registry();
        // Counted after the registration, and by a clone.
        metrics.lease.clone().failed();
        metrics.controller.reconciled("synced");
        metrics.tls.begin();
        let text = exposition(&registry);
        assert!(text.contains("quayside_lease_errors_total 1"), "{text}");
        for name in [
            "warehouses_matched",
            "refresh_requests",
            "warehouses",
            "reconciles",
            "leader",
            "pursuit_nudges",
            "catch_up_refreshes",
            "registration_healed",
            "spool_owed",
            "connections",
            "tls_reload",
            "build_info",
        ] {
            assert!(text.contains(&format!("# HELP quayside_{name} ")), "{name}");
        }
    }
}
