//! Whole requests against what Kargo's own server answered to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::controller::resolve::{Declaration, Defaults, Entries, Resolution, declared, resolve};
use crate::controller::secrets::{SecretData, SecretState};
use crate::domain::criterion::Labels;
use crate::domain::kind::ReceiverKind;
use crate::domain::owner::Owner;
use crate::domain::path::{BaseUrl, ReceiverPath};
use crate::domain::project_filter::ProjectFilter;
use crate::domain::secret::Secret;
use crate::domain::vectors::{self, base64, text};
use crate::http::answer::{Answer, Ending};
use crate::receiver::Settings;
use crate::tables::routes::{RouteTable, Standing};

/// A mark, and whether it explains ours where Kargo's is another.
type Deviation = (&'static str, Allows);
/// Whether the difference between Kargo's verdict and ours is meant.
type Allows = fn(&Verdict, &Verdict) -> bool;

/// Marks under which our verdict may differ from Kargo's, and what it has to be like then. What it is exactly stands in
/// `tests/fixtures/vectors/ours`.
///
/// On a line with several marks each of them has to allow the difference, or one of them to explain it all.
const DEVIATIONS: &[Deviation] = &[
    // Named and acknowledged.
    ("2xx-ignored", |kargo, ours| matches!(kargo.status, 400 | 501) && ours.status == 200 && ours.is_idle()),
    // The authentic ones are read, and a broken subscription excludes itself only.
    ("bad-selector-aborts", |_, ours| ours.status == 200),
    // The link is compared in its normal form.
    ("bitbucket-link-raw", |kargo, ours| ours.status == 200 && kargo.is_within(ours)),
    ("chunked-oversize", |_, ours| ours.status == 413),
    // Only signature tags: nothing. Beside a release: as if they were not there.
    ("cosign-tag", |kargo, ours| ours.status == 200 && ours.is_within(kargo)),
    // Who subscribes to no branch in particular gets those of the named one, and no others.
    ("default-branch", |_, ours| ours.status == 200),
    // What is left after a deletion is within what Kargo refreshes for it.
    ("deletion", |kargo, ours| ours.status == 200 && ours.is_within(kargo)),
    // A digest is not a tag, so no subscription names it.
    ("digest-as-tag", |kargo, ours| ours.status == 200 && ours.is_within(kargo)),
    // Two dots within a name do not leave the directory.
    ("dotdot-substring", |_, ours| ours.status == 200),
    ("empty-secret", |_, ours| ours.status == 404 && ours.is_idle()),
    // The repositories of the other resources count as well.
    ("harbor-first-resource", |kargo, ours| ours.status == 200 && kargo.is_within(ours)),
    ("hmac-first", |_, ours| ours.status == 401 && ours.is_idle()),
    // A wrong type that nobody looks at.
    ("lenient-decode", |kargo, ours| kargo.status == 400 && ours.status == 200),
    // The answer names the error; what is refreshed is the same.
    ("generic-error", |kargo, ours| kargo.status == 500 && ours.status == 200 && ours.refreshes_as(kargo)),
    // All requirements count, not only the last.
    ("index-last-wins", |kargo, ours| ours.status == 200 && ours.is_within(kargo)),
    // Works, where Kargo fails.
    ("index-not-equals", |kargo, ours| kargo.status == 500 && ours.status == 200),
    // Objects of one name and two kinds are both refreshed.
    ("kind-collapse", |kargo, ours| ours.status == kargo.status && kargo.is_within(ours)),
    ("method", |_, ours| ours.status == 405 && ours.is_idle()),
    ("null-commit-panic", |kargo, ours| kargo.status == 0 && ours.status == 200),
    ("quay-envelope", |_, ours| ours.status == 200),
    ("quay-lenient-tags", |_, ours| ours.status == 200),
    // Named or recognised, and not refreshed.
    ("quay-non-push", |_, ours| ours.status == 200 && ours.is_idle()),
    ("sha1", |_, ours| ours.status == 401 && ours.is_idle()),
    // Who subscribes to another spelling of the repository is refreshed as well.
    ("ssh-https", |kargo, ours| ours.status == 200 && kargo.is_within(ours)),
    // A chart version whose plus sign OCI cannot carry qualifies as well.
    ("underscore-plus", |kargo, ours| ours.status == 200 && kargo.is_within(ours)),
    // Read where Kargo refuses it; found by what the request holds.
    ("byte-order-mark", |kargo, ours| kargo.status == 400 && ours.status == 200),
    ("no-image-type", |kargo, ours| kargo.status == 501 && ours.status == 200),
    ("template-value", |kargo, ours| kargo.status == 400 && ours.status == 200),
    // Says only that the situation is there.
    ("empty-qualifiers", |_, _| false),
];

/// Lines without a mark on which ours differs deliberately, each with what it has to be then; see
/// docs/compatibility.md.
const DIFFERENCES: &[(&[&str], Allows)] = &[
    // Files unknown: Kargo takes those that are listed for all. Only the head commit is listed; most commits list none;
    // what the ref was before is not said. Who filters by path is refreshed as well.
    (&["hnd-github-0020", "hnd-github-0060", "hnd-github-0085", "hnd-gitea-0233"], |kargo, ours| {
        let besides = ours.refreshed.iter().filter(|name| !kargo.refreshed.contains(name));
        ours.status == 200 && kargo.is_within(ours) && besides.eq(["northwind/charts-only"].iter())
    }),
    // The type of a package in another case.
    (&["hnd-github-0142", "hnd-github-0143", "hnd-github-0215", "hnd-github-0216"], |_, ours| {
        ours.status == 200 && ours.refreshed == ["northwind/lexical", "northwind/semver-two"]
    }),
    // A package whose version is null, as the schema allows.
    (&["hnd-github-0157", "hnd-github-0158", "hnd-github-0159", "hnd-github-0230", "hnd-github-0232"], |_, ours| {
        ours.status == 200 && ours.is_idle()
    }),
    // The address of a pull request in another spelling, or left out where it follows from the repository's.
    (&["hnd-bitbucket-0070", "hnd-gitlab-0095"], |_, ours| {
        ours.status == 200 && ours.promotions == ["northwind/now", "northwind/p0"]
    }),
    // A push in a System Hook of GitLab.
    (&["hnd-gitlab-0096"], |_, ours| {
        let main = ["northwind/branchless", "northwind/by-ssh", "northwind/charts-only", "northwind/main"];
        ours.status == 200 && ours.refreshed == main
    }),
    (&["hnd-azure-0173", "hnd-azure-0174", "hnd-azure-0175", "hnd-azure-0177"], |_, ours| {
        ours.status == 200 && ours.promotions == ["fabrikam/tenant", "northwind/now", "northwind/p0"]
    }),
];

#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict {
    status: u16,
    refreshed: Vec<String>,
    promotions: Vec<String>,
}

