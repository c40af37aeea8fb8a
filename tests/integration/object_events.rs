//! Events on the objects that declare receivers, where one replica leads.

use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;

use crate::harness::{LeaseTurn, Project, SOON, quay_receiver, wait_until};

/// The Events of the project about an object of that kind with that reason.
async fn events(project: &Project, kind: &str, reason: &str) -> Vec<Event> {
    let api: Api<Event> = Api::namespaced(project.client.clone(), &project.namespace);
    let all = api.list(&ListParams::default()).await.unwrap();
    let is_it = |event: &Event| {
        event.reason.as_deref() == Some(reason)
            && event.regarding.as_ref().and_then(|object| object.kind.as_deref()) == Some(kind)
    };
    all.items.into_iter().filter(is_it).collect()
}

/// Waits for the only one.
async fn event(project: &Project, kind: &str, reason: &str) -> Event {
    let mut found =
        wait_until(&format!("there is an Event {reason} on the {kind} of {}", project.namespace), SOON, async || {
            Some(events(project, kind, reason).await).filter(|found| !found.is_empty())
        })
        .await;
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[tokio::test]
async fn a_secret_that_cannot_be_used_is_an_event_when_that_begins_and_when_it_ends() {
    let turn = LeaseTurn::take().await;
    let first = turn.replica([]);
    first.leading(SOON).await;
    let project = Project::on(turn.plane, "events").await;
    project.secret_under("token", "quay-webhook", "a value under the key of another kind").await;
    project.receivers(json!([quay_receiver("quay", "quay-webhook")])).await;
    let warning = event(&project, "ProjectConfig", "SecretKeyMissing").await;
    assert_eq!(warning.type_.as_deref(), Some("Warning"));
    let note = warning.note.unwrap();
    assert!(note.starts_with("receiver quay: ") && note.contains(r#"missing "secret" data key"#), "{note}");
    let describe = format!("kubectl describe projectconfigs {0} -n {0}", project.namespace);
    let described = project.plane.bash(&describe).success();
    let (_, listed) = described.split_once("\nEvents:").unwrap();
    assert!(listed.contains("SecretKeyMissing") && listed.contains("quayside"), "{described}");

    assert!(project.notes().contains(&note), "the check for credentials looks at it");

    // The next leader finds the problem in the status, and has nothing new to say about it.
    first.signal("-TERM");
    assert_eq!(first.ended().await.code(), Some(0));
    let second = turn.replica([]);
    second.leading(SOON).await;
    project.receivers(json!([quay_receiver("quay", "quay-webhook"), quay_receiver("hub", "missing")])).await;
    event(&project, "ProjectConfig", "SecretNotFound").await;
    let told = event(&project, "ProjectConfig", "SecretKeyMissing").await;
    assert!(told.series.is_none(), "{told:?}");

    project.quay(&second).await;
    project.condition("Ready=True").await;
    wait_until("both are said to be over", SOON, async || {
        (events(&project, "ProjectConfig", "ReceiverRecovered").await.len() == 2).then_some(())
    })
    .await;
    for reason in ["SecretKeyMissing", "SecretNotFound"] {
        let told = event(&project, "ProjectConfig", reason).await;
        assert!(told.series.is_none(), "{told:?}");
    }
}

#[tokio::test]
async fn a_clash_of_paths_is_an_event_on_both_objects() {
    let turn = LeaseTurn::take().await;
    let operator = turn.replica([]);
    operator.leading(SOON).await;
    let project = Project::on(turn.plane, "events-clash").await;
    let hook = project.quay(&operator).await;
    project.condition("Ready=True").await;
    project.apply("Receiver", "quay", json!({"quay": {"secretRef": {"name": "quay-webhook"}}})).await;
    hook.gone().await;
    let namespace = &project.namespace;
    for (kind, with) in
        [("ProjectConfig", format!("Receiver {namespace}/quay")), ("Receiver", format!("ProjectConfig {namespace}"))]
    {
        let note = event(&project, kind, "PathConflict").await.note.unwrap();
        assert!(note.contains(&format!("{with} has a receiver with the same path")), "{note}");
    }
}
