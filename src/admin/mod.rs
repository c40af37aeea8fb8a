//! The second port: probes and metrics, never reachable for senders.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use serde_json::{Map, Value, json};

use crate::lease::Leadership;
use crate::metrics::{GateLabel, KindLabel, Metrics};
use crate::process::readiness::{Gate, Readiness};
use crate::refresh::Refresher;
use crate::tables::promotions::PromotionIndex;
use crate::tables::routes::RouteTable;
use crate::tables::warehouses::SubscriptionIndex;

/// What the admin port reports on.
pub struct Admin {
    /// The gates.
    pub readiness: Arc<Readiness>,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// For the number of routes.
    pub routes: Arc<RouteTable>,
    /// For the number of subscriptions.
    pub index: Arc<SubscriptionIndex>,
    /// For the number of Promotions.
    pub promotions: Arc<PromotionIndex>,
    /// For the number of owed refreshes.
    pub refresher: Refresher,
    /// For who leads.
    pub leadership: Leadership,
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
    ([(header::CONTENT_TYPE, content_type)], admin.metrics.exposition()).into_response()
}

impl Admin {
    /// Sets the gauges that mirror a table.
    fn read_tables(&self) {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.leader.set(i64::from(self.leadership.is_leader()));
        self.metrics.refresh_owed.set(gauge(self.refresher.owed()));
        let routes = self.routes.counts();
        for kind in crate::domain::kind::ReceiverKind::ALL {
            let count = routes.get(&kind).copied().unwrap_or_default();
            self.metrics.routes.get_or_create(&KindLabel { kind: kind.as_str() }).set(gauge(count));
        }
        self.metrics.promotions.set(gauge(self.promotions.len()));
        let totals = self.index.totals();
        self.metrics.warehouses.set(gauge(totals.warehouses));
        self.metrics.rejected_subscriptions.set(gauge(totals.rejected));
        for (kind, count) in totals.by_kind {
            self.metrics.subscriptions.get_or_create(&KindLabel { kind }).set(gauge(count));
        }
        for gate in Gate::ALL {
            let label = GateLabel { gate: gate.as_str() };
            self.metrics.ready.get_or_create(&label).set(i64::from(self.readiness.is_open(gate)));
        }
    }
}
