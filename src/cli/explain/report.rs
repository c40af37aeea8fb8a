//! The output of `quayside explain`. The JSON form is a contract for scripts.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Write;

use serde_json::{Value, json};

use super::super::manifests::Resolved;
use super::{actions, entry_name};
use crate::delivery::{Judgement, Lookup};
use crate::domain::event::PushEvent;
use crate::domain::scope::ObjectKey;
use crate::domain::subscription::Subscription;
use crate::domain::target::Target;
use crate::domain::work::Work;
use crate::http::answer::Answer;
use crate::tables::routes::Route;
use crate::tables::warehouses::{Pushes, Warehouse};

/// What is printed, in one of two forms.
pub(super) struct Report {
    answer: Option<(u16, Value)>,
    delivery: Value,
    receivers: Option<Vec<Value>>,
    warehouses: Vec<Value>,
    promotions: Vec<Value>,
    /// Who sent a captured request, and whether it is proven.
    request: Option<Value>,
}

/// What is reported on, and what of it would be refreshed (sorted).
#[derive(Clone, Copy)]
struct Objects<'a> {
    tables: Lookup<'a>,
    targets: &'a [Target],
}

impl Report {
    /// Receivers and Warehouses, without a request.
    pub(super) fn listing(resolved: &[Resolved], tables: Lookup<'_>) -> Self {
        let receivers = resolved.iter().flat_map(receivers).collect();
        let objects = Objects { tables, targets: &[] };
        Self { receivers: Some(receivers), ..Self::about(objects, |_, _| (false, String::new())) }
    }

    /// A request that was answered before anything was read from it.
    pub(super) fn answered(answer: &Answer, tables: Lookup<'_>) -> Self {
        let objects = Objects { tables, targets: &[] };
        let report = Self::about(objects, |_, _| (false, "the request is refused".to_owned()));
        Self { answer: Some(parts(answer)), ..report }
    }

    /// A request that reached its receiver.
    pub(super) fn judged(answer: &Answer, route: &Route, judgement: &Judgement, tables: Lookup<'_>) -> Self {
        let targets = judgement.targets();
        let objects = Objects { tables, targets: &targets };
        let (delivery, report) = match judgement {
            Judgement::Rejected(_) => return Self::answered(answer, tables),
            Judgement::Ignored(ignored) => (
                delivery(route, &ignored.event, &ignored.repositories, &ignored.qualifiers, &[]),
                Self::about(objects, |_, _| (false, format!("the event is ignored: {}", ignored.because))),
            ),
            Judgement::Push { events, .. } => {
                let all = |list: fn(&PushEvent) -> &[String]| -> Vec<String> {
                    events.iter().flat_map(list).cloned().collect::<BTreeSet<_>>().into_iter().collect()
                };
                let (repositories, qualifiers) = (all(|event| &event.repositories), all(|event| &event.qualifiers));
                let (pushes, work) = (Pushes::new(events), RefCell::new(Work::default()));
                (
                    delivery(
                        route,
                        judgement.event(),
                        &repositories,
                        &qualifiers,
                        &all(|event| event.changed_files.listed()),
                    ),
                    Self::about(objects, |warehouse, subscription| {
                        if repositories.is_empty() {
                            return (false, "not compared with the event, which names no repository".to_owned());
                        }
                        let explain = || pushes.explain(subscription, &mut work.borrow_mut());
                        out_of_reach(route, warehouse).unwrap_or_else(explain)
                    }),
                )
            }
            Judgement::PullRequest { event, .. } => {
                let mut delivery = delivery(route, &event.event, &[], &[], &[]);
                delivery["pullRequest"] = event.url.clone().into();
                let because = "the event is about a pull request, which concerns Promotions only";
                (delivery, Self::about(objects, |_, _| (false, because.to_owned())))
            }
            Judgement::Actions(judged) => {
                let mut delivery = delivery(route, "", &[], &[], &[]);
                delivery["actions"] = actions::outcomes(judged).into();
                let fate = |warehouse: &Warehouse, _: &Subscription| {
                    out_of_reach(route, warehouse).unwrap_or_else(|| actions::fate(judged, warehouse))
                };
                (delivery, Self::about(objects, fate))
            }
        };
        Self { answer: Some(parts(answer)), delivery, ..report }
    }

    fn about(objects: Objects<'_>, judge: impl Fn(&Warehouse, &Subscription) -> (bool, String)) -> Self {
        Self {
            answer: None,
            delivery: Value::Null,
            receivers: None,
            warehouses: objects.warehouses(judge),
            promotions: objects.promotions(),
            request: None,
        }
    }

    /// The same, with what is known about the sender of a captured request.
    pub(super) fn with_request(self, request: Option<Value>) -> Self {
        Self { request, ..self }
    }

