//! A stand-in for Kargo's Warehouse controller: it does with a refresh what Kargo does, and fails on demand.
//!
//! Per Warehouse, one after the other: a token that differs from the handled one starts a discovery, `Reconciling` is
//! set, the repositories are asked, and the token is saved whether or not they answered. After a failure the retry
//! finds the token handled and sets every condition green again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::Project;

/// As many Warehouses as Kargo reconciles at a time.
const WORKERS: usize = 4;

const REFRESH: &str = "kargo.akuity.io/refresh";

/// A tag as a registry lists it.
#[derive(Clone, Debug)]
pub(crate) struct Tagged {
    pub(crate) tag: String,
    pub(crate) digest: String,
}

/// What the stand-in sees of a registry: the tags of a repository, or why they cannot be had.
pub(crate) type Tags = Box<dyn Fn(&str) -> Result<Vec<Tagged>, String> + Send + Sync>;

/// How it behaves at the moment.
#[derive(Clone, Debug)]
pub(crate) struct Behaviour {
    /// Whether its process runs at all. Ending it leaves a discovery half done, as a crash does.
    pub(crate) up: bool,
    /// How long a discovery takes besides asking.
    pub(crate) slow: Duration,
    /// Whether the token is saved when a discovery begins; else with its result.
    pub(crate) saves_early: bool,
    /// Its clock minus ours, in seconds.
    pub(crate) skew: i64,
    /// The shard it works for.
    pub(crate) shard: Option<String>,
    /// How long it waits before it looks at the objects again.
    pub(crate) pause: Duration,
}

impl Default for Behaviour {
    fn default() -> Self {
        let pause = Duration::from_millis(20);
        Self { up: true, slow: Duration::ZERO, saves_early: true, skew: 0, shard: None, pause }
    }
}

/// A controller for the Warehouses of one project.
pub(crate) struct Kargo {
    shared: Arc<Shared>,
    task: Mutex<JoinHandle<()>>,
}

struct Shared {
    warehouses: Api<DynamicObject>,
    tags: Tags,
    behaviour: Mutex<Behaviour>,
    /// Discoveries that succeeded and failed.
    looks: Mutex<(usize, usize)>,
    /// When the newest discovery began that succeeded, by Warehouse and by our clock.
    looked: Mutex<BTreeMap<String, Timestamp>>,
    /// Discoveries whose result is on its way: `discoveredAt` of each and when it began, by Warehouse. Where the
    /// process or the API server ends meanwhile, the object says whether it has arrived.
    saving: Mutex<BTreeMap<String, (Value, Timestamp)>>,
    /// Every token that was taken up, by Warehouse.
    taken: Mutex<BTreeMap<String, BTreeSet<String>>>,
}

impl Kargo {
    /// Starts it; `tags` is the registry.
    pub(crate) fn start(project: &Project, tags: Tags) -> Self {
        let shared = Arc::new(Shared {
            warehouses: project.api("Warehouse"),
            tags,
            behaviour: Mutex::default(),
            looks: Mutex::default(),
            looked: Mutex::default(),
            saving: Mutex::default(),
            taken: Mutex::default(),
        });
        let task = Mutex::new(tokio::spawn(Arc::clone(&shared).run()));
        Self { shared, task }
    }

    /// Changes how it behaves. One that goes down drops what it is doing; one that comes up begins anew.
    pub(crate) fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        let (was_up, is_up) = {
            let mut behaviour = self.shared.behaviour.lock().unwrap();
            let was_up = behaviour.up;
            change(&mut behaviour);
            (was_up, behaviour.up)
        };
        let mut task = self.task.lock().unwrap();
        if was_up && !is_up {
            task.abort();
        } else if is_up && !was_up {
            *task = tokio::spawn(Arc::clone(&self.shared).run());
        }
    }

    /// How many discoveries have succeeded and failed.
    pub(crate) fn looks(&self) -> (usize, usize) {
        *self.shared.looks.lock().unwrap()
    }

    /// When the newest discovery of a Warehouse began that succeeded.
    pub(crate) fn looked(&self, warehouse: &str) -> Option<Timestamp> {
        self.shared.looked.lock().unwrap().get(warehouse).copied()
    }

    /// How many different tokens of a Warehouse were taken up.
    pub(crate) fn taken(&self, warehouse: &str) -> usize {
        self.shared.taken.lock().unwrap().get(warehouse).map_or(0, BTreeSet::len)
    }

    /// The tags that a Warehouse lists.
    pub(crate) async fn listed(&self, warehouse: &str) -> Vec<String> {
        self.references(warehouse).await.into_iter().map(|found| found.tag).collect()
    }

    /// The digest with which a Warehouse lists a tag.
    pub(crate) async fn digest(&self, warehouse: &str, tag: &str) -> Option<String> {
        self.references(warehouse).await.into_iter().find(|found| found.tag == tag).map(|found| found.digest)
    }

    async fn references(&self, warehouse: &str) -> Vec<Tagged> {
        let object = self.shared.warehouses.get(warehouse).await.unwrap();
        let images = object.data["status"]["discoveredArtifacts"]["images"].as_array().cloned().unwrap_or_default();
        let references = images.iter().filter_map(|image| image["references"].as_array()).flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        references.map(|found| Tagged { tag: text(&found["tag"]), digest: text(&found["digest"]) }).collect()
    }
}

