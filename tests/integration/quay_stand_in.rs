//! The stand-in for Quay behaves as the real one was measured to. The other tests rely on what is asserted here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Answer, QuayStandIn, Right, SOON, exchange, wait_until};

const WEB: &str = "northwind/web";
const HOOKS: &str = "/repository/northwind/web/notification/";

/// Calls the API.
fn call(quay: &QuayStandIn, token: &str, request: &str, body: &Value) -> Answer {
    let (method, path) = request.split_once(' ').unwrap();
    let authorization = format!("Authorization: Bearer {token}");
    let headers = [authorization.as_str(), "Content-Type: application/json", "User-Agent: test"];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let address = quay.host().parse().unwrap();
    exchange(address, &format!("{method} /api/v1{path}"), &headers, body.as_bytes()).unwrap()
}

fn hook(url: &str) -> Value {
    json!({"event": "repo_push", "method": "webhook", "config": {"url": url}, "eventConfig": {}, "title": "Quayside"})
}

#[test]
fn each_state_of_token_right_and_repository_has_its_answers() {
    let quay = QuayStandIn::start();
    for name in [WEB, "northwind/written", "northwind/hidden"] {
        quay.repository(name);
    }
    quay.right("northwind/written", Right::Write);
    quay.right("northwind/hidden", Right::Nothing);
    let (good, less, revoked) = (quay.token(), quay.token_of_less(), quay.token());
    quay.revoke(&revoked);
    // Token, repository; then GET of the hooks, create, delete, reset, test, GET of the repository.
    for (token, name, expected) in [
        (&good, WEB, [200, 201, 400, 400, 400, 200]),
        (&good, "northwind/written", [403, 403, 403, 403, 403, 200]),
        (&good, "northwind/hidden", [403; 6]),
        (&less, WEB, [403, 403, 403, 403, 403, 200]),
        (&revoked, WEB, [401, 403, 403, 403, 403, 401]),
        (&good, "northwind/unknown", [200, 500, 400, 400, 400, 404]),
        (&good, "elsewhere/web", [403; 6]),
    ] {
        let hooks = format!("/repository/{name}/notification/");
        let status = |request: String, body: Value| call(&quay, token, &request, &body).status;
        let found = [
            status(format!("GET {hooks}"), Value::Null),
            status(format!("POST {hooks}"), hook("https://hooks.example.com/x")),
            status(format!("DELETE {hooks}none"), Value::Null),
            status(format!("POST {hooks}none"), Value::Null),
            status(format!("POST {hooks}none/test"), Value::Null),
            status(format!("GET /repository/{name}?includeTags=false"), Value::Null),
        ];
        assert_eq!(found, expected, "{name}");
    }
    let can_admin = |token: &str, name: &str| {
        call(&quay, token, &format!("GET /repository/{name}"), &Value::Null).json()["can_admin"].clone()
    };
    assert_eq!((can_admin(&good, WEB), can_admin(&good, "northwind/written")), (json!(true), json!(false)));
    assert_eq!(can_admin(&less, WEB), json!(false));
    let listed = |token: &str| call(&quay, token, "GET /repository?namespace=northwind", &Value::Null).json();
    assert_eq!(listed(&good)["repositories"].as_array().unwrap().len(), 2);
    assert_eq!(listed(&revoked), json!({"repositories": []}), "no word of a bad token");
    let csrf = call(&quay, &revoked, &format!("POST {HOOKS}"), &hook("https://h/x"));
    assert_eq!(csrf.json(), json!({"error": "CSRF token was invalid or missing."}));
}

