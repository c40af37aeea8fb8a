//! The second port: probes and metrics, never reachable for senders.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use prometheus_client::registry::Registry;
use serde_json::{Map, Value, json};

use crate::lease::Leadership;
use crate::metrics::{Metrics, exposition};
use crate::process::readiness::{Gate, Readiness};
use crate::refresh::Refresher;
use crate::tables::Tables;

/// What the admin port reports on.
pub struct Admin {
    /// The gates.
    readiness: Arc<Readiness>,
    metrics: Metrics,
    registry: Registry,
    /// For the number of routes, subscriptions and Promotions.
    tables: Tables,
    /// For the number of owed refreshes.
    refresher: Refresher,
    /// For who leads.
    leadership: Leadership,
}

/// `/livez`, `/readyz` and `/metrics`.
pub fn router(admin: Arc<Admin>) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(admin)
}

/// 200 when every gate is open, else 503; either way the body names the state of each gate.
async fn readyz(State(admin): State<Arc<Admin>>) -> Response {
    let gates: Map<String, Value> =
        Gate::ALL.iter().map(|gate| (gate.as_str().to_owned(), admin.readiness.is_open(*gate).into())).collect();
    let ready = admin.readiness.is_ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({"ready": ready, "draining": admin.readiness.is_draining(), "gates": gates});
    (status, [(header::CONTENT_TYPE, "application/json")], format!("{body}\n")).into_response()
}

async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    admin.read_tables();
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], exposition(&admin.registry)).into_response()
}

impl Admin {
    /// A port that reports on these.
    #[must_use]
    pub fn new(
        tables: Tables,
        refresher: Refresher,
        leadership: Leadership,
        readiness: Arc<Readiness>,
        metrics: Metrics,
    ) -> Self {
        let registry = metrics.registry();
        Self { readiness, metrics, registry, tables, refresher, leadership }
    }

    /// Sets the gauges that mirror a table.
    fn read_tables(&self) {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.lease.leads(self.leadership.is_leader());
        self.metrics.refresh.owed.set(gauge(self.refresher.owed()));
        let routes = self.tables.routes.counts();
        for kind in crate::domain::kind::ReceiverKind::ALL {
            let count = routes.get(&kind).copied().unwrap_or_default();
            self.metrics.tables.routes(kind.as_str(), gauge(count));
        }
        self.metrics.tables.unresolved_owners.set(gauge(self.tables.routes.unresolved()));
        self.metrics.tables.promotions.set(gauge(self.tables.promotions.len()));
        let totals = self.tables.index.totals();
        self.metrics.tables.warehouses.set(gauge(totals.warehouses));
        self.metrics.tables.rejected_subscriptions.set(gauge(totals.rejected));
        for (kind, count) in totals.by_kind {
            self.metrics.tables.subscriptions(kind, gauge(count));
        }
        for gate in Gate::ALL {
            self.metrics.controller.gate(gate.as_str(), self.readiness.is_open(gate));
        }
    }
}