impl Verdict {
    fn is_idle(&self) -> bool {
        self.refreshed.is_empty() && self.promotions.is_empty()
    }

    fn refreshes_as(&self, other: &Self) -> bool {
        self.refreshed == other.refreshed && self.promotions == other.promotions
    }

    /// Whether the other refreshes all that this one does.
    fn is_within(&self, other: &Self) -> bool {
        self.refreshed.iter().all(|name| other.refreshed.contains(name))
            && self.promotions.iter().all(|name| other.promotions.contains(name))
    }
}

fn verdict(case: &Value) -> Verdict {
    let base = BaseUrl::parse("https://hooks.example.com/in").unwrap();
    let owner = match text(case, "scope") {
        "cluster" => Owner::ClusterConfig,
        _ => Owner::ProjectConfig(Arc::from(text(case, "project"))),
    };
    let namespace = owner.secret_namespace("kargo-system-resources");
    let data =
        case["secret"].as_object().unwrap().iter().map(|(k, v)| (k.as_str().into(), Secret::new(base64(v)))).collect();
    let entries = declared(&owner, &json!({"webhookReceivers": [case["receiver"]]}));
    let secret = SecretState::Found(Arc::new(data));
    let routes = RouteTable::new(base);
    routes.replace(&owner, resolved(&owner, &entries, namespace, &secret).routes);
    let (warehouses, promotions) = (SubscriptionIndex::default(), PromotionIndex::default());
    for warehouse in case["warehouses"].as_array().into_iter().flatten() {
        warehouses.apply(&key(warehouse), None, labels(warehouse), &warehouse["spec"].to_string());
    }
    for promotion in case["promotions"].as_array().into_iter().flatten() {
        let (spec, status) = (promotion["spec"].to_string(), promotion["status"].to_string());
        promotions.apply(&key(promotion), labels(promotion), &spec, &status);
    }

    let path = format!("{}{}", text(case, "path"), text(case, "path_suffix"));
    let Some(route) = ReceiverPath::recognise(&path, routes.base()).and_then(|path| routes.find(&path)) else {
        return Verdict { status: 404, ..Verdict::default() };
    };
    let body = body(case);
    if let Some(answer) = Answer::refused(&text(case, "method").parse().unwrap(), body.len()) {
        return Verdict { status: answer.status().as_u16(), ..Verdict::default() };
    }
    let headers = headers(case);
    let request =
        Request { headers: &headers, query: case["url_query"].as_str(), body: &body, arrived: Timestamp::UNIX_EPOCH };
    let tables = Lookup { warehouses: &warehouses, promotions: &promotions, aliases: &HostAliases::default() };
    let judgement = judge(&route, &ClientIdentity::None, &request, tables, &mut Work::default());
    let status = Answer::of(&judgement, Ending::Written).status().as_u16();
    let named = |kind| {
        let targets = judgement.targets();
        targets.iter().filter(|target| target.kind == kind).map(ToString::to_string).collect()
    };
    Verdict { status, refreshed: named(TargetKind::Warehouse), promotions: named(TargetKind::Promotion) }
}