    /// The contract.
    pub(super) fn json(&self) -> Value {
        let answer = self.answer.as_ref().map(|(status, body)| json!({"status": status, "body": body}));
        let mut report = json!({
            "answer": answer,
            "delivery": self.delivery,
            "warehouses": self.warehouses,
            "promotions": self.promotions,
        });
        if let Some(request) = &self.request {
            report["request"] = request.clone();
        }
        if let Some(receivers) = &self.receivers {
            report["receivers"] = receivers.clone().into();
        }
        report
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        if let Some(request) = &self.request {
            let part = |member: &str| text(&request[member]);
            line(&mut out, &format!("Sender: {}, by {}", part("kind"), part("because")));
            line(&mut out, &format!("Signature: {}", part("signature")));
        }
        if let Some((status, body)) = &self.answer {
            line(&mut out, &format!("Answer: {status} {body}"));
        }
        if !self.delivery.is_null() {
            let list = |member: &str| texts(&self.delivery[member]).join(", ");
            if self.delivery["actions"].is_null() {
                line(&mut out, &format!("Event: {} ({})", text(&self.delivery["event"]), text(&self.delivery["kind"])));
                line(&mut out, &format!("Repositories: {}", list("repositories")));
                line(&mut out, &format!("Tags or refs: {}", list("qualifiers")));
            }
            for (index, action) in self.delivery["actions"].as_array().into_iter().flatten().enumerate() {
                let (action, outcome) = (text(&action["action"]), text(&action["outcome"]));
                line(&mut out, &format!("actions[{index}] ({action}) {outcome}"));
            }
        }
        for receiver in self.receivers.iter().flatten() {
            let (project, name) = (text(&receiver["project"]), text(&receiver["name"]));
            line(
                &mut out,
                &format!("Receiver {project}/{name} ({}): {}", text(&receiver["kind"]), text(&receiver["reason"])),
            );
        }
        for warehouse in &self.warehouses {
            line(&mut out, &format!("Warehouse {}", self.fate(warehouse)));
            for subscription in warehouse["subscriptions"].as_array().into_iter().flatten() {
                let reason = text(&subscription["reason"]);
                let separator = if reason.is_empty() { "" } else { ": " };
                let (kind, repository) = (text(&subscription["kind"]), text(&subscription["repository"]));
                line(&mut out, &format!("  {kind} {repository}{separator}{reason}"));
            }
        }
        for promotion in &self.promotions {
            line(&mut out, &format!("Promotion {}", self.fate(promotion)));
        }
        out
    }

    /// Name of an object and whether it would be refreshed.
    fn fate(&self, object: &Value) -> String {
        let refreshed = match (self.answer.is_some(), &object["refresh"]) {
            (true, Value::Bool(true)) => ": would be refreshed",
            (true, _) => ": would not be refreshed",
            (false, _) => "",
        };
        format!("{}/{}{refreshed}", text(&object["namespace"]), text(&object["name"]))
    }
}

fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    writeln!(out, "{text}").ok();
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn parts(answer: &Answer) -> (u16, Value) {
    (answer.status().as_u16(), serde_json::to_value(&answer.body).unwrap_or_default())
}

fn delivery(route: &Route, event: &str, repositories: &[String], qualifiers: &[String], files: &[String]) -> Value {
    json!({
        "kind": route.kind().as_str(),
        "event": event,
        "repositories": repositories,
        "qualifiers": qualifiers,
        "changedFiles": files,
    })
}

fn out_of_reach(route: &Route, warehouse: &Warehouse) -> Option<(bool, String)> {
    let project = route.scope.project();
    (!route.scope.covers(&warehouse.key.namespace))
        .then(|| (false, format!("out of reach: the receiver belongs to project {project:?}")))
}

impl Objects<'_> {
    fn is_target(self, target: &Target) -> bool {
        self.targets.binary_search(target).is_ok()
    }

    fn warehouses(self, judge: impl Fn(&Warehouse, &Subscription) -> (bool, String)) -> Vec<Value> {
        let mut reports = Vec::new();
        for warehouse in self.tables.warehouses.warehouses() {
            let mut subscriptions = Vec::new();
            for subscription in &warehouse.subscriptions {
                let (kind, repository, (matched, reason)) = match subscription {
                    Ok(s) => (s.kind.as_str(), &*s.repository, judge(&warehouse, s)),
                    Err(error) => ("unknown", "", (false, error.to_string())),
                };
                subscriptions
                    .push(json!({"kind": kind, "repository": repository, "matched": matched, "reason": reason}));
            }
            reports.push(json!({
                "namespace": &*warehouse.key.namespace,
                "name": &*warehouse.key.name,
                "refresh": self.is_target(&Target::warehouse(warehouse.key.clone())),
                "subscriptions": subscriptions,
            }));
        }
        reports
    }

    fn promotions(self) -> Vec<Value> {
        let report = |key: ObjectKey| {
            let (namespace, name) = (key.namespace.to_string(), key.name.to_string());
            json!({"namespace": namespace, "name": name, "refresh": self.is_target(&Target::promotion(key))})
        };
        self.tables.promotions.keys().into_iter().map(report).collect()
    }
}

fn receivers(config: &Resolved) -> impl Iterator<Item = Value> + '_ {
    let served: HashSet<&str> = config.routes.iter().map(|route| &*route.receiver).collect();
    let mut problems = HashMap::new();
    for problem in config.problems.iter().chain(&config.warnings) {
        problems.entry(problem.receiver.as_str()).or_insert(problem);
    }
    config.entries.iter().map(move |entry| {
        let name = entry_name(entry);
        let kind = entry.as_ref().ok().and_then(|entry| entry.kind()).map_or("unknown", |kind| kind.as_str());
        let served = served.contains(name);
        let problem = problems.get(name);
        let reason = problem.map_or_else(|| "served".to_owned(), |problem| problem.cause.clone());
        let project = config.owner.project();
        json!({"project": project, "name": name, "kind": kind, "served": served, "reason": reason})
    })
}
