//! The views: what the operator shows to the people who run it.
//!
//! They listen on the Pod's loopback by default, so that the right to port-forward to the Pod is the right to look.
//! They only read, and they never show a receiver's URL, a secret or a body.

mod api;
pub mod checks;
mod filter;
pub mod look;
pub mod model;
mod page;
pub mod paths;
pub mod silence;
pub mod why;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use http::{HeaderValue, StatusCode, header};

pub use filter::Filter;
use look::Look;

/// Under which names of this machine the views answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// Those of the loopback only, so that no web page of a stranger can ask by a name of its own.
    Loopback,
    /// Every name, for views that were opened to a network on purpose.
    Any,
}

/// The routes of the views.
pub fn router<L: Look>(look: Arc<L>, hosts: Hosts) -> Router {
    Router::new()
        .route("/api/v1/deliveries", get(api::deliveries::<L>))
        .route("/api/v1/deliveries/{id}", get(api::delivery::<L>))
        .route("/api/v1/receivers", get(api::receivers::<L>))
        .route("/api/v1/warehouses/{namespace}/{name}", get(api::warehouse::<L>))
        .route("/api/v1/health", get(api::health::<L>))
        .route("/api/v1/checks", get(api::checks::<L>))
        .route("/api/v1/events", get(api::events::<L>))
        .merge(page::routes::<L>())
        .fallback(|| async { api::error(StatusCode::NOT_FOUND, "nothing is served at this path; see docs/views.md") })
        .layer(middleware::from_fn_with_state(hosts, guard))
        .with_state(look)
}

/// Keeps web pages of others out, and says how browsers have to treat what they get.
async fn guard(State(hosts): State<Hosts>, request: Request<Body>, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let mut response = if hosts == Hosts::Any || is_at_home(host) {
        next.run(request).await
    } else {
        // A page of a stranger whose name resolves to this address sends its own name.
        api::error(StatusCode::MISDIRECTED_REQUEST, "ask for the views under localhost")
    };
    let fixed = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
             base-uri 'none'; frame-ancestors 'none'",
        ),
    ];
    for (name, value) in fixed {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether a `Host` header names this machine. A request without one comes from no browser.
fn is_at_home(host: Option<&str>) -> bool {
    let Some(host) = host else { return true };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
