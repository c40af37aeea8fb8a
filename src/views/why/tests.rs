use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::domain::kind::ReceiverKind;
use crate::domain::owner::Owner;
use crate::domain::path::ReceiverPath;
use crate::domain::scope::{ObjectKey, Scope};
use crate::domain::secret::Secret;
use crate::journal::record::{Names, NotRefreshed};
use crate::receiver::Settings;
use crate::tables::routes::Standing;
use crate::views::model::{Call, Calls, Notification, Remark};

fn warehouse() -> Known {
    let spec = r#"{"subscriptions":[{"image":{"repoURL":"quay.io/northwind/storefront","constraint":"^2.0.0"}}]}"#;
    Known::decode(ObjectKey::new("northwind", "app"), spec)
}

fn route(owner: Owner, scope: Scope, receiver: &str) -> Arc<Route> {
    let secret = Secret::new(b"0123456789abcdef".to_vec());
    let path = ReceiverPath::derive(ReceiverKind::Quay, &scope, receiver, &secret);
    let settings = Settings::new(secret);
    Arc::new(Route { path, owner, scope, receiver: receiver.into(), settings, standing: Standing::Current })
}

fn of_project(project: &str) -> Arc<Route> {
    let owner = Owner::ProjectConfig(project.into());
    route(owner.clone(), owner.scope(), "quay")
}

/// A push of a tag that reached the receiver of a project.
fn push(project: &str, repository: &str, tag: &str) -> Record {
    Record {
        project: project.to_owned(),
        receiver: "quay".to_owned(),
        declared_in: "ProjectConfig".to_owned(),
        repositories: Names::of(&[repository]),
        qualifiers: Names::of(&[tag]),
        outcome: "no_match".to_owned(),
        message: "no Warehouse within reach subscribes".to_owned(),
        ..Record::default()
    }
}

#[test]
fn a_namespace_of_another_installation_is_called_that_and_the_one_that_serves_it_goes_before() {
    let foreign = Warehouse { namespace: "northwind".to_owned(), elsewhere: true, ..Warehouse::default() };
    let told = answer(&foreign);
    assert!(told.starts_with("This installation of Quayside does not serve the namespace northwind"), "{told}");
    let own = Warehouse { name: "own".to_owned(), elsewhere: false, ..foreign.clone() };
    for views in [vec![foreign.clone(), own.clone()], vec![own, foreign]] {
        let merged = merge(views);
        assert_eq!((merged.name.as_str(), merged.elsewhere), ("own", false));
        assert!(merged.answer.starts_with("Quayside knows no Warehouse northwind/own"), "{}", merged.answer);
    }
}

/// What a person is told about the Warehouse after these deliveries.
fn asked(records: &[Record], routes: &[Arc<Route>]) -> String {
    asked_with(records, routes, &[], &Calls::default())
}

/// The same, with what is wrong with receivers and what came to the one of the project.
fn asked_with(records: &[Record], routes: &[Arc<Route>], remarks: &[Remark], calls: &Calls) -> String {
    let known = warehouse();
    let mut view = Warehouse {
        namespace: "northwind".to_owned(),
        name: "app".to_owned(),
        found: true,
        subscriptions: subscriptions(&known),
        receivers: reaches(routes, remarks, "northwind", |_| calls.clone()),
        deliveries: most_telling(records.iter().filter_map(|record| about(record, &known, routes)).collect()),
        ..Warehouse::default()
    };
    view.answer = answer(&view);
    view.answer
}

#[test]
fn the_first_obstacle_is_named() {
    assert!(answer(&Warehouse { name: "app".to_owned(), ..Warehouse::default() }).contains("knows no Warehouse"));
    assert!(asked(&[], &[]).contains("No receiver that is served reaches project northwind"));
    assert!(asked(&[], &[of_project("contoso")]).contains("No receiver that is served reaches"), "another project's");
    let narrowed = Scope::Projects(Arc::new(["contoso".into()].into()));
    let elsewhere = route(Owner::ClusterConfig, narrowed, "global");
    assert!(asked(&[], &[elsewhere]).contains("its annotations narrow it down to projects without northwind"));
    assert!(asked(&[], &[of_project("northwind")]).contains("No delivery since"));
}