#[test]
fn the_oddities_of_the_api() {
    let quay = QuayStandIn::start();
    quay.repository(WEB);
    quay.repository("northwind/team-a/other");
    let token = quay.token();
    let status = |request: &str, body: &Value| call(&quay, &token, request, body).status;
    assert_eq!(status(&format!("POST {}", HOOKS.trim_end_matches('/')), &hook("https://h/x")), 308);
    assert_eq!(status("GET /repository/northwind%2Fteam-a/other", &Value::Null), 200);
    let address = quay.host().parse().unwrap();
    let authorization = format!("Authorization: Bearer {token}");
    let untyped = exchange(address, &format!("POST /api/v1{HOOKS}"), &[&authorization], b"{}").unwrap();
    assert_eq!(untyped.status, 415);
    let browser = [authorization.as_str(), "User-Agent: Mozilla/5.0"];
    assert_eq!(exchange(address, &format!("GET /api/v1{HOOKS}"), &browser, b"").unwrap().status, 400);
    // URLs.
    for (url, expected) in [
        ("http://localhost/x", 400),
        ("https://127.0.0.1:8080/x", 400),
        ("ftp://h/x", 400),
        ("http:///x", 500),
        ("http://127.0.0.2/x", 201),
        ("http://[::1]/x", 201),
        ("https://user:pass@h/x?y#z", 201),
    ] {
        assert_eq!(status(&format!("POST {HOOKS}"), &hook(url)), expected, "{url}");
    }
    for (member, value, expected) in [
        ("event", json!("unknown"), 500),
        ("method", json!("carrier pigeon"), 500),
        ("title", json!("x".repeat(256)), 500),
        ("title", Value::Null, 400),
        ("config", json!({}), 400),
        ("config", json!({"url": 7}), 500),
    ] {
        let mut body = hook("https://h/x");
        body[member] = value;
        let answer = call(&quay, &token, &format!("POST {HOOKS}"), &body);
        assert_eq!(answer.status, expected, "{member}");
        assert_eq!(answer.head.contains("text/html"), expected == 500, "{}", answer.head);
    }
    // Doubles, and an order that does not last.
    let double = hook("https://h/double");
    for _ in 0..2 {
        assert_eq!(status(&format!("POST {HOOKS}"), &double), 201);
    }
    let list = || call(&quay, &token, &format!("GET {HOOKS}"), &Value::Null).json()["notifications"].clone();
    let (one, other) = (list(), list());
    assert_eq!(one.as_array().unwrap().len(), 5);
    assert_ne!(one, other);
    let id = one[0]["uuid"].as_str().unwrap().to_owned();
    // Found by its id alone, but reset and removed only where it belongs.
    let elsewhere = format!("/repository/northwind/team-a/other/notification/{id}");
    assert_eq!(status(&format!("GET {elsewhere}"), &Value::Null), 200);
    assert_eq!(status(&format!("POST {elsewhere}"), &Value::Null), 400);
    assert_eq!(status(&format!("DELETE {elsewhere}"), &Value::Null), 400);
    assert_eq!(status(&format!("PATCH {HOOKS}{id}"), &Value::Null), 405);
    // Read-only mode.
    quay.read_only(true);
    assert_eq!(status(&format!("GET {HOOKS}"), &Value::Null), 200);
    let refused = call(&quay, &token, &format!("POST {HOOKS}{id}"), &Value::Null);
    assert_eq!((refused.status, &refused.json()["is_readonly"]), (503, &json!(true)));
    quay.read_only(false);
    assert_eq!(status(&format!("POST {HOOKS}{id}"), &Value::Null), 204);
    assert_eq!(status(&format!("DELETE {HOOKS}{id}"), &Value::Null), 204);
    assert_eq!(status(&format!("DELETE {HOOKS}{id}"), &Value::Null), 400);
    let audit: Vec<_> = quay.audit().into_iter().map(|(what, _)| what).rev().take(2).collect();
    assert_eq!(audit, ["delete_repo_notification", "reset_repo_notification"]);
    quay.throttle(1);
    assert_eq!(status(&format!("GET {HOOKS}"), &Value::Null), 429);
    quay.reachable(false);
    assert!(exchange(address, &format!("GET /api/v1{HOOKS}"), &[&authorization], b"").is_err());
}

