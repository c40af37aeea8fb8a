//! The API: what each state of token, rights, repository and hook comes to.

use std::time::Instant;

use http::request::Parts;
use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::store::{Call, Notification, Right, Scope, Store};

/// Status, media type and body.
type Answer = (u16, &'static str, String);

const EVENTS: [&str; 13] = [
    "repo_push",
    "repo_mirror_sync_started",
    "repo_mirror_sync_success",
    "repo_mirror_sync_failed",
    "vulnerability_found",
    "build_queued",
    "build_start",
    "build_success",
    "build_failure",
    "build_cancelled",
    "repo_image_expiry",
    "quota_warning",
    "quota_error",
];
const METHODS: [&str; 6] = ["webhook", "email", "slack", "flowdock", "hipchat", "quay_notification"];

/// What a path means.
enum Route {
    Repositories,
    Repository(String),
    /// The hooks of a repository; whether the path ends in a slash.
    Hooks(String, bool),
    Hook(String, String),
    Test(String, String),
}

fn route(path: &str) -> Option<Route> {
    let rest = path.strip_prefix("/api/v1/repository")?.replace("%2F", "/");
    let Some(rest) = rest.strip_prefix('/').filter(|rest| !rest.is_empty()) else {
        return Some(Route::Repositories);
    };
    let Some((name, hook)) = rest.split_once("/notification") else {
        return Some(Route::Repository(rest.to_owned()));
    };
    let name = name.to_owned();
    Some(match hook.strip_prefix('/') {
        None => Route::Hooks(name, false),
        Some("") => Route::Hooks(name, true),
        Some(hook) => match hook.strip_suffix("/test") {
            Some(hook) => Route::Test(name, hook.to_owned()),
            None => Route::Hook(name, hook.to_owned()),
        },
    })
}

/// Answers a call and notes it.
pub(super) fn answer(store: &mut Store, head: &Parts, body: &[u8]) -> Answer {
    let Some(route) = route(head.uri.path()) else {
        return html(404);
    };
    let (what, of) = match (&head.method, &route) {
        (_, Route::Repositories) => ("repositories", query(head, "namespace").unwrap_or_default()),
        (_, Route::Repository(name)) => ("inspect", name.clone()),
        (&Method::POST, Route::Hooks(name, _)) => ("create", name.clone()),
        (_, Route::Hooks(name, _)) => ("list", name.clone()),
        (&Method::POST, Route::Hook(name, _)) => ("reset", name.clone()),
        (&Method::DELETE, Route::Hook(name, _)) => ("delete", name.clone()),
        (_, Route::Hook(name, _)) => ("get", name.clone()),
        (_, Route::Test(name, _)) => ("test", name.clone()),
    };
    let answer = if store.throttled > 0 {
        store.throttled -= 1;
        html(429)
    } else {
        judged(store, head, &route, body)
    };
    store.calls.push(Call { at: Instant::now(), what, of, status: answer.0 });
    answer
}

fn judged(store: &mut Store, head: &Parts, route: &Route, body: &[u8]) -> Answer {
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_get = head.method == Method::GET;
    if is_get && header("user-agent").contains("Mozilla") && header("x-requested-with") != "XMLHttpRequest" {
        return (
            400,
            "application/json",
            json!({"message": "API calls must be invoked with an X-Requested-With header"}).to_string(),
        );
    }
    if matches!(route, Route::Hooks(_, false)) {
        return html(308);
    }
    if !body.is_empty() && !header("content-type").starts_with("application/json") {
        return html(415);
    }
    let scope = scope(store, &head.headers);
    if let Route::Repositories = route {
        return repositories(store, head, scope);
    }
    let Some(scope) = scope else {
        return if is_get {
            error(401, "invalid_token")
        } else {
            said(403, &json!({"error": "CSRF token was invalid or missing."}))
        };
    };
    let name = match route {
        Route::Repository(name) | Route::Hooks(name, _) | Route::Hook(name, _) | Route::Test(name, _) => name.clone(),
        Route::Repositories => String::new(),
    };
    let is_own = name.split_once('/').is_some_and(|(namespace, _)| store.namespaces.contains(namespace));
    let right = match store.get(&name) {
        Some(repository) => repository.right,
        None if is_own => Right::Admin,
        None => Right::Nothing,
    };
    let is_inspection = matches!(route, Route::Repository(_));
    let may = match (right, scope) {
        (Right::Nothing, _) => false,
        (Right::Write, _) | (Right::Admin, Scope::Less) => is_inspection,
        (Right::Admin, Scope::RepoAdmin) => true,
    };
    if !may {
        return error(403, "insufficient_scope");
    }
    if !is_get && store.is_read_only {
        return said(503, &json!({"is_readonly": true, "message": "System is currently read-only."}));
    }
    match (&head.method, route) {
        (&Method::GET, Route::Repository(name)) => {
            inspect(store, name, right == Right::Admin && scope == Scope::RepoAdmin)
        }
        (&Method::GET, Route::Hooks(name, _)) => list(store, name),
        (&Method::POST, Route::Hooks(name, _)) => create(store, name, body),
        (&Method::GET, Route::Hook(_, uuid)) => match anywhere(store, uuid) {
            Some((_, hook)) => said(200, &shown(hook)),
            None => error(404, "not_found"),
        },
        (&Method::POST, Route::Hook(name, uuid)) => reset(store, name, uuid),
        (&Method::POST, Route::Test(_, uuid)) => test(store, uuid),
        (&Method::DELETE, Route::Hook(name, uuid)) => delete(store, name, uuid),
        (&Method::PUT, _) => html(404),
        _ => html(405),
    }
}

/// The scope of the token; `None` for none, and for one that is unknown or revoked.
fn scope(store: &Store, headers: &HeaderMap) -> Option<Scope> {
    let token = headers.get("authorization")?.to_str().ok()?.strip_prefix("Bearer ")?;
    store.tokens.get(token).copied()
}

fn query(head: &Parts, name: &str) -> Option<String> {
    let query = head.uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

/// What looks like the token of a page, of the length that a real one has.
fn page_token(start: usize) -> String {
    format!("{:A<184}", format!("page{start}-"))
}

fn repositories(store: &Store, head: &Parts, scope: Option<Scope>) -> Answer {
    let Some(namespace) = query(head, "namespace") else {
        return error(400, "invalid_request");
    };
    let prefix = format!("{namespace}/");
    let visible: Vec<&str> = store
        .repositories
        .iter()
        .filter(|repository| scope.is_some() && repository.right != Right::Nothing)
        .filter_map(|repository| repository.name.strip_prefix(&prefix))
        .collect();
    // What it does not understand is answered with the first page.
    let start = query(head, "next_page").and_then(|token| token.strip_prefix("page")?.split('-').next()?.parse().ok());
    let start: usize = start.unwrap_or(0).min(visible.len());
    let end = (start + store.page_size).min(visible.len());
    let page: Vec<Value> = visible[start..end]
        .iter()
        .map(|name| {
            json!({"namespace": namespace, "name": name, "description": null, "is_public": false, "kind": "image",
                   "state": "NORMAL", "is_starred": false})
        })
        .collect();
    let mut body = json!({"repositories": page});
    if end < visible.len() {
        body["next_page"] = page_token(end).into();
    }
    said(200, &body)
}

fn inspect(store: &mut Store, name: &str, can_admin: bool) -> Answer {
    let Some(repository) = store.get(name) else {
        return error(404, "not_found");
    };
    let (namespace, name) = repository.name.split_once('/').unwrap();
    let body = json!({
        "namespace": namespace, "name": name, "kind": "image", "description": null, "is_public": false,
        "is_organization": true, "is_starred": false, "status_token": "", "trust_enabled": false,
        "tag_expiration_s": 1_209_600, "is_free_account": true, "state": "NORMAL", "can_write": true,
        "can_admin": can_admin,
    });
    said(200, &body)
}

/// All hooks, in another order each time. A repository that does not exist has none.
fn list(store: &mut Store, name: &str) -> Answer {
    let turn = store.calls.len();
    let hooks = store.get(name).map(|repository| {
        let mut hooks: Vec<Value> = repository.hooks.iter().map(shown).collect();
        let turn = turn % hooks.len().max(1);
        hooks.rotate_left(turn);
        hooks
    });
    said(200, &json!({"notifications": hooks.unwrap_or_default()}))
}

fn shown(hook: &Notification) -> Value {
    json!({
        "uuid": hook.uuid, "title": hook.title, "event": hook.event, "method": hook.method,
        "config": {"url": hook.url}, "event_config": {}, "number_of_failures": hook.number_of_failures,
    })
}

fn create(store: &mut Store, name: &str, body: &[u8]) -> Answer {
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return error(400, "invalid_request");
    };
    // In a repository of its own that does not exist, Quay itself breaks.
    if store.get(name).is_none() {
        return html(500);
    }
    let (event, method) = (body["event"].as_str().unwrap_or_default(), body["method"].as_str().unwrap_or_default());
    if body["event"].is_null()
        || body["method"].is_null()
        || !body["config"].is_object()
        || !body["eventConfig"].is_object()
    {
        return error(400, "invalid_request");
    }
    if body.get("title").is_some_and(|title| !title.is_string()) {
        return error(400, "invalid_request");
    }
    let title = body["title"].as_str();
    let template_is_fine = body["config"].get("template").is_none_or(Value::is_string);
    let title_is_fine = title.is_none_or(|title| title.chars().count() <= 255);
    if !EVENTS.contains(&event) || !METHODS.contains(&method) || !template_is_fine || !title_is_fine {
        return html(500);
    }
    let url = match &body["config"]["url"] {
        Value::Null => return said(400, &json!({"message": "Missing webhook URL"})),
        Value::String(url) => url.clone(),
        _ => return html(500),
    };
    match blocked(&url) {
        Some(500) => return html(500),
        Some(_) => return said(400, &json!({"message": "Invalid webhook URL"})),
        None => {}
    }
    let uuid = store.add(name, title, &url, event, method);
    store.audit.push(("add_repo_notification", name.to_owned()));
    let hook = store.hook(name, &uuid).unwrap();
    said(201, &shown(hook))
}

/// The status with which a URL is refused.
fn blocked(url: &str) -> Option<u16> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Some(400);
    };
    if !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") {
        return Some(400);
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default();
    if authority.is_empty() {
        return Some(500);
    }
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    matches!(host.to_ascii_lowercase().as_str(), "localhost" | "127.0.0.1").then_some(400)
}

