//! The commands that need no cluster, as the binary runs them.

use std::process::Command;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::harness::{Authority, Operator, Project, Ran, content, exchange, image, push_body, quayside};

#[test]
fn the_crds_in_the_repository_are_the_ones_the_binary_prints() {
    let folder = tempfile::tempdir().unwrap();
    quayside(["crd", "--output", folder.path().to_str().unwrap()]).success();
    let printed = quayside(["crd"]).success();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let written = std::fs::read_to_string(&path).unwrap();
        assert_eq!(written, content(&format!("crds/{name}")), "crds/{name} is out of step: run `make generate`");
        assert!(printed.contains(&written));
        names.push(name);
    }
    assert_eq!(names.len(), std::fs::read_dir(crate::harness::file("crds")).unwrap().count());
}

#[tokio::test]
async fn send_tells_by_its_exit_code_what_became_of_the_push() {
    let operator = Operator::shared().await;
    let project = Project::new("send").await;
    let hook = project.quay(operator).await;
    project.warehouse("storefront", json!([image("quay.io/northwind/storefront", "*")])).await;
    project.settle(&hook).await;
    let url = hook.url();
    let dry = quayside(["send", "quay", &url, "--tag", "1.0.0", "--dry-run"]);
    assert_eq!(dry.code, Some(0));
    assert!(dry.out.contains("dry run: would refresh 1 warehouse(s)"), "{}", dry.out);
    assert!(project.refreshed().await.is_empty());
    let unknown = quayside(["send", "quay", &format!("{url}0")]);
    assert_eq!((unknown.code, unknown.out.as_str()), (Some(1), "HTTP 404 Not Found\n{}\n"));
    for url in ["quay.example.com/x", "not a url", "ftp://h/x"] {
        assert_eq!(quayside(["send", "quay", url]).code, Some(2), "{url}");
    }
    assert_eq!(quayside(["send", "quay", &url, "--event", "unknown"]).code, Some(2));
    assert_eq!(quayside(["send", "quay", &url, "--file", "/nonexistent"]).code, Some(2));
    let fixture = crate::harness::file("tests/fixtures/payloads/quay/variants/repo_push.quay_io.json");
    let sent = quayside(["send", "quay", &url, "--file", fixture.to_str().unwrap()]).success();
    assert!(sent.contains("refreshed 1 warehouse(s)"), "{sent}");
}

/// The manifests of a namespace, as a user would save them for `explain`.
fn saved(project: &Project) -> String {
    let namespace = &project.namespace;
    project.plane.bash(&format!("kubectl get secrets,projectconfigs,warehouses -n {namespace} -o yaml")).success()
}

#[tokio::test]
async fn explain_foretells_the_answer_of_the_server_word_for_word() {
    let operator = Operator::shared().await;
    let project = Project::new("explain").await;
    let hook = project.quay(operator).await;
    for (name, constraint) in [("one", "^1.0.0"), ("two", "^2.0.0")] {
        project.warehouse(name, json!([image("quay.io/explain/app", constraint)])).await;
    }
    project
        .warehouse("broken", json!([{"image": {"repoURL": "quay.io/explain/app", "allowTagsRegexes": ["["]}}]))
        .await;
    project.settle(&hook).await;
    let folder = tempfile::tempdir().unwrap();
    let (manifests, body) = (folder.path().join("manifests.yaml"), folder.path().join("body"));
    std::fs::write(&manifests, saved(&project)).unwrap();
    let receiver = format!("{}/quay", project.namespace);
    for (method, query, text) in [
        ("POST", "", push_body("quay.io/explain/app", &["1.0.0"])),
        ("POST", "", push_body("quay.io/explain/app", &["latest"])),
        ("POST", "", push_body("quay.io/explain/nobody", &["1.0.0"])),
        ("POST", "dry-run=true", push_body("quay.io/explain/app", &["1.0.0"])),
        ("POST", "event=build_success", push_body("quay.io/explain/app", &["1.0.0"])),
        ("POST", "", "{".to_owned()),
        ("POST", "", String::new()),
        ("GET", "", String::new()),
    ] {
        std::fs::write(&body, &text).unwrap();
        let request = format!("{method} {}{}{query}", hook.path, if query.is_empty() { "" } else { "?" });
        let real = exchange(hook.address, &request, &[], text.as_bytes()).unwrap();
        let (manifests, body) = (manifests.to_str().unwrap(), body.to_str().unwrap());
        let explained = quayside([
            "explain",
            "-f",
            manifests,
            "--receiver",
            &receiver,
            "--method",
            method,
            "--query",
            query,
            "--body",
            body,
            "-o",
            "json",
        ])
        .success();
        let explained: Value = serde_json::from_str(&explained).unwrap();
        let mut expected = real.json();
        expected.as_object_mut().unwrap().remove("deliveryId");
        let mut foretold = explained["answer"]["body"].clone();
        foretold.as_object_mut().unwrap().remove("deliveryId");
        assert_eq!((&explained["answer"]["status"], foretold), (&json!(real.status), expected), "{request} {text}");
        let refreshed = explained["warehouses"].as_array().unwrap().iter().filter(|w| w["refresh"] == true).count();
        assert_eq!(refreshed as u64, real.json()["matched"].as_u64().unwrap_or(0), "{request} {text}");
    }
}

