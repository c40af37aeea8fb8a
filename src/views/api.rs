//! The JSON below `/api/v1/`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, RawQuery, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use http::{StatusCode, header};
use serde::Serialize;

use super::Filter;
use super::look::{Look, News};

/// Comments in a stream of events, so that proxies and readers notice a connection that broke.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A JSON answer.
pub(super) fn json<T: Serialize>(value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "a view cannot be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// An answer that says what went wrong.
pub(super) fn error(status: StatusCode, message: &str) -> Response {
    (status, json(&serde_json::json!({ "error": message }))).into_response()
}

/// Reads the filter of a query, or answers what is wrong with it.
pub(super) fn filter(query: Option<&str>) -> Result<Filter, String> {
    Filter::from_query(query.unwrap_or_default())
}

pub(super) async fn deliveries<L: Look>(State(look): State<Arc<L>>, RawQuery(query): RawQuery) -> Response {
    match filter(query.as_deref()) {
        Ok(filter) => json(&look.deliveries(&filter).await),
        Err(message) => error(StatusCode::BAD_REQUEST, &message),
    }
}

pub(super) async fn delivery<L: Look>(State(look): State<Arc<L>>, Path(id): Path<String>) -> Response {
    match look.delivery(&id).await {
        Some(record) => json(&record),
        None => error(StatusCode::NOT_FOUND, "no delivery of that id is remembered"),
    }
}

pub(super) async fn receivers<L: Look>(State(look): State<Arc<L>>) -> Response {
    json(&look.receivers().await)
}

pub(super) async fn warehouse<L: Look>(
    State(look): State<Arc<L>>,
    Path((namespace, name)): Path<(String, String)>,
) -> Response {
    json(&look.warehouse(&namespace, &name).await)
}

pub(super) async fn health<L: Look>(State(look): State<Arc<L>>) -> Response {
    json(&look.health().await)
}

pub(super) async fn checks<L: Look>(State(look): State<Arc<L>>) -> Response {
    json(&look.checks().await)
}

/// `event: delivery` with a record in JSON, `event: missed` with a number when the reader was too slow.
pub(super) async fn events<L: Look>(State(look): State<Arc<L>>, RawQuery(query): RawQuery) -> Response {
    let filter = match filter(query.as_deref()) {
        Ok(filter) => filter,
        Err(message) => return error(StatusCode::BAD_REQUEST, &message),
    };
    let events = look.news().filter_map(move |news| {
        let event = match news {
            News::Delivery(record) if filter.passes(&record) => match serde_json::to_string(&*record) {
                Ok(record) => Some(Event::default().event("delivery").data(record)),
                Err(error) => {
                    tracing::error!(%error, "a delivery cannot be written as JSON");
                    None
                }
            },
            News::Delivery(_) => None,
            News::Missed(count) => Some(Event::default().event("missed").data(count.to_string())),
        };
        std::future::ready(event.map(Ok::<_, Infallible>))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}
