use proptest::prelude::*;

use super::*;

const ALL: [Call; 7] =
    [Call::Inspect, Call::List, Call::Create, Call::Delete, Call::Enable, Call::Test, Call::Repositories];
const READS: [Call; 3] = [Call::Inspect, Call::List, Call::Repositories];
const WRITES: [Call; 4] = [Call::Create, Call::Delete, Call::Enable, Call::Test];

const INVALID_TOKEN: &str = r#"{"detail":"","error_message":"x","error_type":"invalid_token","title":"invalid_token","type":"https://quay.example.com/api/v1/error/invalid_token","status":401}"#;
const INSUFFICIENT: &str = r#"{"error_type":"insufficient_scope","title":"insufficient_scope","status":403}"#;
const INVALID_REQUEST: &str = r#"{"detail":"x","error_message":"x","error_type":"invalid_request","status":400}"#;
const NOT_FOUND: &str = r#"{"error_type":"not_found","title":"not_found","status":404}"#;
const CSRF: &str = r#"{"error": "CSRF token was invalid or missing."}"#;
const HTML: &str = "<html><body>Internal Server Error</body></html>";

fn refusal(call: Call, status: u16, body: &str) -> Option<Refusal> {
    call.refusal(StatusCode::from_u16(status).unwrap(), body.as_bytes())
}

fn path(call: Call, repository: &str, id: &str) -> Option<String> {
    call.path(&Of { repository, id })
}

#[test]
fn each_call_has_its_path_and_those_that_are_redirected_without_a_slash_have_it() {
    let (name, id) = ("northwind/team-a/web", "0b5a2d5e-0000-4000-8000-000000000001");
    let notification = "/repository/northwind/team-a/web/notification/";
    assert_eq!(path(Call::Inspect, name, "").unwrap(), "/repository/northwind/team-a/web?includeTags=false");
    assert_eq!(path(Call::List, name, "").unwrap(), notification);
    assert_eq!(path(Call::Create, name, "").unwrap(), notification);
    assert_eq!(path(Call::Delete, name, id).unwrap(), format!("{notification}{id}"));
    assert_eq!(path(Call::Enable, name, id).unwrap(), format!("{notification}{id}"));
    assert_eq!(path(Call::Test, name, id).unwrap(), format!("{notification}{id}/test"));
    assert_eq!(path(Call::Repositories, "northwind", "").unwrap(), "/repository?namespace=northwind");
    let next = path(Call::Repositories, "northwind", "gAAA+/=&x").unwrap();
    assert_eq!(next, "/repository?namespace=northwind&next_page=gAAA%2B%2F%3D%26x");
}

#[test]
fn what_would_lead_elsewhere_is_not_called() {
    for call in ALL {
        for name in ["", "..", "a/../b", "/", "a//b", "northwind/x\r\ny"] {
            assert_eq!(path(call, name, "1"), None, "{call:?} {name:?}");
        }
    }
    for id in ["", "../x", "a/b", "a?b", &"a".repeat(200)] {
        assert_eq!(path(Call::Delete, "northwind/web", id), None, "{id:?}");
    }
    assert_eq!(path(Call::Repositories, "northwind/web", ""), None);
    assert_eq!(path(Call::List, "northwind", ""), None);
}

#[test]
fn success_is_200_201_and_204() {
    for (call, status) in [(Call::Inspect, 200), (Call::Create, 201), (Call::Delete, 204), (Call::Enable, 204)] {
        assert_eq!(refusal(call, status, ""), None);
    }
    assert_eq!(refusal(Call::Test, 200, "{}"), None);
}

#[test]
fn a_bad_token_is_401_for_reads_and_a_csrf_403_for_writes() {
    for call in READS {
        assert_eq!(refusal(call, 401, INVALID_TOKEN), Some(Refusal::TokenUnusable), "{call:?}");
    }
    for call in WRITES {
        assert_eq!(refusal(call, 403, CSRF), Some(Refusal::TokenUnusable), "{call:?}");
    }
}