#[test]
fn repositories_come_in_pages_and_a_broken_token_is_the_first_one_again() {
    let quay = QuayStandIn::start();
    for number in 0..5 {
        quay.repository(&format!("northwind/app-{number}"));
    }
    quay.page_size(2);
    let token = quay.token();
    let page = |next: &str| {
        let answer = call(&quay, &token, &format!("GET /repository?namespace=northwind{next}"), &Value::Null).json();
        let names = answer["repositories"].as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap().to_owned());
        (names.collect::<Vec<_>>(), answer["next_page"].as_str().map(str::to_owned))
    };
    let (first, next) = page("");
    assert_eq!(first, ["app-0", "app-1"]);
    let next = next.unwrap();
    assert_eq!(next.len(), 184);
    assert_eq!(page(&format!("&next_page={next}")).0, ["app-2", "app-3"]);
    assert_eq!(page("&next_page=broken").0, first);
}

/// A receiver that answers with the status it is told, and counts.
struct Receiver {
    address: std::net::SocketAddr,
    status: Arc<AtomicU16>,
    count: Arc<AtomicUsize>,
}

impl Receiver {
    fn start(status: u16) -> Self {
        use std::io::{Read, Write};

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (status, count) = (Arc::new(AtomicU16::new(status)), Arc::new(AtomicUsize::new(0)));
        let (answers, counts) = (Arc::clone(&status), Arc::clone(&count));
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (mut seen, mut bytes) = (Vec::new(), [0; 4096]);
                // The stand-in sends small bodies; the last byte of one is a brace.
                while !seen.ends_with(b"}") {
                    match stream.read(&mut bytes) {
                        Ok(length @ 1..) => seen.extend_from_slice(&bytes[..length]),
                        _ => break,
                    }
                }
                counts.fetch_add(1, Ordering::SeqCst);
                let status = answers.load(Ordering::SeqCst);
                drop(write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
            }
        });
        Self { address, status, count }
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }
}

/// A stand-in with one hook, and the receiver that it leads to.
fn scene(beat: Duration, status: u16) -> (QuayStandIn, Receiver, String, String) {
    let (quay, receiver) = (QuayStandIn::with_beat(beat), Receiver::start(status));
    quay.repository(WEB);
    quay.deliver_to(receiver.address);
    let id = quay.add(WEB, Some("Quayside"), "https://hooks.example.com/quay/x");
    let token = quay.token();
    (quay, receiver, id, token)
}

async fn failures(quay: &QuayStandIn, count: u32) {
    wait_until(&format!("the hook has {count} failures"), SOON, async || {
        (quay.hooks(WEB)[0].number_of_failures == count).then_some(())
    })
    .await;
}

async fn drained(quay: &QuayStandIn) {
    wait_until("nothing waits", SOON, async || (quay.waiting() == 0).then_some(())).await;
}

#[tokio::test]
async fn three_failed_attempts_switch_a_hook_off_and_its_row_is_thrown_away() {
    let (quay, receiver, id, token) = scene(Duration::from_millis(80), 503);
    quay.push(WEB, "1.0.0");
    failures(&quay, 3).await;
    drained(&quay).await;
    assert_eq!(receiver.count.load(Ordering::SeqCst), 3);
    // What is pushed while it is off is not kept, and a test says nothing of it.
    quay.push(WEB, "1.0.1");
    assert_eq!(call(&quay, &token, &format!("POST {HOOKS}{id}/test"), &Value::Null).status, 200);
    assert_eq!(quay.waiting(), 0);
    receiver.answers(200);
    assert_eq!(call(&quay, &token, &format!("POST {HOOKS}{id}"), &Value::Null).status, 204);
    quay.push(WEB, "1.0.2");
    drained(&quay).await;
    let arrived: Vec<_> = quay.delivered().into_iter().filter(|delivered| delivered.has_arrived()).collect();
    assert_eq!(arrived.len(), 1);
    assert!(arrived[0].body.contains("1.0.2"), "{}", arrived[0].body);
}

#[tokio::test]
async fn a_reset_while_the_row_waits_brings_it_back() {
    let (quay, receiver, id, token) = scene(Duration::from_millis(800), 503);
    quay.push(WEB, "1.0.0");
    failures(&quay, 3).await;
    receiver.answers(200);
    call(&quay, &token, &format!("POST {HOOKS}{id}"), &Value::Null);
    drained(&quay).await;
    let delivered = quay.delivered();
    assert_eq!(
        delivered.iter().map(|delivered| delivered.status).collect::<Vec<_>>(),
        [Some(503), Some(503), Some(503), Some(200)]
    );
}