#[test]
fn the_last_delivery_about_it_is_the_answer() {
    let routes = [of_project("northwind")];
    let mut refused = push("northwind", "quay.io/northwind/storefront", "3.0.0");
    refused.subscribed = 1;
    assert!(
        asked(std::slice::from_ref(&refused), &routes).contains("did not refresh it: tag \"3.0.0\" does not satisfy")
    );
    refused.not_refreshed = vec![NotRefreshed {
        namespace: "northwind".into(),
        name: "app".into(),
        reason: "as recorded".into(),
        ..NotRefreshed::default()
    }];
    assert!(asked(&[refused.clone()], &routes).contains("did not refresh it: as recorded"));
    let mut refreshed = push("northwind", "quay.io/northwind/storefront", "2.1.0");
    refreshed.time = jiff::Timestamp::from_second(60).unwrap();
    refreshed.refreshes = vec![Refresh {
        kind: "Warehouse".into(),
        namespace: "northwind".into(),
        name: "app".into(),
        state: State::NotLooked,
        because: "registry answered 503".into(),
        ..Refresh::default()
    }];
    let told = asked(&[refused, refreshed], &routes);
    assert!(
        told.contains("(2.1.0, 1970-01-01 00:01:00 UTC, receiver quay) refreshed it; Kargo took the refresh up"),
        "{told}"
    );
    assert!(told.ends_with("its discovery failed: registry answered 503"), "{told}");
}

#[test]
fn near_misses_are_told_apart() {
    let routes = [of_project("northwind"), of_project("contoso")];
    let told = asked(&[push("northwind", "quay.corp.example.com/northwind/storefront", "2.1.0")], &routes);
    assert!(told.contains("add the alias quay.corp.example.com=quay.io"), "{told}");
    let told = asked(&[push("contoso", "quay.io/northwind/storefront", "2.1.0")], &routes);
    assert!(told.contains("receiver quay refreshes Warehouses of contoso only"), "{told}");
    let told = asked(&[push("northwind", "quay.io/northwind/backend", "2.1.0")], &routes);
    assert!(told.contains("No delivery since"), "another repository is no near miss: {told}");
    let mut ignored = push("northwind", "quay.io/northwind/storefront", "");
    ignored.message = "ignored build_success: it is not a push".to_owned();
    assert!(asked(&[ignored], &routes).contains("did not refresh it: ignored build_success"));
}

fn call(time: i64, outcome: &str, message: &str) -> Option<Call> {
    let time = jiff::Timestamp::from_second(time).unwrap();
    Some(Call { time, outcome: outcome.to_owned(), message: message.to_owned() })
}

#[test]
fn what_keeps_pushes_from_arriving_is_named() {
    let routes = [of_project("northwind")];
    let told = |calls: &Calls| asked_with(&[], &routes, &[], calls);
    let silent = told(&Calls::default());
    assert!(silent.ends_with(
        "no request has come to receiver northwind/quay; see whether its sender has the URL and is enabled"
    ));
    let useful = call(50, "no_match", "");
    assert!(
        told(&Calls { useful: useful.clone(), ..Calls::default() })
            .ends_with("see whether the sender calls: quayside deliveries")
    );
    let idle = call(60, "ignored", "event build_start acknowledged");
    let only_idle = told(&Calls { idle: idle.clone(), ..Calls::default() });
    assert!(
        only_idle.contains("only events that ask for nothing came to receiver northwind/quay, the last at"),
        "{only_idle}"
    );
    assert!(!told(&Calls { idle, useful: useful.clone(), ..Calls::default() }).contains("ask for nothing"));
    let refused = call(70, "unauthorized", "unauthorized");
    let after = told(&Calls { refused: refused.clone(), useful: useful.clone(), ..Calls::default() });
    assert!(
        after.contains(
            "the last request to receiver northwind/quay, at 1970-01-01 00:01:10 UTC, was refused as unauthorized"
        ),
        "{after}"
    );
    let before = told(&Calls { refused: call(40, "unauthorized", ""), useful: useful.clone(), ..Calls::default() });
    assert!(!before.contains("refused"), "{before}");
    let retired = told(&Calls { retired: call(80, "unknown_path", ""), refused, useful, ..Calls::default() });
    assert!(retired.contains("calls a URL that is no longer in force"), "{retired}");
}

#[test]
fn trouble_after_the_last_delivery_comes_first() {
    let routes = [of_project("northwind")];
    let mut record = push("northwind", "quay.io/northwind/storefront", "3.0.0");
    record.subscribed = 1;
    let refused = |time| Calls { refused: call(time, "unauthorized", "unauthorized"), ..Calls::default() };
    let later = asked_with(std::slice::from_ref(&record), &routes, &[], &refused(10));
    assert!(
        later.starts_with("The last request to receiver northwind/quay") && later.contains("; the last delivery"),
        "{later}"
    );
    record.time = jiff::Timestamp::from_second(20).unwrap();
    assert!(asked_with(&[record], &routes, &[], &refused(10)).starts_with("The last delivery about it"));
}

