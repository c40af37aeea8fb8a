//! What is counted about TLS on the webhook port. Without TLS, none of it appears.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::OutcomeLabel;

/// No label at all: a family without a member until it is set.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct NoLabel {}

/// The metrics of TLS; clones count into the same metrics.
#[derive(Clone, Default)]
pub struct TlsMetrics {
    handshakes: Family<OutcomeLabel, Counter>,
    reloads: Family<OutcomeLabel, Counter>,
    passed_on: Family<OutcomeLabel, Counter>,
    expiry: Family<NoLabel, Gauge>,
}

/// Whether files that have changed could be used.
#[derive(Clone, Copy, Debug)]
pub enum Reload {
    /// They are in force.
    Loaded,
    /// The last good ones stay in force.
    Failed,
}

impl Reload {
    const fn label(self) -> OutcomeLabel {
        let outcome = match self {
            Self::Loaded => "loaded",
            Self::Failed => "failed",
        };
        OutcomeLabel { outcome }
    }
}

/// What became of a client certificate in the header of a proxy.
#[derive(Clone, Copy, Debug)]
pub enum PassedOn {
    /// It is trusted.
    Verified,
    /// It is not trusted.
    Unverified,
    /// A trusted proxy passed on none.
    Anonymous,
    /// The header of a trusted proxy could not be read.
    Malformed,
    /// The header did not come from a trusted proxy.
    Untrusted,
}

impl PassedOn {
    const fn label(self) -> OutcomeLabel {
        let outcome = match self {
            Self::Verified => "verified",
            Self::Unverified => "unverified",
            Self::Anonymous => "anonymous",
            Self::Malformed => "malformed",
            Self::Untrusted => "untrusted",
        };
        OutcomeLabel { outcome }
    }
}

impl TlsMetrics {
    /// Puts all of them, named `tls_…`, into the registry.
    pub fn register(&self, registry: &mut Registry) {
        let r = registry.sub_registry_with_prefix("tls");
        r.register("handshakes", "TLS handshakes by outcome", self.handshakes.clone());
        r.register("reload", "Changes of the TLS files by outcome", self.reloads.clone());
        r.register("passed_on", "Client certificates in the header of proxies by outcome", self.passed_on.clone());
        r.register_with_unit(
            "certificate_expiry_timestamp",
            "When the certificate in use expires, since 1970",
            Unit::Seconds,
            self.expiry.clone(),
        );
    }

    /// Counts a handshake.
    pub fn shaken(&self, outcome: &'static str) {
        self.handshakes.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Makes the counters of reloads appear with 0, so that an increase can be seen from the first one on.
    pub fn begin(&self) {
        for reload in [Reload::Loaded, Reload::Failed] {
            drop(self.reloads.get_or_create(&reload.label()));
        }
    }

    /// Counts files that changed, and whether they could be used.
    pub fn reloaded(&self, reload: Reload) {
        self.reloads.get_or_create(&reload.label()).inc();
    }

    /// Counts a header with a client certificate, or a request of a trusted proxy without one.
    pub fn passed_on(&self, outcome: PassedOn) {
        self.passed_on.get_or_create(&outcome.label()).inc();
    }

    /// How many there were.
    #[cfg(test)]
    pub fn count(&self, outcome: PassedOn) -> u64 {
        self.passed_on.get_or_create(&outcome.label()).get()
    }

    /// The certificate in use ends then, in seconds since 1970.
    pub fn expires(&self, timestamp: i64) {
        self.expiry.get_or_create(&NoLabel {}).set(timestamp);
    }
}