#[test]
fn explain_finds_receivers_of_our_own_and_tells_of_a_path_that_is_claimed_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (body, config) = (folder.path().join("body"), folder.path().join("config.yaml"));
    std::fs::write(&body, push_body("quay.io/northwind/storefront", &["1.4.2"])).unwrap();
    let explain = |manifests: &str, receiver: &str| {
        let body = body.to_str().unwrap();
        let ran = quayside(["explain", "-f", manifests, "--receiver", receiver, "--body", body, "-o", "json"]);
        serde_json::from_str::<Value>(&ran.success()).unwrap()
    };
    let own = explain("examples/receiver", "kargo-demo-receiver/quay");
    assert_eq!(own["answer"]["body"]["msg"], "refreshed 1 warehouse(s)");
    let cluster = explain("examples/clusterreceiver", "quay");
    assert_eq!((&cluster["answer"]["status"], &cluster["delivery"]["kind"]), (&json!(200), &json!("quay")));

    let entry = json!({"name": "quay", "quay": {"secretRef": {"name": "quay-webhook"}}});
    let claimed = json!({"kind": "ProjectConfig", "metadata": {"name": "kargo-demo-receiver"}, "spec": {"webhookReceivers": [entry]}});
    std::fs::write(&config, claimed.to_string()).unwrap();
    let listed = quayside(["explain", "-f", "examples/receiver", "-f", config.to_str().unwrap(), "-o", "json"]);
    let listed: Value = serde_json::from_str(&listed.success()).unwrap();
    for (receiver, other) in listed["receivers"].as_array().unwrap().iter().zip(["Receiver", "ProjectConfig"]) {
        let expected = format!("{other} kargo-demo-receiver");
        assert!(
            receiver["served"] == false && receiver["reason"].as_str().unwrap().starts_with(&expected),
            "{receiver}"
        );
    }
    // Others have kinds of that name, too.
    let foreign =
        json!({"apiVersion": "notification.toolkit.fluxcd.io/v1", "kind": "Receiver", "metadata": {"name": "quay"}});
    std::fs::write(&config, foreign.to_string()).unwrap();
    assert!(quayside(["explain", "-f", config.to_str().unwrap()]).err.contains("Receiver quay skipped"));
}

/// A captured request to a receiver of Gitea, signed with that secret.
fn captured(secret: &str) -> String {
    let body = content("tests/fixtures/payloads/gitea/captured/push.json");
    let body = body.trim_end();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    format!("POST / HTTP/1.1\nHost: h\nX-Gitea-Event: push\nX-Hub-Signature-256: sha256={signature}\n\n{body}\n")
}

#[test]
fn a_captured_request_is_explained_with_its_sender_and_signature_and_redacted() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let request = path("request", &captured("a secret that is long enough"));
    let explain = |secret: &str| {
        let secret = path("secret", secret);
        let ran = quayside(["explain", "--request", &request, "--secret-file", &secret, "-o", "json"]);
        serde_json::from_str::<Value>(&ran.success()).unwrap()
    };
    let fits = explain("a secret that is long enough");
    assert_eq!((&fits["request"]["kind"], &fits["answer"]["status"]), (&json!("gitea"), &json!(200)));
    assert_eq!(fits["request"]["signature"], "fits the secret");
    assert_eq!(fits["delivery"]["qualifiers"], json!(["refs/heads/main"]));
    let newline = explain("a secret that is long enough\n");
    assert!(newline["request"]["signature"].as_str().unwrap().contains("line break"), "{newline}");
    let wrong = explain("another secret that is long enough");
    assert_eq!(wrong["answer"]["status"], 401);
    assert!(wrong["request"]["signature"].as_str().unwrap().starts_with("does not fit"), "{wrong}");
    let unknown = quayside(["explain", "--request", &request]).success();
    assert!(unknown.contains("Signature: not checked") && unknown.contains("Event: push (gitea)"), "{unknown}");

    let redacted = quayside(["explain", "--request", &request, "--redact"]).success();
    assert!(!redacted.contains("northwind") && !redacted.contains("mira"), "{redacted}");
    let report = path("report", &redacted);
    let again = explain_of(&report, &path("public", "redacted-for-a-report"));
    assert_eq!(again["request"]["signature"], "fits the secret");
    assert_eq!(again["delivery"]["qualifiers"], json!(["refs/heads/main"]));
}

