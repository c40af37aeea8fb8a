//! What ECR's events come to.

use super::*;
use crate::receiver::read::registry_event::tests::{headers, ignored as nothing, pushed, receive, settings};

fn read_with(host: &str, body: &serde_json::Value) -> Result<Verdict, Rejection> {
    receive(&Ecr, &settings(host), &headers(&[]), body.to_string())
}

fn image_action(region: &str, detail: &serde_json::Value) -> serde_json::Value {
    json!({
        "version": "0", "source": "aws.ecr", "detail-type": "ECR Image Action", "account": "111122223333",
        "region": region, "detail": detail,
    })
}

fn push(reference: (&str, &str)) -> serde_json::Value {
    json!({"result": "SUCCESS", "action-type": "PUSH", "repository-name": "northwind/storefront", reference.0: reference.1})
}

#[test]
fn a_push_names_the_registry_of_account_and_region() {
    for (region, host) in [
        ("eu-west-1", "111122223333.dkr.ecr.eu-west-1.amazonaws.com"),
        ("us-gov-west-1", "111122223333.dkr.ecr.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn"),
    ] {
        let event = pushed(read_with("", &image_action(region, &push(("image-tag", "2.7.1")))));
        assert_eq!(event.repositories, [format!("{host}/northwind/storefront")]);
        assert_eq!((&*event.event, event.qualifiers.as_slice()), ("ECR Image Action", &["2.7.1".to_owned()][..]));
    }
    let event = pushed(read_with("ecr.example.com", &image_action("eu-west-1", &push(("image-tag", "2.7.1")))));
    assert_eq!(event.repositories, ["ecr.example.com/northwind/storefront"]);
    let nowhere = nothing(read_with("", &image_action("", &push(("image-tag", "2.7.1")))));
    assert!(nowhere.because.contains("set registryHost"));
}

#[test]
fn what_was_replicated_or_cached_is_new_as_well() {
    for (name, own) in [
        (
            "ECR Replication Action",
            json!({"result": "SUCCESS", "action-type": "REPLICATE", "source-region": "us-west-2"}),
        ),
        ("ECR Pull Through Cache Action", json!({"sync-status": "SUCCESS", "upstream-registry-url": "public.ecr.aws"})),
    ] {
        let mut body = image_action("eu-west-1", &own);
        body["detail-type"] = name.into();
        body["detail"]["repository-name"] = "northwind/storefront".into();
        body["detail"]["image-tag"] = "2.7.1".into();
        let event = pushed(read_with("", &body));
        assert_eq!((&*event.event, event.qualifiers.as_slice()), (name, &["2.7.1".to_owned()][..]));
    }
}

#[test]
fn failures_deletions_digests_signatures_and_scans_ask_for_nothing() {
    let mut failed = push(("image-tag", "2.7.1"));
    failed["result"] = "FAILURE".into();
    let mut deleted = push(("image-tag", "2.7.1"));
    deleted["action-type"] = "DELETE".into();
    let digest = push(("image-digest", &format!("sha256:{}", "a".repeat(64))));
    let signature = push(("image-tag", &format!("sha256-{}.sig", "a".repeat(64))));
    for detail in [failed, deleted, digest, signature, json!({}), json!(7)] {
        assert_eq!(nothing(read_with("", &image_action("eu-west-1", &detail))).event, "ECR Image Action", "{detail}");
    }
    for name in ["ECR Image Scan", "ECR Scan Resource Change", "ECR Referrer Action"] {
        let mut body = image_action("eu-west-1", &push(("image-tag", "2.7.1")));
        body["detail-type"] = name.into();
        assert_eq!(nothing(read_with("", &body)).event, name);
    }
    assert_eq!(
        nothing(read_with("", &json!({"detail-type": "EC2 Instance State-change Notification"}))).event,
        "EC2 Instance State-change Notification"
    );
    let nameless = json!({"detail-type": "ECR Image Action", "account": "1", "region": "eu-west-1", "detail": {
        "action-type": "PUSH", "result": "SUCCESS",
    }});
    assert!(nothing(read_with("", &nameless)).because.contains("names no repository"));
    for body in ["", "[]", "{"] {
        assert_eq!(receive(&Ecr, &settings(""), &headers(&[]), body), Err(Rejection::InvalidBody), "{body}");
    }
}
