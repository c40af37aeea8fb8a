//! Whole requests against what Kargo's own server answered to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::*;
use crate::api::ReceiverConfig;
use crate::controller::resolve::resolve;
use crate::controller::secrets::SecretState;
use crate::domain::path::{BaseUrl, ReceiverPath};
use crate::domain::scope::{ObjectKey, Scope};
use crate::domain::secret::Secret;
use crate::domain::vectors::{self, base64, text};
use crate::http::answer::Answer;
use crate::routing::RouteTable;

/// Marks under which our verdict is meant to differ from Kargo's.
const DEVIATIONS: [&str; 9] = [
    "bad-selector-aborts",
    "chunked-oversize",
    "cosign-tag",
    "empty-secret",
    "method",
    "quay-envelope",
    "quay-lenient-tags",
    "quay-non-push",
    "underscore-plus",
];

/// Status and refreshed Warehouses.
type Verdict = (u16, Vec<String>);

fn verdict(case: &Value) -> Verdict {
    let base = BaseUrl::parse("https://hooks.example.com/in").unwrap();
    let (scope, namespace) = match text(case, "scope") {
        "cluster" => (Scope::Cluster, "kargo-system-resources"),
        _ => (Scope::Project(Arc::from(text(case, "project"))), text(case, "project")),
    };
    let data: BTreeMap<_, _> =
        case["secret"].as_object().unwrap().iter().map(|(k, v)| (k.clone(), Secret::new(base64(v)))).collect();
    let entries = ReceiverConfig::decode_list(&json!({"webhookReceivers": [case["receiver"]]}));
    let secret = SecretState::Found(Arc::new(data));
    let routes = RouteTable::new(base);
    routes.replace(&scope, resolve(&scope, &entries, namespace, |_| secret.clone(), &[]).routes);
    let index = SubscriptionIndex::default();
    for warehouse in case["warehouses"].as_array().into_iter().flatten() {
        let metadata = &warehouse["metadata"];
        index.apply(
            &ObjectKey::new(text(metadata, "namespace"), text(metadata, "name")),
            None,
            &warehouse["spec"].to_string(),
        );
    }

    let path = format!("{}{}", text(case, "path"), text(case, "path_suffix"));
    let Some(route) = ReceiverPath::recognise(&path, routes.base()).and_then(|path| routes.find(&path)) else {
        return (404, vec![]);
    };
    let body = body(case);
    if let Some(answer) = Answer::refused(&text(case, "method").parse().unwrap(), body.len()) {
        return (answer.status().as_u16(), vec![]);
    }
    let headers = headers(case);
    let request = Request { headers: &headers, query: case["url_query"].as_str(), body: &body };
    let judgement = judge(&route, &request, &index);
    let warehouses = match &judgement {
        Judgement::Push { selection, .. } => selection.warehouses.clone(),
        Judgement::Rejected(_) | Judgement::Ignored(_) => vec![],
    };
    let answer = Answer::of(&judgement, warehouses.len());
    (answer.status().as_u16(), warehouses.iter().map(ToString::to_string).collect())
}

fn body(case: &Value) -> Vec<u8> {
    let mut body = base64(&case["body_b64"]);
    if let Some(repeat) = case.get("body_repeat") {
        let count = usize::try_from(repeat["count"].as_u64().unwrap()).unwrap();
        body.extend(base64(&repeat["byte"]).repeat(count));
    }
    body
}

fn headers(case: &Value) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in case["headers"].as_object().unwrap() {
        let one = [values.clone()];
        for value in values.as_array().map_or(&one[..], Vec::as_slice) {
            let value = HeaderValue::from_bytes(value.as_str().unwrap().as_bytes()).unwrap();
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
        }
    }
    headers
}

fn expected(case: &Value) -> Verdict {
    let refreshed =
        case["refreshed"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    (u16::try_from(case["status"].as_u64().unwrap()).unwrap(), refreshed)
}

/// What a deliberate deviation makes of Kargo's verdict; `None` where Kargo's answer says too little to tell.
fn meant(case: &Value, kargo: &Verdict, ours: &Verdict) -> Option<bool> {
    let deviates = text(case, "deviates");
    let marks: Vec<&str> = deviates.split(',').filter(|mark| DEVIATIONS.contains(mark)).collect();
    Some(match marks.as_slice() {
        [] => return None,
        // Named or recognised, and not refreshed.
        ["quay-non-push"] => *ours == (200, vec![]),
        ["method"] => ours.0 == 405 && ours.1.is_empty(),
        ["empty-secret"] => ours.0 == 404,
        ["chunked-oversize"] => ours.0 == 413,
        // Only signature tags: nothing. Beside a release: as if they were not there.
        ["cosign-tag"] => ours.0 == 200 && ours.1.iter().all(|name| kargo.1.contains(name)),
        // A chart version whose plus sign OCI cannot carry qualifies as well.
        ["underscore-plus"] => ours.0 == 200 && kargo.1.iter().all(|name| ours.1.contains(name)),
        // Kargo refuses the request; the authentic ones are read.
        ["quay-lenient-tags" | "quay-envelope" | "bad-selector-aborts"] => ours.0 == 200,
        several => panic!("{}: unexpected combination {several:?}", case["id"]),
    })
}

#[test]
fn whole_quay_requests_are_answered_as_kargo_answers_them_or_as_documented() {
    let (mut agreed, mut deviated, mut wrong) = (0, 0, Vec::new());
    for case in vectors::lines("handlers.quay") {
        let (ours, kargo) = (verdict(&case), expected(&case));
        match meant(&case, &kargo, &ours) {
            Some(true) => deviated += 1,
            None if ours == kargo => agreed += 1,
            _ => wrong.push(format!("{} {}: Kargo {kargo:?}, ours {ours:?}", case["id"], text(&case, "deviates"))),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(agreed > 200 && deviated > 60, "{agreed} agreed, {deviated} deviated");
}
