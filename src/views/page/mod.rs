//! The page: readable without JavaScript, live with it, from nothing but this program.

mod checks;
mod delivery;
mod home;
mod parts;
mod warehouse;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http::{StatusCode, header};
use maud::{DOCTYPE, Markup, html};

use super::api::filter;
use super::look::Look;
use super::paths;
use crate::process::clock::Clock;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const ICON: &str = include_str!("icon.svg");

pub(super) fn routes<L: Look>() -> Router<Arc<L>> {
    Router::new()
        .route("/", get(home_page::<L>))
        .route("/checks", get(checks_page::<L>))
        .route("/deliveries/{id}", get(delivery_page::<L>))
        .route("/warehouses", get(find))
        .route("/warehouses/{namespace}/{name}", get(warehouse_page::<L>))
        .route("/assets/page.css", get(|| async { asset("text/css; charset=utf-8", STYLE) }))
        .route("/assets/page.js", get(|| async { asset("text/javascript; charset=utf-8", SCRIPT) }))
        .route("/assets/icon.svg", get(|| async { asset("image/svg+xml", ICON) }))
}

fn asset(content_type: &'static str, content: &'static str) -> Response {
    ([(header::CONTENT_TYPE, content_type)], content).into_response()
}

async fn home_page<L: Look>(State(look): State<Arc<L>>, RawQuery(query): RawQuery) -> Response {
    let filter = match filter(query.as_deref()) {
        Ok(filter) => filter,
        Err(message) => {
            return page(
                StatusCode::BAD_REQUEST,
                "Bad filter",
                &html! { h1 { "This filter cannot be used" } p { (message) } },
            );
        }
    };
    let (deliveries, receivers, replicas) = futures::join!(look.deliveries(&filter), look.receivers(), look.health());
    let now = Clock::system().now();
    page(StatusCode::OK, "Deliveries", &home::page(&filter, &deliveries, &receivers, &replicas, now))
}

async fn checks_page<L: Look>(State(look): State<Arc<L>>) -> Response {
    page(StatusCode::OK, "Checks", &checks::page(&look.checks().await))
}

async fn delivery_page<L: Look>(State(look): State<Arc<L>>, Path(id): Path<String>) -> Response {
    match look.delivery(&id).await {
        Some(record) => page(StatusCode::OK, &format!("Delivery {id}"), &delivery::page(&record)),
        None => page(
            StatusCode::NOT_FOUND,
            "Unknown delivery",
            &html! {
                h1 { "No delivery of this id is remembered" }
                p { "Records live in the memory of the replicas, 200 for each receiver. The log may still have its line." }
                p { a href="/" { "All deliveries" } }
            },
        ),
    }
}

async fn warehouse_page<L: Look>(
    State(look): State<Arc<L>>,
    Path((namespace, name)): Path<(String, String)>,
) -> Response {
    let view = look.warehouse(&namespace, &name).await;
    page(StatusCode::OK, &format!("Why {namespace}/{name}"), &warehouse::page(&view))
}

/// Where the form for a Warehouse leads.
async fn find(RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let name = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "name").map(|(_, value)| value);
    let name = name.unwrap_or_default();
    match name.trim().split_once('/') {
        Some((namespace, name)) => Redirect::to(&paths::warehouse(namespace, name)).into_response(),
        None => page(
            StatusCode::BAD_REQUEST,
            "Which Warehouse?",
            &html! { h1 { "Write the Warehouse as NAMESPACE/NAME" } p { "For example kargo-demo/app. " a href="/" { "Back" } } },
        ),
    }
}

fn page(status: StatusCode, title: &str, content: &Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Quayside" }
                link rel="icon" href="/assets/icon.svg";
                link rel="stylesheet" href="/assets/page.css";
                script src="/assets/page.js" defer {}
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                header {
                    a.brand href="/" { "Quayside" }
                    nav aria-label="Pages" {
                        a href="/" { "Deliveries" }
                        a href="/checks" { "Checks" }
                    }
                    form.find role="search" action="/warehouses" {
                        label for="find" { "Why does a Warehouse stand still?" }
                        input id="find" name="name" placeholder="namespace/warehouse" autocomplete="off" spellcheck="false";
                        button { "Ask" }
                    }
                    div.live {
                        button #pause type="button" hidden aria-pressed="false" { "Pause" }
                        span #stream role="status" {}
                    }
                }
                main #content tabindex="-1" { (content) }
            }
        }
    };
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page.into_string()).into_response()
}