fn key(object: &Value) -> ObjectKey {
    ObjectKey::new(text(&object["metadata"], "namespace"), text(&object["metadata"], "name"))
}

fn labels(object: &Value) -> Labels {
    let labels = object["metadata"]["labels"].as_object().into_iter().flatten();
    labels.map(|(key, value)| (key.as_str().into(), value.as_str().unwrap().into())).collect()
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
    let names = |member: &str| {
        let names = case[member].as_array().into_iter().flatten();
        names.map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    Verdict {
        status: u16::try_from(case["status"].as_u64().unwrap()).unwrap(),
        refreshed: names("refreshed"),
        promotions: names("refreshed_promotions"),
    }
}

/// Whether ours is the verdict that is recorded for this line in place of Kargo's.
fn is_recorded(case: &Value, kargo: &Verdict, ours: &Verdict) -> bool {
    let id = text(case, "id");
    DIFFERENCES.iter().any(|(ids, allows)| ids.contains(&id) && allows(kargo, ours))
}

/// Whether one of the case's marks explains the difference.
fn is_meant(case: &Value, kargo: &Verdict, ours: &Verdict) -> bool {
    let marks: Vec<&str> = text(case, "deviates").split(',').chain(marks_of_the_request(case)).collect();
    DEVIATIONS.iter().any(|(mark, allows)| marks.contains(mark) && allows(kargo, ours))
}

/// Deliberate differences that came after the cases were recorded, which carry no mark for them.
fn marks_of_the_request(case: &Value) -> Vec<&'static str> {
    let body = body(case);
    let value: Value = serde_json::from_slice(&body).unwrap_or_default();
    let is = |kind: ReceiverKind| case["receiver"].get(kind.as_str()).is_some();
    let image_type = value.pointer("/data/image_type").and_then(Value::as_str).unwrap_or_default();
    let marks = [
        ("byte-order-mark", body.starts_with("\u{feff}".as_bytes())),
        ("no-image-type", is(ReceiverKind::Artifactory) && image_type.is_empty()),
        ("template-value", is(ReceiverKind::Quay) && !value.is_null() && !value.is_object()),
    ];
    marks.into_iter().filter(|(_, holds)| *holds).map(|(mark, _)| mark).collect()
}

