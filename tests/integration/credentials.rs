//! No credential in anything that is emitted, at the chattiest level and in every situation. (Besides, each test checks
//! its own at its end, in all logs.)

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{
    ClusterTurn, ControlPlane, Hook, Operator, Project, Proxy, SOON, Setup, exchange, get, image, push_body,
    quay_receiver, quayside, wait_until,
};

const CREDENTIALS_OF_SENDERS: [&str; 4] =
    ["Basic bWlyYTpodW50ZXIy", "Bearer not-to-be-seen", "session=not-to-be-seen", "not-a-real-token"];

/// Runs the operator through everything that could make it talk, and returns all that senders were answered.
async fn exercise(operator: &Operator, proxy: &Proxy, project: &Project, hook: &Hook, secrets: &[&str]) -> Vec<String> {
    let mut heard = Vec::new();
    let headers = [
        "Authorization: Basic bWlyYTpodW50ZXIy",
        "X-Gitlab-Token: Bearer not-to-be-seen",
        "Cookie: session=not-to-be-seen",
    ];
    let push = push_body("quay.io/quiet/app", &["1.0.0"]);
    let envelope = format!(r#"{{"event":"repo_push","token":"not-a-real-token","data":{push}}}"#);
    let large = "x".repeat(3 * 1024 * 1024);
    for body in [push.as_str(), &envelope, "{", "", "[]", r#"{"docker_url":7}"#, &large] {
        for method in ["POST", "GET"] {
            for query in ["", "?dry-run=true", "?event=quota_error", "?token=not-a-real-token"] {
                let request = format!("{method} {}{query}", hook.path);
                let answer = exchange(hook.address, &request, &headers, body.as_bytes()).unwrap();
                heard.push(format!("{}\n{}", answer.head, answer.body));
            }
        }
    }
    for path in [hook.path.to_uppercase(), format!("{}/", hook.path), format!("/x{}", hook.path)] {
        let answer = exchange(hook.address, &format!("POST {path}"), &headers, push.as_bytes()).unwrap();
        heard.push(format!("{}\n{}", answer.head, answer.body));
    }
    // The API server is away, and comes back.
    proxy.cut();
    heard.push(hook.post(&push).body);
    proxy.open();
    wait_until("nothing is owed", SOON, async || (operator.metric("quayside_refresh_owed") == 0.0).then_some(())).await;
    // Everything about the Secret changes.
    project.secret("s", secrets[1]).await;
    hook.gone().await;
    // To a URL that is no longer served, which is remembered.
    heard.push(hook.post(&push).body);
    // Asked of this operator: another one leads there too and may be quicker with the status.
    let other = project.hook(operator, "quay", secrets[1]);
    other.served().await;
    project.delete("Secret", "s").await;
    other.gone().await;
    project.secret("s", secrets[0]).await;
    hook.served().await;
    heard
}

/// Everything that the views show, in JSON and on the page.
fn views(operator: &Operator, project: &Project) -> String {
    let json = |path: &str| get(operator.views, path).body;
    let deliveries = json("/api/v1/deliveries?limit=10000");
    let records: Value = serde_json::from_str(&deliveries).unwrap();
    let records = records["deliveries"].as_array().unwrap();
    let outcomes: BTreeSet<&str> = records.iter().map(|record| record["outcome"].as_str().unwrap()).collect();
    let remembered = ["refreshed", "unauthorized", "invalid_body", "method_not_allowed", "unknown_path"];
    assert!(remembered.iter().filter(|outcome| outcomes.contains(*outcome)).count() >= 4, "{outcomes:?}");
    let warehouse = format!("/warehouses/{}/storefront", project.namespace);
    let mut seen = vec![deliveries, json(&format!("/api/v1{warehouse}")), json(&warehouse)];
    for path in ["/", "/checks", "/api/v1/checks", "/api/v1/receivers", "/api/v1/health"] {
        let answer = get(operator.views, path);
        assert_eq!(answer.status, 200, "{path}");
        seen.push(answer.body);
    }
    for record in records {
        seen.push(json(&format!("/deliveries/{}", record["id"].as_str().unwrap())));
    }
    seen.join("\n")
}

#[tokio::test]
async fn no_credential_is_in_any_output() {
    let plane = ControlPlane::shared();
    let turn = ClusterTurn::take().await;
    let proxy = Proxy::to_server_of(plane.operator_kubeconfig());
    let project = Project::new("quiet").await;
    let arguments = ["--ack-deadline", "200ms", "--system-namespace", &project.namespace, "--log-format", "text"];
    let operator = Operator::start(Setup::on(plane).kubeconfig(proxy.kubeconfig()).with(arguments));
    operator.ready().await;
    let secrets = ["the first secret that nobody sees", "the second secret that nobody sees"];
    project.secret("s", secrets[0]).await;
    // An entry with a secret in the wrong place, and one whose receiver is not served.
    let github = json!({"name": "code", "github": {"secretRef": {"name": "s"}}});
    project.receivers(json!([quay_receiver("quay", "s"), github])).await;
    turn.apply(json!([quay_receiver("cluster", "s")])).await;
    let hook = project.hook(&operator, "quay", secrets[0]);
    hook.served().await;
    project.warehouse("storefront", json!([image("quay.io/quiet/app", "^1.0.0")])).await;
    project.settle(&hook).await;
    let heard = exercise(&operator, &proxy, &project, &hook, &secrets).await;
    let probes = ["/livez", "/readyz", "/metrics"].map(|path| get(operator.admin, path).body);
    let views = views(&operator, &project);
    let events = plane.bash(&format!("kubectl get events -o yaml -n {}", project.namespace)).success();
    turn.delete().await;
    operator.signal("-TERM");
    operator.ended().await;

    let mut credentials: Vec<String> =
        [CREDENTIALS_OF_SENDERS.as_slice(), &secrets].concat().iter().map(|c| (*c).to_owned()).collect();
    for secret in secrets {
        for (scope, receiver) in [(project.namespace.as_str(), "quay"), (&project.namespace, "code"), ("", "cluster")] {
            credentials.push(Hook::derive(&operator, scope, receiver, secret).digest().to_owned());
        }
    }
    let kubeconfig = std::fs::read_to_string(proxy.kubeconfig()).unwrap();
    credentials.push(kubeconfig.lines().find_map(|line| line.trim().strip_prefix("token: ")).unwrap().to_owned());
    let log = operator.log();
    assert!(log.contains("delivery answered") && log.contains("receiver served"), "nothing was logged: {log}");
    let outputs = [
        ("the log", log),
        ("the answers", heard.join("\n")),
        ("the admin port", probes.join("\n")),
        ("the journal, in the views and on the page", views),
        ("the Events", events),
    ];
    for (what, text) in &outputs {
        for (index, credential) in credentials.iter().enumerate() {
            assert!(!text.contains(credential.as_str()), "credential {index} is in {what}");
        }
        // Nothing that looks like a receiver's path either, whoever's it is.
        let digits = text.split(|c: char| !c.is_ascii_hexdigit()).map(str::len).max();
        assert!(digits < Some(64), "{what} holds something like a receiver's path");
    }
}

#[test]
fn the_command_line_does_not_repeat_a_url() {
    let url = format!("http://127.0.0.1:1/hooks/quay/{}", "ab".repeat(32));
    let sent = quayside(["send", "quay", &url]);
    assert_eq!(sent.code, Some(2));
    assert!(sent.err.contains("no answer"), "{}", sent.err);
    assert!(!format!("{}{}", sent.out, sent.err).contains("abab"), "{}", sent.err);
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_quayside"))
        .args(["send", "quay", "--help"])
        .env("QUAYSIDE_URL", &url)
        .output()
        .unwrap();
    assert!(!String::from_utf8(help.stdout).unwrap().contains("abab"));
    let refused = quayside(["run", "--base-url", "https://mira:hunter2@hooks.example.com"]);
    assert_eq!(refused.code, Some(2));
}
