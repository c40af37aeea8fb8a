//! Prometheus metrics. Every label value comes from a closed set; `docs/operations.md` has a row for each metric.

pub mod spool;

use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::domain::target::{Target, TargetKind};
use spool::SpoolMetrics;

/// Kind and outcome of a delivery.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct DeliveryLabels {
    /// The receiver kind, or `none` for a request that reached no receiver.
    pub kind: &'static str,
    /// See [`crate::http::answer::Outcome`].
    pub outcome: &'static str,
}

/// One label named `kind`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct KindLabel {
    /// The kind.
    pub kind: &'static str,
}

/// One label named `outcome`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct OutcomeLabel {
    /// The outcome.
    pub outcome: &'static str,
}

/// One label named `resource`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ResourceLabel {
    /// The watched resource.
    pub resource: &'static str,
}

/// One label named `gate`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct GateLabel {
    /// The readiness gate.
    pub gate: &'static str,
}

/// One label named `reason`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ReasonLabel {
    /// The reason.
    pub reason: &'static str,
}

/// No label at all: a family without a member until it is set.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct NoLabel {}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct VersionLabel {
    version: &'static str,
}

/// What happens to the connections of one port.
#[derive(Clone, Default)]
pub struct ConnectionMetrics {
    /// Open connections.
    pub open: Gauge,
    closed: Family<ReasonLabel, Counter>,
}

impl ConnectionMetrics {
    /// Counts a connection that was not closed by its client.
    pub fn closed(&self, reason: &'static str) {
        self.closed.get_or_create(&ReasonLabel { reason }).inc();
    }
}

/// TLS on the webhook port. Without TLS, none of it appears.
#[derive(Clone, Default)]
pub struct TlsMetrics {
    handshakes: Family<OutcomeLabel, Counter>,
    reloads: Family<OutcomeLabel, Counter>,
    expiry: Family<NoLabel, Gauge>,
}

