//! Which reasons against a refresh are kept.

use serde_json::{Value, json};

use super::*;

const REPOSITORY: &str = "quay.io/x/y";

fn image(constraint: &str) -> Value {
    json!({"image": {"repoURL": REPOSITORY, "constraint": constraint}})
}

fn warehouse(name: &str, subscriptions: &[Value]) -> Arc<Warehouse> {
    let spec = json!({"subscriptions": subscriptions}).to_string();
    Arc::new(Warehouse::decode(ObjectKey::new("a", name), &spec))
}

/// What the index has under the repository.
fn found(warehouses: &[Arc<Warehouse>]) -> [Entries; 1] {
    let entries = warehouses.iter().flat_map(|warehouse| {
        let count = u32::try_from(warehouse.subscriptions.len()).unwrap();
        (0..count).map(|position| Entry { warehouse: Arc::clone(warehouse), position })
    });
    [Entries::Many(Arc::new(entries.collect()))]
}

/// Selects for one push after the other, each with its tag and what the index has at the time.
fn select(pushes: &[(&str, &[Arc<Warehouse>])]) -> Selection {
    let (scope, mut work) = (Scope::Cluster, Work::default());
    let mut selecting = Selecting::new(&scope, &mut work);
    for (tag, warehouses) in pushes {
        let event = PushEvent::new("push".into(), vec![REPOSITORY.to_owned()], vec![(*tag).to_owned()]);
        selecting.add(&event, &Repositories::new(&event.repositories), &found(warehouses));
    }
    selecting.finish()
}

fn refused(selection: &Selection) -> Vec<String> {
    selection.refusals.iter().map(|refusal| refusal.warehouse.name.to_string()).collect()
}

#[test]
fn the_first_reasons_are_kept_in_full_and_the_rest_is_counted() {
    let warehouses: Vec<_> =
        (0..20).map(|n| warehouse(&format!("w-{n:02}"), &[image("^2.0.0"), image("^3.0.0")])).collect();
    let selection = select(&[("1.0.0", &warehouses)]);
    assert!(selection.warehouses.is_empty());
    assert_eq!(selection.refusals.len(), MOST_REFUSALS);
    assert_eq!(selection.not_matched.values().sum::<usize>(), 40);
    let first: Vec<String> = (0..8).flat_map(|n| vec![format!("w-{n:02}"); 2]).collect();
    assert_eq!(refused(&selection), first, "in the order of names, both subscriptions of each");
    let Refusal { repository, reason, .. } = &selection.refusals[0];
    assert!(repository == REPOSITORY && reason.contains("1.0.0") && reason.contains("^2.0.0"), "{reason}");
}

#[test]
fn a_subscription_is_refused_once_however_many_pushes_it_does_not_accept() {
    let warehouses = [warehouse("one", &[image("^2.0.0")]), warehouse("two", &[image("^3.0.0")])];
    let selection = select(&[("1.0.0", &warehouses), ("1.0.1", &warehouses), ("1.0.2", &warehouses)]);
    assert_eq!(refused(&selection), ["one", "two"]);
    assert_eq!(selection.not_matched.values().sum::<usize>(), 6);
}

#[test]
fn a_warehouse_that_is_selected_in_the_end_is_not_among_the_refusals() {
    let by_another_subscription = warehouse("both", &[image("^2.0.0"), image("^1.0.0"), image("^3.0.0")]);
    let by_another_push = warehouse("later", &[image("^2.0.0")]);
    let never = warehouse("never", &[image("^9.0.0")]);
    let warehouses = [by_another_subscription, by_another_push, never];
    let selection = select(&[("1.0.0", &warehouses), ("2.0.0", &warehouses), ("1.0.1", &warehouses)]);
    let selected: Vec<_> = selection.warehouses.iter().map(|key| &*key.name).collect();
    assert_eq!((selected, refused(&selection)), (vec!["both", "later"], vec!["never".to_owned()]));
}

#[test]
fn a_warehouse_that_changed_between_two_pushes_is_not_both_selected_and_refused() {
    let (before, after) = (warehouse("one", &[image("^2.0.0")]), warehouse("one", &[image("^1.0.0")]));
    let pushes: [(&str, &[_]); 2] = [("1.0.0", &[before]), ("1.0.0", &[after])];
    let selection = select(&pushes);
    assert_eq!((selection.warehouses.len(), selection.subscribed), (1, 1));
    assert_eq!(refused(&selection), Vec::<String>::new());
}

#[test]
fn a_place_that_is_given_back_goes_to_another_subscription() {
    let refused_first = warehouse("a", &vec![image("^2.0.0"); MOST_REFUSALS]);
    let other = warehouse("b", &[image("^3.0.0")]);
    let warehouses = [refused_first, other];
    let selection = select(&[("1.0.0", &warehouses), ("2.0.0", &warehouses)]);
    assert_eq!(refused(&selection), ["b"]);
}