impl Drop for Kargo {
    fn drop(&mut self) {
        self.task.get_mut().unwrap().abort();
    }
}

impl Shared {
    fn behaviour(&self) -> Behaviour {
        self.behaviour.lock().unwrap().clone()
    }

    /// Polls, which to an observer of the objects is the same as watching.
    async fn run(self: Arc<Self>) {
        loop {
            // The API server may be away.
            if let Ok(list) = self.warehouses.list(&ListParams::default()).await {
                let reconcile = async |warehouse: DynamicObject| drop(self.reconcile(&warehouse).await);
                stream::iter(list.items).for_each_concurrent(WORKERS, reconcile).await;
            }
            tokio::time::sleep(self.behaviour().pause).await;
        }
    }

    async fn reconcile(&self, warehouse: &DynamicObject) -> kube::Result<()> {
        let (behaviour, name) = (self.behaviour(), warehouse.name_any());
        let (spec, status) = (&warehouse.data["spec"], &warehouse.data["status"]);
        if spec["shard"].as_str() != behaviour.shard.as_deref() {
            return Ok(());
        }
        self.note_saved(&name, &status["discoveredArtifacts"]["discoveredAt"]);
        let token = warehouse.annotations().get(REFRESH);
        let is_new = token.is_some_and(|token| status["lastHandledRefresh"] != **token);
        if !is_new && status["discoveredArtifacts"]["discoveredAt"].is_string() {
            return if is_green(status) { Ok(()) } else { self.patch(&name, green(), json!({})).await };
        }
        let handled = token.map_or_else(|| json!({}), |token| json!({"lastHandledRefresh": token}));
        let early = if behaviour.saves_early { handled.clone() } else { json!({}) };
        let looking = vec![
            condition("Ready", "False", "ScheduledDiscovery", "discovering"),
            condition("Reconciling", "True", "ScheduledDiscovery", "discovering"),
        ];
        self.patch(&name, looking, early).await?;
        if let Some(token) = token {
            self.taken.lock().unwrap().entry(name.clone()).or_default().insert(token.clone());
        }
        tokio::time::sleep(behaviour.slow).await;
        let began = Timestamp::now();
        match self.discover(spec) {
            Ok(mut found) => {
                let now = Timestamp::now() + SignedDuration::from_secs(behaviour.skew);
                found["discoveredAt"] = format!("{now:.0}").into();
                let mut fields = handled;
                fields["discoveredArtifacts"] = found;
                fields["observedGeneration"] = warehouse.metadata.generation.into();
                let discovered = fields["discoveredArtifacts"]["discoveredAt"].clone();
                self.saving.lock().unwrap().insert(name.clone(), (discovered.clone(), began));
                self.patch(&name, green(), fields).await?;
                self.note_saved(&name, &discovered);
            }
            Err(message) => {
                let failed = vec![
                    condition("Ready", "False", "DiscoveryFailure", &message),
                    condition("Healthy", "False", "DiscoveryFailed", &message),
                    condition("Reconciling", "True", "ScheduledDiscovery", "discovering"),
                ];
                self.patch(&name, failed, handled).await?;
                self.looks.lock().unwrap().1 += 1;
            }
        }
        Ok(())
    }

    /// The object shows this `discoveredAt`.
    fn note_saved(&self, name: &str, discovered: &Value) {
        if let Some((saved, began)) = self.saving.lock().unwrap().remove(name)
            && saved == *discovered
        {
            self.looked.lock().unwrap().insert(name.to_owned(), began);
            self.looks.lock().unwrap().0 += 1;
        }
    }

    /// Asks the repositories of all image subscriptions; one that fails fails all.
    fn discover(&self, spec: &Value) -> Result<Value, String> {
        let mut images = Vec::new();
        for subscription in spec["subscriptions"].as_array().into_iter().flatten() {
            let Some(repository) = subscription["image"]["repoURL"].as_str() else { continue };
            let tags = (self.tags)(repository).map_err(|error| format!("error discovering images: {error}"))?;
            let references: Vec<Value> = tags
                .iter()
                .rev()
                .take(20)
                .map(|Tagged { tag, digest }| json!({"tag": tag, "digest": digest}))
                .collect();
            images.push(json!({"repoURL": repository, "references": references}));
        }
        Ok(json!({"images": images}))
    }

    async fn patch(&self, name: &str, conditions: Vec<Value>, fields: Value) -> kube::Result<()> {
        let mut status = fields;
        status["conditions"] = conditions.into();
        let patch = Patch::Merge(json!({"status": status}));
        self.warehouses.patch_status(name, &PatchParams::default(), &patch).await.map(drop)
    }
}

fn condition(type_: &str, status: &str, reason: &str, message: &str) -> Value {
    let time = "2026-01-01T00:00:00Z";
    json!({"type": type_, "status": status, "reason": reason, "message": message, "lastTransitionTime": time})
}

fn green() -> Vec<Value> {
    vec![
        condition("Ready", "True", "ArtifactsDiscovered", "ready"),
        condition("Healthy", "True", "ArtifactsDiscovered", "healthy"),
    ]
}

fn is_green(status: &Value) -> bool {
    status["conditions"] == Value::Array(green())
}