#[test]
fn less_than_admin_is_forbidden() {
    for call in ALL {
        assert_eq!(refusal(call, 403, INSUFFICIENT), Some(Refusal::Forbidden), "{call:?}");
        assert_eq!(refusal(call, 403, HTML), Some(Refusal::Forbidden), "{call:?}");
    }
    assert_eq!(access(br#"{"namespace":"n","name":"x","can_admin":true,"can_write":true}"#), Some(Access::Admin));
    assert_eq!(access(br#"{"namespace":"n","name":"x","can_admin":false}"#), Some(Access::NotAdmin));
    for odd in ["{}", "[]", "null", r#"{"can_admin":"yes"}"#, HTML] {
        assert_eq!(access(odd.as_bytes()), None, "{odd}");
    }
}

#[test]
fn a_repository_that_is_gone_is_404_and_its_hooks_are_400() {
    assert_eq!(refusal(Call::Inspect, 404, NOT_FOUND), Some(Refusal::RepositoryGone));
    for call in [Call::Delete, Call::Enable, Call::Test] {
        assert_eq!(refusal(call, 400, INVALID_REQUEST), Some(Refusal::HookGone), "{call:?}");
        let other = r#"{"message":"No repository notification found with uuid: 1"}"#;
        assert_eq!(refusal(call, 400, other), Some(Refusal::HookGone), "{call:?}");
    }
    for call in ALL {
        let elsewhere = refusal(call, 404, HTML);
        assert_eq!(elsewhere, Some(Refusal::NotTheApi { status: 404 }), "a page of somebody else's: {call:?}");
        assert_eq!(refusal(call, 400, HTML), Some(Refusal::NotTheApi { status: 400 }), "{call:?}");
    }
}

#[test]
fn a_url_that_quay_blocks_is_named() {
    for text in ["Invalid webhook URL", "Missing webhook URL"] {
        let body = json!({"message": text}).to_string();
        assert_eq!(refusal(Call::Create, 400, &body), Some(Refusal::UrlRefused));
        let body = json!({"error_type": "invalid_request", "error_message": text}).to_string();
        assert_eq!(refusal(Call::Create, 400, &body), Some(Refusal::UrlRefused));
    }
    assert_eq!(refusal(Call::Create, 400, INVALID_REQUEST), Some(Refusal::NotTheApi { status: 400 }));
}

#[test]
fn faults_of_the_host_are_told_from_its_read_only_mode_and_from_redirects() {
    for call in ALL {
        assert_eq!(refusal(call, 500, HTML), Some(Refusal::HostFault { status: 500 }));
        assert_eq!(refusal(call, 503, HTML), Some(Refusal::HostFault { status: 503 }));
        assert_eq!(refusal(call, 503, r#"{"is_readonly":true,"message":"…"}"#), Some(Refusal::ReadOnly));
        assert_eq!(refusal(call, 503, r#"{"is_readonly":false}"#), Some(Refusal::HostFault { status: 503 }));
        assert_eq!(refusal(call, 308, ""), Some(Refusal::Redirected { status: 308 }));
        assert_eq!(refusal(call, 415, ""), Some(Refusal::NotTheApi { status: 415 }));
    }
}

#[test]
fn no_refusal_shows_what_the_host_or_the_user_wrote() {
    let body = json!({"message": "Invalid webhook URL https://h/secret-path", "error": "secret-path"}).to_string();
    for call in ALL {
        for status in [301, 400, 401, 403, 404, 418, 500, 503] {
            let text = format!("{0} {0:?}", refusal(call, status, &body).unwrap());
            assert!(!text.contains("secret-path"), "{text}");
        }
    }
}

#[test]
fn webhooks_are_read_and_everything_else_is_left_out() {
    let uuid = "0b5a2d5e-0000-4000-8000-000000000001";
    let entry = |method: &str, failures: Value, title: Value| {
        json!({"uuid": uuid, "title": title, "event": "repo_push", "method": method, "config": {"url": "https://h/x"},
               "event_config": {}, "number_of_failures": failures})
    };
    let body = json!({"notifications": [
        entry("webhook", json!(0), json!("Quayside")), entry("webhook", json!(2), Value::Null),
        entry("webhook", json!(3), json!("")), entry("webhook", json!(-1), json!(7)),
        entry("webhook", json!(99_999_999_999_u64), json!("x")),
        entry("email", json!(0), json!("x")), entry("slack", json!(0), json!("x")),
        json!({"uuid": "../x", "event": "repo_push", "method": "webhook", "config": {"url": "https://h"}}),
        json!({"uuid": uuid, "event": "repo_push", "method": "webhook", "config": {}}),
        json!({"uuid": uuid, "event": 7, "method": "webhook", "config": {"url": "https://h"}}),
        json!(null), json!([]), json!("x"),
    ]});
    let found = hooks(body.to_string().as_bytes()).unwrap();
    let told: Vec<_> = found.iter().map(|hook| (hook.title.as_deref(), hook.failures, hook.active)).collect();
    let expected =
        [(Some("Quayside"), 0, true), (None, 2, true), (None, 3, false), (None, 0, true), (Some("x"), u32::MAX, false)];
    assert_eq!(told, expected);
    assert!(found.iter().all(|hook| hook.id == uuid && hook.url.expose() == "https://h/x"));
    for odd in ["", "[]", "{}", r#"{"notifications":{}}"#, HTML] {
        assert_eq!(hooks(odd.as_bytes()), None, "{odd}");
    }
}

#[test]
fn a_hook_is_described_as_quay_reads_it() {
    let url = HookUrl::parse("https://hooks.example.com/quay/1").unwrap();
    let hook = NewHook { title: "Quayside", url: &url, event: "repo_push", secret: None };
    let expected = json!({"event": "repo_push", "method": "webhook", "config": {"url": "https://hooks.example.com/quay/1"},
                          "eventConfig": {}, "title": "Quayside"});
    assert_eq!(description(&hook), expected);
}

#[test]
fn only_repositories_of_the_namespace_count() {
    let entry = |namespace: &str, name: Value| named(&json!({"namespace": namespace, "name": name}), "northwind");
    assert_eq!(entry("northwind", json!("team-a/web")).as_deref(), Some("northwind/team-a/web"));
    assert_eq!(entry("southwind", json!("web")), None);
    assert_eq!(entry("northwind", json!("../southwind/web")), None);
    assert_eq!(entry("northwind", json!(7)), None);
}

proptest! {
    #[test]
    fn whatever_a_host_answers_is_read_without_a_panic(status in 100_u16..600, body in "\\PC{0,200}") {
        for call in ALL {
            refusal(call, status, &body);
        }
        let _ = (access(body.as_bytes()), hooks(body.as_bytes()), made_hook(body.as_bytes()));
    }

    #[test]
    fn whatever_stands_in_a_list_leads_nowhere_else(uuid in "\\PC{0,60}", title in "\\PC{0,300}") {
        let entry = json!({"uuid": uuid, "title": title, "event": "repo_push", "method": "webhook",
                           "config": {"url": "https://h"}});
        if let Some(hook) = hook(&entry) {
            prop_assert!(path(Call::Delete, "northwind/web", &hook.id).is_some());
            prop_assert!(hook.title.is_none_or(|title| title.len() <= LONGEST_NAME * 4));
        }
    }
}