/// Every case of the file for a receiver of these kinds: as Kargo answers, or as documented.
fn agree(file: &'static str, kinds: &[ReceiverKind], at_least: usize) {
    let (mut agreed, mut deviated, mut read, mut wrong) = (0, 0, 0, Vec::new());
    let mut recorded = vectors::Ours::of(file);
    for case in vectors::lines(file) {
        let receiver = case["receiver"].as_object().unwrap();
        if !kinds.iter().any(|kind| receiver.contains_key(kind.as_str())) {
            recorded.skip(&case);
            continue;
        }
        let (ours, kargo) = (verdict(&case), expected(&case));
        let exact =
            json!({"status": ours.status, "refreshed": ours.refreshed, "refreshed_promotions": ours.promotions});
        recorded.check(&case, exact, ours != kargo);
        if ours == kargo || is_recorded(&case, &kargo, &ours) {
            agreed += 1;
        } else if is_meant(&case, &kargo, &ours) {
            deviated += 1;
            // One without a mark in the file agreed before it was read.
            read += usize::from(text(&case, "deviates").is_empty() && !marks_of_the_request(&case).is_empty());
        } else {
            let marks = text(&case, "deviates");
            wrong.push(format!("{} [{marks}] {}: Kargo {kargo:?}, ours {ours:?}", case["id"], case["note"]));
        }
    }
    assert!(wrong.is_empty(), "{} wrong, {agreed} agree, {deviated} deviate\n{}", wrong.len(), wrong.join("\n"));
    assert!(agreed + read >= at_least, "only {agreed} agree, {deviated} deviate");
    recorded.finish();
}

fn resolved(owner: &Owner, entries: &Entries, namespace: &str, secret: &SecretState) -> Resolution {
    let filter = Ok(ProjectFilter::default());
    let declaration = Declaration { owner, entries, filter: &filter, secret_namespace: namespace };
    resolve(&declaration, &Defaults::default(), |_| secret.clone(), BTreeMap::new, &[])
}

/// What the actions of a generic receiver of project `northwind` come to, and the answer.
fn generic(actions: &Value, objects: &[(&str, &str, &str)], body: &str) -> (Judgement, Value) {
    let owner = Owner::ProjectConfig(Arc::from("northwind"));
    let receiver = json!({"name": "any", "generic": {"secretRef": {"name": "s"}, "actions": actions}});
    let entries = declared(&owner, &json!({"webhookReceivers": [receiver]}));
    let data = SecretData::from([("secret".into(), Secret::new(b"a long enough secret".to_vec()))]);
    let secret = SecretState::Found(Arc::new(data));
    let resolution = resolved(&owner, &entries, "northwind", &secret);
    let route = resolution.routes.into_iter().next().unwrap();
    let (warehouses, promotions) = (SubscriptionIndex::default(), PromotionIndex::default());
    for (kind, namespace, name) in objects {
        let key = ObjectKey::new(namespace, name);
        match *kind {
            "Warehouse" => warehouses.apply(&key, None, Labels::new(), "{}"),
            _ => promotions.apply(&key, Labels::new(), "{}", "{}"),
        }
    }
    let request = Request { headers: &HeaderMap::new(), query: None, body: body.as_bytes(), arrived: Timestamp::now() };
    let tables = Lookup { warehouses: &warehouses, promotions: &promotions, aliases: &HostAliases::default() };
    let judgement = judge(&route, &ClientIdentity::None, &request, tables, &mut Work::default());
    let answer = serde_json::to_value(&Answer::of(&judgement, Ending::Written).body).unwrap();
    (judgement, answer)
}

