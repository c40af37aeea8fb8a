use std::sync::Arc;

use super::*;
use crate::domain::kind::ReceiverKind;
use crate::domain::owner::Owner;
use crate::domain::path::ReceiverPath;
use crate::domain::scope::ObjectKey;
use crate::domain::secret::Secret;
use crate::journal::record::{Names, NotRefreshed};
use crate::receiver::Settings;
use crate::tables::routes::Standing;

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

/// What a person is told about the Warehouse after these deliveries.
fn asked(records: &[Record], routes: &[Arc<Route>]) -> String {
    let known = warehouse();
    let mut view = Warehouse {
        namespace: "northwind".to_owned(),
        name: "app".to_owned(),
        found: true,
        subscriptions: subscriptions(&known),
        receivers: reaches(routes, "northwind"),
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
