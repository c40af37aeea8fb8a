//! Which part of the cluster the replicas that were found serve, where several installations share it.

use std::collections::BTreeSet;

use kube::ResourceExt;
use kube::core::DynamicObject;

use crate::domain::shard::Shard;
use crate::views::checks::examples;
use crate::views::model::{Check, Group, Health};

/// Replicas that serve the same part of the cluster below the same base URL.
#[derive(PartialEq)]
struct Installation {
    shard: Shard,
    base_url: String,
}

/// Every installation that was found; none where no replica could be asked.
pub(super) struct Installations(Vec<Installation>);

impl Installations {
    pub(super) fn of(replicas: &[Health]) -> Self {
        let mut found: Vec<Installation> = Vec::new();
        for Health { shard, base_url, .. } in replicas {
            let one = Installation { shard: shard.clone().unwrap_or_default(), base_url: base_url.clone() };
            if !found.contains(&one) {
                found.push(one);
            }
        }
        Self(found)
    }

    /// Whether one of them serves an object. Where none is known, every object counts.
    pub(super) fn serve(&self, object: &DynamicObject) -> bool {
        let namespace = object.namespace();
        let serves = |one: &Installation| one.shard.serves_object(namespace.as_deref());
        self.0.is_empty() || self.0.iter().any(serves)
    }

    /// Whether the receivers of the cluster reach a namespace: they reach those of the installation that serves them.
    pub(super) fn cluster_reaches(&self, namespace: &str) -> bool {
        self.0.iter().any(|one| one.shard.serves(namespace) && one.shard.serves_object(None))
    }

    /// Each base URL, with the objects whose URLs are below it.
    pub(super) fn by_base<'a>(&self, objects: &'a [DynamicObject]) -> Vec<(Option<&str>, Vec<&'a DynamicObject>)> {
        if self.0.is_empty() {
            return vec![(None, objects.iter().collect())];
        }
        let of = |one: &Installation, object: &DynamicObject| one.shard.serves_object(object.namespace().as_deref());
        let each = self.0.iter().map(|one| {
            (Some(one.base_url.as_str()), objects.iter().filter(|object| of(one, object)).collect::<Vec<_>>())
        });
        each.collect()
    }

    /// Objects that two installations serve, which both write, or that none of them serves although it should.
    pub(super) fn misdivided(&self, configs: &[DynamicObject]) -> Option<Check> {
        let mut shards: Vec<&Shard> = Vec::new();
        for Installation { shard, .. } in &self.0 {
            if !shards.contains(&shard) {
                shards.push(shard);
            }
        }
        let serving = |namespace: Option<&str>| shards.iter().filter(|shard| shard.serves_object(namespace)).count();
        let spaces: BTreeSet<Option<String>> = configs.iter().map(DynamicObject::namespace).collect();
        let name = |namespace: &Option<String>| namespace.clone().unwrap_or_else(|| "the cluster itself".to_owned());
        let twice: Vec<_> = spaces.iter().filter(|space| serving(space.as_deref()) > 1).map(name).collect();
        if !twice.is_empty() {
            let message = format!("served by more than one installation: {}", examples(&twice));
            let remedy =
                "Let one exclude what the other has in --namespaces, and set --cluster-receivers=on in one only.";
            return Some(Check::warning(Group::Cluster, "shard", message, remedy));
        }
        (!shards.is_empty() && spaces.contains(&None) && serving(None) == 0).then(|| {
            let message =
                "there are ClusterConfigs or ClusterReceivers, and no installation that was found serves them";
            let remedy =
                "Set --cluster-receivers=on in one installation; if another one has it, leave --namespace out here.";
            Check::warning(Group::Cluster, "shard", message, remedy)
        })
    }

    /// What is not looked at because other installations serve it. None where all is looked at.
    pub(super) fn finding(&self, warehouses: &[DynamicObject]) -> Option<Check> {
        if self.0.iter().all(|one| one.shard == Shard::default()) {
            return None;
        }
        let shards: Vec<_> = self.0.iter().map(|one| one.shard.to_string()).collect();
        let elsewhere = warehouses.iter().filter(|warehouse| !self.serve(warehouse)).count();
        let message = format!(
            "Quayside serves {}; {elsewhere} Warehouse(s) elsewhere are another installation's, and not looked at",
            shards.join("; ")
        );
        Some(Check::passed(Group::Cluster, "shard", message))
    }
}

#[cfg(test)]
mod tests {
    use kube::core::ObjectMeta;

    use super::*;

    fn replica(shard: Option<Shard>, base_url: &str) -> Health {
        Health { shard, base_url: base_url.to_owned(), ..Health::default() }
    }

    fn object(namespace: Option<&str>) -> DynamicObject {
        let metadata = ObjectMeta { namespace: namespace.map(str::to_owned), ..ObjectMeta::default() };
        DynamicObject { types: None, metadata, data: serde_json::Value::Null }
    }

    #[test]
    fn each_installation_answers_for_its_own_namespaces_only() {
        let list = || vec!["team-a-*".parse().unwrap()];
        let own = || Some(Shard::new(list(), Vec::new(), Some(false)).unwrap());
        let rest = Some(Shard::new(Vec::new(), list(), Some(true)).unwrap());
        let objects = [object(Some("team-a-web")), object(Some("shop")), object(None)];
        let served = |found: &Installations| objects.each_ref().map(|object| found.serve(object));

        let one = Installations::of(&[replica(own(), "https://a"), replica(own(), "https://a")]);
        assert_eq!(served(&one), [true, false, false]);
        assert!(!one.cluster_reaches("team-a-web") && !one.cluster_reaches("shop"));
        let told = one.finding(&objects).unwrap().message;
        assert!(told.contains("serves the namespaces team-a-*; 2 Warehouse(s) elsewhere"), "{told}");

        let both = Installations::of(&[replica(own(), "https://a"), replica(rest, "https://b")]);
        assert_eq!(served(&both), [true; 3]);
        assert!(!both.cluster_reaches("team-a-web") && both.cluster_reaches("shop"));
        let by_base = both.by_base(&objects);
        let counts: Vec<_> = by_base.iter().map(|(base, objects)| (*base, objects.len())).collect();
        assert_eq!(counts, [(Some("https://a"), 1), (Some("https://b"), 2)]);

        // What two of them serve, or none, is named.
        assert_eq!(both.misdivided(&objects), None);
        let told = |found: &Installations| found.misdivided(&objects).unwrap().message;
        assert!(told(&one).contains("no installation that was found serves them"), "{}", told(&one));
        assert_eq!(one.misdivided(&objects[..2]), None);
        let twice = Installations::of(&[replica(own(), "https://a"), replica(None, "https://a")]);
        assert_eq!(told(&twice), "served by more than one installation: team-a-web");

        let whole = Installations::of(&[replica(None, "https://a")]);
        assert_eq!(whole.misdivided(&objects), None);
        assert_eq!((served(&whole), whole.finding(&objects).is_none()), ([true; 3], true));
        assert!(whole.cluster_reaches("shop"));
        let none = Installations::of(&[]);
        assert_eq!(none.misdivided(&objects), None);
        assert_eq!((served(&none), none.by_base(&objects).len()), ([true; 3], 1));
    }
}