#[test]
fn the_answer_to_a_generic_request_shows_results_and_counts_only() {
    let named = |name: &str| json!([{"kind": "Warehouse", "name": name}]);
    let actions = json!([
        {"action": "Refresh", "targetSelectionCriteria": named("${{ request.body.name }}"), "parameters": {"a": "hidden"}},
        {"action": "Refresh", "whenExpression": "request.body.name == 'hidden'"},
        {"action": "Refresh", "whenExpression": "request.body.name.hidden == 'hidden'"},
        {"action": "Refresh", "targetSelectionCriteria": named("${{ request.body.hidden }}")},
    ]);
    let objects = [("Warehouse", "northwind", "storefront"), ("Warehouse", "fabrikam", "storefront")];
    let (judgement, answer) = generic(&actions, &objects, r#"{"name": "storefront"}"#);
    let result = |matched, result, summary, error: Option<&str>, count| {
        let mut result = json!({
            "action": "Refresh", "matchedWhenExpression": matched, "result": result, "summary": summary,
            "selected": count, "refreshed": count,
        });
        if let Some(error) = error {
            result["error"] = error.into();
        }
        result
    };
    let expected = json!({"results": [
        result(true, "Success", "Refreshed 1 of 1 selected resources", None, 1),
        result(false, "NotApplicable", "Request did not match whenExpression", None, 0),
        result(false, "Error", "Error evaluating whenExpression", Some("type"), 0),
        result(true, "Error", "Error evaluating targetSelectionCriteria", Some("not_text"), 0),
    ]});
    assert_eq!(answer, expected);
    let late = serde_json::to_value(&Answer::of(&judgement, Ending::Unfinished(&judgement.targets())).body).unwrap();
    assert_eq!(late["results"][0]["summary"], "Refreshed 0 of 1 selected resources");
    assert_eq!((&late["results"][0]["result"], &late["results"][1]), (&json!("Failure"), &expected["results"][1]));
    let (_, idle) = generic(&json!([]), &objects, "");
    assert_eq!(idle, json!({"results": []}));
}

#[test]
fn objects_of_one_name_and_two_kinds_are_both_refreshed() {
    let actions = json!([{"action": "Refresh", "targetSelectionCriteria": [
        {"kind": "Promotion", "name": "storefront"}, {"kind": "Warehouse", "name": "storefront"},
    ]}]);
    let objects = [
        ("Warehouse", "northwind", "storefront"),
        ("Promotion", "northwind", "storefront"),
        ("Promotion", "fabrikam", "storefront"),
    ];
    let (judgement, _) = generic(&actions, &objects, "");
    let targets: Vec<_> = judgement.targets().iter().map(|target| (target.kind, target.to_string())).collect();
    let name = || "northwind/storefront".to_owned();
    assert_eq!(targets, [(TargetKind::Warehouse, name()), (TargetKind::Promotion, name())]);
}

#[test]
fn criteria_that_would_look_at_too_many_objects_fail_and_select_nothing() {
    let everything = json!({"kind": "Warehouse", "labelSelector": {"matchExpressions": [
        {"key": "quiet", "operator": "DoesNotExist"},
    ]}});
    let names: Vec<String> = (0..2_000).map(|n| format!("w{n}")).collect();
    let objects: Vec<_> = names.iter().map(|name| ("Warehouse", "northwind", name.as_str())).collect();
    let actions = json!([
        {"action": "Refresh", "targetSelectionCriteria": vec![everything.clone(); 500]},
        {"action": "Refresh", "targetSelectionCriteria": vec![everything; 500]},
        {"action": "Refresh", "targetSelectionCriteria": [{"kind": "Warehouse", "name": "w7"}]},
    ]);
    let (_, answer) = generic(&actions, &objects, "");
    let results = &answer["results"];
    assert_eq!((&results[0]["selected"], &results[1]["error"]), (&json!(2_000), &json!("limit")), "{answer}");
    assert_eq!(results[2]["result"], "Success", "half of the rest is left to the next");
}

#[test]
fn an_event_under_one_name_of_a_registry_concerns_subscribers_under_its_other_names() {
    let warehouses = SubscriptionIndex::default();
    for (name, repository) in [
        ("pushed", "registry.internal:8443/shop/app"),
        ("for-all", "registry.example.com/shop/app"),
        ("own", "cache.example.com/mirror/shop/app"),
        ("followed", "further.example.com/shop/app"),
        ("other", "registry.example.com/shop/other"),
    ] {
        let spec = json!({"subscriptions": [{"image": {"repoURL": repository}}]}).to_string();
        warehouses.apply(&ObjectKey::new("shop", name), None, Labels::new(), &spec);
    }
    let aliases = |text| HostAliases::parse(text).unwrap();
    let for_all = aliases("registry.internal:8443=registry.example.com,registry.example.com=further.example.com");
    let scope = Scope::Project(Arc::from("shop"));
    let secret = Secret::new(b"a long enough secret".to_vec());
    let settings = Settings {
        aliases: Arc::new(aliases("registry.internal:8443=cache.example.com/mirror")),
        ..Settings::new(secret.clone())
    };
    let path = ReceiverPath::derive(ReceiverKind::Quay, &scope, "quay", &secret);
    let route = Route {
        path,
        owner: Owner::ProjectConfig(Arc::from("shop")),
        scope,
        receiver: Arc::from("quay"),
        settings,
        standing: Standing::Current,
    };
    let tables = Lookup { warehouses: &warehouses, promotions: &PromotionIndex::default(), aliases: &for_all };
    let body = json!({"docker_url": "registry.internal:8443/shop/app", "updated_tags": ["1.0.0"]}).to_string();
    let request =
        Request { headers: &HeaderMap::new(), query: None, body: body.as_bytes(), arrived: Timestamp::UNIX_EPOCH };
    let judgement = judge(&route, &ClientIdentity::None, &request, tables, &mut Work::default());
    let refreshed: Vec<String> = judgement.targets().iter().map(ToString::to_string).collect();
    assert_eq!(refreshed, ["shop/for-all", "shop/own", "shop/pushed"]);
}

#[test]
fn whole_quay_requests_are_answered_as_kargo_answers_them_or_as_documented() {
    agree("handlers.quay", &[ReceiverKind::Quay], 250);
}

#[test]
fn whole_registry_requests_are_answered_as_kargo_answers_them_or_as_documented() {
    agree("handlers.registry", &[ReceiverKind::Artifactory], 76);
    agree("handlers.registry", &[ReceiverKind::Azure], 90);
    agree("handlers.registry", &[ReceiverKind::DockerHub], 80);
    agree("handlers.registry", &[ReceiverKind::Harbor], 70);
}

#[test]
fn whole_github_requests_are_answered_as_kargo_answers_them_or_as_documented() {
    agree("handlers.github", &[ReceiverKind::GitHub], 190);
}

#[test]
fn whole_requests_of_the_other_git_hosts_are_answered_as_kargo_answers_them_or_as_documented() {
    agree("handlers.git", &[ReceiverKind::Bitbucket], 97);
    agree("handlers.git", &[ReceiverKind::Gitea], 98);
    agree("handlers.git", &[ReceiverKind::GitLab], 105);
}

#[test]
fn whole_generic_requests_are_answered_as_kargo_answers_them_or_as_documented() {
    agree("generic.when", &[ReceiverKind::Generic], 175);
    agree("generic.targets", &[ReceiverKind::Generic], 160);
    agree("handlers.registry", &[ReceiverKind::Generic], 43);
}