fn explain_of(request: &str, secret: &str) -> Value {
    let ran = quayside(["explain", "--request", request, "--secret-file", secret, "-o", "json"]);
    serde_json::from_str(&ran.success()).unwrap()
}

#[test]
fn explain_adds_what_a_client_adds_and_judges_a_client_certificate_as_the_server_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let authority = Authority::new();
    let pair = authority.issue();
    let (cert, ca) = (path("cert.pem", &pair.certificate), path("ca.pem", &authority.pem()));
    // Expressions do not see Host, as in Kargo.
    let when = "request.header('Content-Length') == '2' && request.header('User-Agent') != ''";
    let receiver = |rule: &str| {
        let action = json!({"action": "Refresh", "whenExpression": when,
            "targetSelectionCriteria": [{"kind": "Warehouse", "name": "w"}]});
        let spec = json!({"generic": {"secretRef": {"name": "s"}, "actions": [action]}});
        let secret = json!({"kind": "Secret", "metadata": {"name": "s", "namespace": "n"},
            "stringData": {"secret": "a long enough secret", "client-certificate": rule}});
        let receiver = json!({"apiVersion": "quayside.dev/v1alpha1", "kind": "Receiver",
            "metadata": {"name": "hook", "namespace": "n"}, "spec": spec});
        let warehouse = json!({"kind": "Warehouse", "metadata": {"name": "w", "namespace": "n"}, "spec": {}});
        path("manifests.json", &format!("{receiver}\n{secret}\n{warehouse}"))
    };
    let body = path("body", "{}");
    let explained = |manifests: &str, more: &[&str]| {
        let arguments = [&["explain", "-f", manifests, "--body", &body, "-o", "json"][..], more].concat();
        let ran = Ran::of(Command::new(env!("CARGO_BIN_EXE_quayside")).args(arguments), "");
        let explained: Value = serde_json::from_str(&ran.success()).unwrap();
        (explained["answer"]["status"].as_u64().unwrap(), explained["warehouses"][0]["refresh"].as_bool().unwrap())
    };
    let required = receiver("required");
    assert_eq!(explained(&required, &[]), (401, false));
    assert_eq!(explained(&required, &["--cert", &cert]), (401, false), "nobody vouches for it");
    assert_eq!(explained(&required, &["--cert", &cert, "--tls-client-ca", &ca]), (200, true));

    // The same, passed on by a proxy; a receiver does not see the header.
    let base64: String = pair.certificate.lines().filter(|line| !line.starts_with("-----")).collect();
    let passed_on = format!("X-SSL-Client-Cert: {base64}");
    let proxied = ["--client-cert-header", "X-SSL-Client-Cert", "--tls-client-ca", &ca];
    assert_eq!(explained(&required, &[&proxied[..], &["--header", &passed_on]].concat()), (200, true));
    assert_eq!(explained(&required, &["--header", &passed_on]), (401, false), "no proxy is trusted");
    assert_eq!(explained(&required, &proxied), (401, false));
    assert_eq!(explained(&required, &[&proxied[..], &["--header", "X-SSL-Client-Cert: -"]].concat()), (401, false));
}

#[test]
fn help_is_there_for_every_command() {
    assert!(quayside(["crd", "diff", "--help"]).success().contains("Examples:"));
    for command in ["run", "crd", "url", "explain"] {
        let help = quayside([command, "--help"]).success();
        assert!(help.contains("Examples:") && help.contains(&format!("quayside {command}")), "{help}");
    }
    assert!(quayside(["send", "quay", "--help"]).success().contains("Examples:"));
    assert!(quayside(["--version"]).success().contains(env!("CARGO_PKG_VERSION")));
    assert_eq!(quayside(["unknown"]).code, Some(2));
}