/// A hook by its id alone, as GET and test find it, whatever the repository in the path.
fn anywhere<'a>(store: &'a Store, uuid: &str) -> Option<(&'a str, &'a Notification)> {
    let all = store.repositories.iter().flat_map(|of| of.hooks.iter().map(move |hook| (of.name.as_str(), hook)));
    all.into_iter().find(|(_, hook)| hook.uuid == uuid)
}

/// A hook that exists, but elsewhere, is told from one that does not exist at all.
fn missing(store: &Store, uuid: &str) -> Answer {
    let elsewhere = store.repositories.iter().flat_map(|repository| &repository.hooks).any(|hook| hook.uuid == uuid);
    if elsewhere {
        return said(400, &json!({"message": format!("No repository notification found with uuid: {uuid}")}));
    }
    error(400, "invalid_request")
}

fn reset(store: &mut Store, name: &str, uuid: &str) -> Answer {
    let at = store.get(name).and_then(|repository| repository.hooks.iter().position(|hook| hook.uuid == uuid));
    let Some(at) = at else {
        return missing(store, uuid);
    };
    let repository = store.found(name);
    let mut hook = repository.hooks.remove(at);
    hook.number_of_failures = 0;
    repository.hooks.push(hook);
    store.audit.push(("reset_repo_notification", name.to_owned()));
    (204, "application/json", String::new())
}

