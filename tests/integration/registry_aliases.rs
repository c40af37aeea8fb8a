//! A registry under several names.

use serde_json::{Value, json};

use crate::harness::{ControlPlane, Operator, Project, Setup, content, image, push_body, quayside};

#[tokio::test]
async fn a_push_under_one_name_refreshes_subscribers_under_the_other() {
    let arguments = [
        "--registry-alias",
        "pushed.example:8443=pulled.example",
        "--registry-alias=docker.io=pulled.example/hub,pushed.example:8443=mirror.example",
    ];
    let operator = Operator::start(Setup::on(ControlPlane::shared()).with(arguments));
    operator.ready().await;
    let project = Project::new("aliases").await;
    let hook = project.quay(&operator).await;
    for (name, repository) in [
        ("pushed", "pushed.example:8443/shop/app"),
        ("pulled", "pulled.example/shop/app"),
        ("mirrored", "mirror.example/shop/app"),
        ("other-port", "pushed.example/shop/app"),
        ("cached", "pulled.example/hub/library/busybox"),
    ] {
        project.warehouse(name, json!([image(repository, "^1.0.0")])).await;
    }
    project.settle(&hook).await;
    let answer = hook.push("pushed.example:8443/shop/app", &["1.4.2"]);
    assert_eq!((answer.status, answer.says().as_str()), (200, "refreshed 3 warehouse(s)"));
    assert_eq!(project.refreshed().await, ["mirrored", "pulled", "pushed"]);
    assert_eq!(hook.push("pulled.example/shop/app", &["2.0.0"]).json()["subscribed"], 1);
    // As another kind would announce it: without a host.
    let answer = hook.post(json!({"docker_url": "library/busybox", "updated_tags": ["1.0.0"]}).to_string());
    assert_eq!(answer.says(), "refreshed 1 warehouse(s)", "{answer:?}");
    assert!(project.refreshed().await.contains(&"cached".to_owned()));
}

#[test]
fn explain_knows_the_same_aliases() {
    let folder = tempfile::tempdir().unwrap();
    let body = folder.path().join("body.json");
    std::fs::write(&body, push_body("registry.internal:8443/northwind/storefront", &["1.4.2"])).unwrap();
    let explained = |alias: &str| {
        let ran = quayside([
            "explain",
            "-f",
            "examples/quay",
            "--body",
            body.to_str().unwrap(),
            "--registry-alias",
            alias,
            "-o",
            "json",
        ]);
        let report: Value = serde_json::from_str(&ran.success()).unwrap();
        let refreshed = report["warehouses"][0]["refresh"].clone();
        (refreshed, report["delivery"]["repositories"].clone())
    };
    let pushed = "registry.internal:8443/northwind/storefront";
    assert_eq!(
        explained("registry.internal:8443=quay.io"),
        (json!(true), json!(["quay.io/northwind/storefront", pushed]))
    );
    assert_eq!(explained("registry.internal=quay.io"), (json!(false), json!([pushed])));
}

#[test]
fn what_is_no_alias_ends_the_start_with_what_to_write() {
    for (alias, says) in [
        ("registry.internal", "write PUSHED=PULLED, such as registry.internal:8443=registry.example.com"),
        ("https://registry.internal=quay.io", "is not a registry: write a host that has a dot or a port"),
        ("quay.io=quay.io", "names one registry twice"),
    ] {
        let ran = quayside(["run", "--base-url", "https://hooks.example.com", "--registry-alias", alias]);
        assert_eq!(ran.code, Some(2), "{alias}");
        assert!(ran.err.contains(says), "{alias}: {}", ran.err);
    }
    assert!(content("docs/configuration.md").contains("`QUAYSIDE_REGISTRY_ALIASES`"));
}