#[test]
fn a_receiver_that_is_not_served_is_named_with_the_reason() {
    let remark = |project: &str, served| Remark {
        project: project.to_owned(),
        name: "quay".to_owned(),
        declared_in: "ProjectConfig".to_owned(),
        message: "secrets \"s\" not found".to_owned(),
        served,
        ..Remark::default()
    };
    let told = |remark, routes: &[Arc<Route>]| asked_with(&[], routes, &[remark], &Calls::default());
    let alone = told(remark("northwind", false), &[]);
    assert!(
        alone.contains("No receiver reaches the Warehouse: quay: it is not served: secrets \"s\" not found"),
        "{alone}"
    );
    // One of the cluster reaches it as well, and was never called.
    let cluster = route(Owner::ClusterConfig, Scope::Cluster, "global");
    let beside = told(remark("northwind", false), &[cluster]);
    assert!(beside.contains("receiver northwind/quay: it is not served: secrets"), "{beside}");
    assert!(told(remark("contoso", false), &[]).contains("No receiver that is served reaches"));
    let refused = Calls { refused: call(10, "unauthorized", "unauthorized"), ..Calls::default() };
    let weak = asked_with(&[], &[of_project("northwind")], &[remark("northwind", true)], &refused);
    assert!(weak.ends_with("was refused as unauthorized: unauthorized; secrets \"s\" not found"), "{weak}");
}

#[test]
fn the_last_requests_are_sorted_by_what_came_of_them() {
    let record = |time: i64, outcome: &str, repositories: &[&str]| Record {
        time: jiff::Timestamp::from_second(time).unwrap(),
        outcome: outcome.to_owned(),
        repositories: Names::of(repositories),
        ..Record::default()
    };
    let served = [
        record(1, "refreshed", &["a"]),
        record(2, "no_match", &["a"]),
        record(3, "no_match", &[]),
        record(4, "ignored", &["a"]),
        record(5, "invalid_body", &[]),
        record(6, "unauthorized", &[]),
        record(7, "dry_run", &["a"]),
    ];
    let calls = calls(&served, &[record(8, "unknown_path", &[])]);
    let times = [calls.useful, calls.idle, calls.refused, calls.retired].map(|call| call.unwrap().time.as_second());
    assert_eq!(times, [2, 4, 6, 8]);
}

#[test]
fn replicas_bring_their_last_requests_together() {
    let view = |useful, refused| {
        let reach = Reach { reaches: true, calls: Calls { useful, refused, ..Calls::default() }, ..Reach::default() };
        Warehouse { found: true, receivers: vec![reach], ..Warehouse::default() }
    };
    let merged = merge(vec![view(call(1, "", ""), call(5, "", "")), view(call(3, "", ""), None)]);
    let calls = &merged.receivers[0].calls;
    assert_eq!((calls.useful.clone(), calls.refused.clone()), (call(3, "", ""), call(5, "", "")));
}

#[test]
fn replicas_are_brought_together() {
    let view = |replica: &str, found, ids: &[i64]| Warehouse {
        replica: replica.to_owned(),
        found,
        since: jiff::Timestamp::from_second(ids[0]).unwrap(),
        deliveries: ids
            .iter()
            .map(|id| About {
                delivery: Record {
                    id: id.to_string(),
                    time: jiff::Timestamp::from_second(*id).unwrap(),
                    ..Record::default()
                },
                ..About::default()
            })
            .collect(),
        ..Warehouse::default()
    };
    let merged = merge(vec![view("a", false, &[1, 4]), view("b", true, &[2, 3])]);
    assert!(merged.found);
    assert_eq!(merged.since, jiff::Timestamp::from_second(1).unwrap());
    assert_eq!(merged.deliveries.iter().map(|about| &*about.delivery.id).collect::<Vec<_>>(), ["4", "3", "2", "1"]);
    assert_eq!(merge(Vec::new()), Warehouse::default());
}

#[test]
fn a_notification_that_was_switched_off_explains_a_push_that_never_came() {
    let told = |notification: Notification| {
        let mut view = Warehouse {
            namespace: "northwind".to_owned(),
            name: "app".to_owned(),
            found: true,
            subscriptions: subscriptions(&warehouse()),
            receivers: reaches(&[of_project("northwind")], &[], "northwind", |_| Calls::default()),
            notifications: vec![notification],
            ..Warehouse::default()
        };
        view.answer = answer(&view);
        view.answer
    };
    let at = |second| Some(Timestamp::from_second(second).unwrap());
    let off = Notification {
        registration: "northwind/quay".to_owned(),
        sender: "Quay".to_owned(),
        repository: "northwind/storefront".to_owned(),
        state: "Disabled".to_owned(),
        message: "switched off by the sender after three failures".to_owned(),
        disabled: at(100),
        ..Notification::default()
    };
    let answer = told(off.clone());
    assert!(answer.contains("Quay's notification for northwind/storefront was disabled, seen at"), "{answer}");
    assert!(answer.contains("after three failures"), "{answer}");
    let answer = told(Notification { works: true, message: String::new(), healed: at(130), ..off.clone() });
    assert!(answer.contains("and enabled again at"), "{answer}");
    let refused = Notification { disabled: None, message: "the token is not accepted".to_owned(), ..off };
    let answer = told(refused);
    assert!(
        answer.contains("registration northwind/quay, northwind/storefront: the token is not accepted"),
        "{answer}"
    );
}