#[tokio::test]
async fn five_attempts_and_a_row_is_gone() {
    let (quay, receiver, id, token) = scene(Duration::from_millis(400), 503);
    quay.push(WEB, "1.0.0");
    wait_until("the row is gone", SOON, async || {
        call(&quay, &token, &format!("POST {HOOKS}{id}"), &Value::Null);
        (quay.waiting() == 0 && receiver.count.load(Ordering::SeqCst) >= 5).then_some(())
    })
    .await;
    assert_eq!(receiver.count.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn of_four_waiting_events_three_are_posted_at_once_and_a_reset_brings_all_back() {
    let (quay, receiver, id, token) = scene(Duration::from_millis(2000), 503);
    for tag in ["1", "2", "3", "4"] {
        quay.push(WEB, tag);
    }
    failures(&quay, 3).await;
    let delivered = quay.delivered();
    assert_eq!((delivered.len(), quay.waiting()), (3, 4));
    let first: Vec<_> = delivered.iter().map(|delivered| delivered.body.as_str()).collect();
    assert!(!first.iter().any(|body| body.contains(r#""updated_tags":["1"]"#)), "not in the order of the pushes");
    receiver.answers(200);
    call(&quay, &token, &format!("POST {HOOKS}{id}"), &Value::Null);
    drained(&quay).await;
    let arrived = quay.delivered().into_iter().filter(|delivered| delivered.has_arrived()).count();
    assert_eq!(arrived, 4);
}

#[tokio::test]
async fn a_success_forgets_failures_a_double_is_sent_twice_and_a_deleted_hook_takes_its_events_along() {
    let (quay, receiver, id, token) = scene(Duration::from_millis(200), 200);
    let double = quay.add(WEB, Some("Quayside"), "https://hooks.example.com/quay/x");
    quay.fail(WEB, &id, 2);
    quay.push(WEB, "1.0.0");
    quay.mirrored(WEB);
    drained(&quay).await;
    assert_eq!(receiver.count.load(Ordering::SeqCst), 2);
    assert!(quay.hooks(WEB).iter().all(|hook| hook.number_of_failures == 0));
    receiver.answers(503);
    quay.push(WEB, "1.0.1");
    for id in [id, double] {
        assert_eq!(call(&quay, &token, &format!("DELETE {HOOKS}{id}"), &Value::Null).status, 204);
    }
    drained(&quay).await;
    let refused = quay.delivered().into_iter().filter(|delivered| !delivered.has_arrived()).count();
    assert!(refused <= 2, "not one was tried again: {refused}");
}

#[tokio::test]
async fn what_was_posted_and_called_is_remembered_and_a_deleted_repository_takes_its_hooks_along() {
    let (quay, _receiver, id, token) = scene(Duration::from_millis(80), 204);
    quay.push(WEB, "1.0.0");
    quay.push(WEB, "1.0.1");
    drained(&quay).await;
    let posted = quay.delivered();
    assert!(posted[0].at <= posted[1].at);
    for delivered in &posted {
        let (repository, uuid, url) = (delivered.repository.as_str(), &delivered.uuid, delivered.url.as_str());
        assert_eq!((repository, uuid, url), (WEB, &id, "https://hooks.example.com/quay/x"));
        let body: Value = serde_json::from_str(&delivered.body).unwrap();
        assert_eq!(body["docker_url"], quay.image(WEB));
    }
    quay.delete_repository(WEB);
    let list = call(&quay, &token, &format!("GET {HOOKS}"), &Value::Null);
    assert_eq!((list.status, list.json()), (200, json!({"notifications": []})));
    assert_eq!(call(&quay, &token, &format!("GET /repository/{WEB}"), &Value::Null).status, 404);
    let calls = quay.calls();
    let told: Vec<_> = calls.iter().map(|call| (call.what, call.of.as_str(), call.status)).collect();
    assert_eq!(told, [("list", WEB, 200), ("inspect", WEB, 404)]);
    assert!(calls[0].at <= calls[1].at);
    assert_eq!((quay.count("list"), quay.count("create")), (1, 0));
}