/// Queued, unless the hook is switched off; the answer is the same.
fn test(store: &mut Store, uuid: &str) -> Answer {
    let Some((name, _)) = anywhere(store, uuid) else {
        return error(400, "invalid_request");
    };
    let name = name.to_owned();
    let body = super::push_body(&format!("{}/{name}", store.host), &["latest", "foo"]);
    let mut body: Value = serde_json::from_str(&body).unwrap();
    body["pruned_image_count"] = json!(3);
    store.queue(&name, uuid, &body.to_string());
    said(200, &json!({}))
}

fn delete(store: &mut Store, name: &str, uuid: &str) -> Answer {
    if store.hook(name, uuid).is_none() {
        return error(400, "invalid_request");
    }
    store.found(name).hooks.retain(|hook| hook.uuid != uuid);
    store.rows.retain(|row| row.uuid != uuid);
    store.audit.push(("delete_repo_notification", name.to_owned()));
    (204, "application/json", String::new())
}

fn said(status: u16, body: &Value) -> Answer {
    (status, "application/json", body.to_string())
}

fn error(status: u16, kind: &str) -> Answer {
    let body = json!({
        "detail": "", "error_message": kind, "error_type": kind, "title": kind,
        "type": format!("http://quay.example.com/api/v1/error/{kind}"), "status": status,
    });
    said(status, &body)
}

fn html(status: u16) -> Answer {
    (status, "text/html; charset=utf-8", format!("<html><body>{status}</body></html>"))
}