impl TlsMetrics {
    /// Counts a handshake.
    pub fn shaken(&self, outcome: &'static str) {
        self.handshakes.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Makes the counters of reloads appear with 0, so that an increase can be seen from the first one on.
    pub fn begin(&self) {
        for outcome in ["loaded", "failed"] {
            drop(self.reloads.get_or_create(&OutcomeLabel { outcome }));
        }
    }

    /// Counts files that changed, and whether they could be used.
    pub fn reloaded(&self, outcome: &'static str) {
        self.reloads.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// The certificate in use ends then, in seconds since 1970.
    pub fn expires(&self, timestamp: i64) {
        self.expiry.get_or_create(&NoLabel {}).set(timestamp);
    }
}

/// Everything that is counted. Gauges that mirror a table are set at each scrape, so they cannot drift.
pub struct Metrics {
    registry: Registry,
    deliveries: Family<DeliveryLabels, Counter>,
    delivery_duration: Family<KindLabel, Histogram, fn() -> Histogram>,
    /// Warehouses selected by deliveries.
    warehouses_matched: Counter,
    /// Promotions selected by deliveries.
    promotions_matched: Counter,
    /// Refreshes asked of the refresher.
    pub refresh_requests: Counter,
    refresh_patches: Family<OutcomeLabel, Counter>,
    refresh_patch_duration: Histogram,
    /// Warehouses and Promotions that owe a refresh.
    pub refresh_owed: Gauge,
    /// Served receivers.
    pub routes: Family<KindLabel, Gauge>,
    /// Indexed subscriptions.
    pub subscriptions: Family<KindLabel, Gauge>,
    /// Subscriptions that cannot be evaluated.
    pub rejected_subscriptions: Gauge,
    /// Warehouses in the index.
    pub warehouses: Gauge,
    /// Promotions in the index.
    pub promotions: Gauge,
    reconciles: Family<OutcomeLabel, Counter>,
    status_writes: Family<OutcomeLabel, Counter>,
    watch_restarts: Family<ResourceLabel, Counter>,
    /// Readiness gates: 1 is open.
    pub ready: Family<GateLabel, Gauge>,
    /// Whether this replica leads: 0 or 1.
    pub leader: Gauge,
    /// Failed calls about the Lease; a lost race is none.
    pub lease_errors: Counter,
    /// Refreshes made good because no replica lived when their pushes may have arrived.
    pub catch_up_refreshes: Counter,
    /// Warehouses that the catch-up has still to come to.
    pub catch_up_remaining: Gauge,
    /// The webhook port.
    pub connections: ConnectionMetrics,
    /// What the spool does and holds.
    pub spool: SpoolMetrics,
    intake_runs: Family<OutcomeLabel, Counter>,
    previous_secret_deliveries: Family<KindLabel, Counter>,
    previous_secret_last_used: Family<KindLabel, Gauge>,
    /// TLS on the webhook port.
    pub tls: TlsMetrics,
}

/// From a quick refusal to the acknowledgement deadline and beyond.
const DELIVERY_SECONDS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.0, 10.0];
/// From a fast API server to the timeout of a PATCH.
const PATCH_SECONDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0, 30.0];

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All metrics, registered under the prefix `quayside`.
    #[must_use]
    pub fn new() -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("quayside"),
            deliveries: Family::default(),
            delivery_duration: Family::new_with_constructor(|| Histogram::new(DELIVERY_SECONDS)),
            warehouses_matched: Counter::default(),
            promotions_matched: Counter::default(),
            refresh_requests: Counter::default(),
            refresh_patches: Family::default(),
            refresh_patch_duration: Histogram::new(PATCH_SECONDS),
            refresh_owed: Gauge::default(),
            routes: Family::default(),
            subscriptions: Family::default(),
            rejected_subscriptions: Gauge::default(),
            warehouses: Gauge::default(),
            promotions: Gauge::default(),
            reconciles: Family::default(),
            status_writes: Family::default(),
            watch_restarts: Family::default(),
            ready: Family::default(),
            leader: Gauge::default(),
            lease_errors: Counter::default(),
            catch_up_refreshes: Counter::default(),
            catch_up_remaining: Gauge::default(),
            connections: ConnectionMetrics::default(),
            spool: SpoolMetrics::default(),
            intake_runs: Family::default(),
            previous_secret_deliveries: Family::default(),
            previous_secret_last_used: Family::default(),
            tls: TlsMetrics::default(),
        };
        metrics.registered()
    }

    fn registered(mut self) -> Self {
        let r = &mut self.registry;
        r.register("deliveries", "Webhook requests by receiver kind and outcome", self.deliveries.clone());
        r.register_with_unit(
            "delivery_duration",
            "Time from the last byte of a request to its answer",
            Unit::Seconds,
            self.delivery_duration.clone(),
        );
        r.register("warehouses_matched", "Warehouses selected by deliveries", self.warehouses_matched.clone());
        r.register("promotions_matched", "Promotions selected by deliveries", self.promotions_matched.clone());
        r.register("refresh_requests", "Refreshes asked for, before coalescing", self.refresh_requests.clone());
        r.register("refresh_patches", "Annotation PATCHes by outcome", self.refresh_patches.clone());
        r.register_with_unit(
            "refresh_patch_duration",
            "Duration of annotation PATCHes",
            Unit::Seconds,
            self.refresh_patch_duration.clone(),
        );
        r.register("refresh_owed", "Warehouses and Promotions that owe a refresh", self.refresh_owed.clone());
        r.register("routes", "Served receivers by kind", self.routes.clone());
        r.register("subscriptions", "Indexed subscriptions by kind", self.subscriptions.clone());
        r.register(
            "rejected_subscriptions",
            "Subscriptions that cannot be evaluated and therefore accept no tag",
            self.rejected_subscriptions.clone(),
        );
        r.register("warehouses", "Warehouses in the index", self.warehouses.clone());
        r.register("promotions", "Promotions in the index", self.promotions.clone());
        r.register("reconciles", "Reconciliations of objects that declare receivers", self.reconciles.clone());
        r.register("status_writes", "Status writes by outcome", self.status_writes.clone());
        r.register("watch_restarts", "Watches that ended with an error", self.watch_restarts.clone());
        r.register("ready", "Readiness gates, 1 when open", self.ready.clone());
        r.register("leader", "Whether this replica writes statuses", self.leader.clone());
        r.register("lease_errors", "Failed reads and writes of the Lease", self.lease_errors.clone());
        r.register("catch_up_refreshes", "Refreshes made good after a downtime", self.catch_up_refreshes.clone());
        r.register(
            "catch_up_remaining",
            "Warehouses that the catch-up after a downtime has still to come to",
            self.catch_up_remaining.clone(),
        );
        self.spool.register(r);
        r.register(
            "intake_runs",
            "Requests run that were taken in before the tables were filled",
            self.intake_runs.clone(),
        );
        r.register(
            "previous_secret_deliveries",
            "Requests to the URL of a previous secret",
            self.previous_secret_deliveries.clone(),
        );
        r.register(
            "previous_secret_last_used_timestamp_seconds",
            "When the URL of a previous secret was last used, in seconds since 1970",
            self.previous_secret_last_used.clone(),
        );
        r.register("connections", "Open connections on the webhook port", self.connections.open.clone());
        r.register(
            "connections_closed",
            "Connections on the webhook port that were not closed by their client",
            self.connections.closed.clone(),
        );
        r.register("tls_handshakes", "TLS handshakes by outcome", self.tls.handshakes.clone());
        r.register("tls_reload", "Changes of the TLS files by outcome", self.tls.reloads.clone());
        r.register_with_unit(
            "tls_certificate_expiry_timestamp",
            "When the certificate in use expires, since 1970",
            Unit::Seconds,
            self.tls.expiry.clone(),
        );
        let build: Family<VersionLabel, Gauge> = Family::default();
        build.get_or_create(&VersionLabel { version: env!("CARGO_PKG_VERSION") }).set(1);
        r.register("build_info", "The running version", build);
        self
    }

    /// Counts an answered request.
    pub fn delivered(&self, kind: &'static str, outcome: &'static str, took: Option<Duration>) {
        self.deliveries.get_or_create(&DeliveryLabels { kind, outcome }).inc();
        if let Some(took) = took {
            self.delivery_duration.get_or_create(&KindLabel { kind }).observe(took.as_secs_f64());
        }
    }

    /// Counts what a delivery selects.
    pub fn matched(&self, targets: &[Target]) {
        for target in targets {
            match target.kind {
                TargetKind::Warehouse => self.warehouses_matched.inc(),
                TargetKind::Promotion => self.promotions_matched.inc(),
            };
        }
    }

    /// Notes that a URL of a previous secret was used.
    pub fn previous_secret_used(&self, kind: &'static str, now: Timestamp) {
        self.previous_secret_deliveries.get_or_create(&KindLabel { kind }).inc();
        self.previous_secret_last_used.get_or_create(&KindLabel { kind }).set(now.as_second());
    }

    /// Counts a request that was taken in and has been run.
    pub fn ran_from_intake(&self, outcome: &'static str) {
        self.intake_runs.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts a PATCH.
    pub fn patched(&self, outcome: &'static str, took: Duration) {
        self.refresh_patches.get_or_create(&OutcomeLabel { outcome }).inc();
        self.refresh_patch_duration.observe(took.as_secs_f64());
    }

    /// Counts a reconciliation.
    pub fn reconciled(&self, outcome: &'static str) {
        self.reconciles.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts a status write.
    pub fn status_written(&self, outcome: &'static str) {
        self.status_writes.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts a watch that has to be resumed.
    pub fn watch_restarted(&self, resource: &'static str) {
        self.watch_restarts.get_or_create(&ResourceLabel { resource }).inc();
    }

    /// The exposition text (OpenMetrics).
    #[must_use]
    pub fn exposition(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        encode(&mut text, &self.registry).ok();
        text
    }
}
