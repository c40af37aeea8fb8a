//! A namespace of one test, with what a user puts there.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use rustls::ClientConfig;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard};

use super::operator::all_logs;
use super::{
    Answer, Connection, ControlPlane, Operator, Ran, SOON, api_version, exchange_on, push_body, resource, wait_until,
};

const REFRESH: &str = "kargo.akuity.io/refresh";
pub(crate) const CAUSE: &str = "quayside.dev/last-refresh-cause";

pub(crate) struct Project {
    pub(crate) plane: &'static ControlPlane,
    pub(crate) client: Client,
    pub(crate) namespace: String,
    settled: AtomicU32,
    /// Everything that must never appear in a log.
    credentials: Mutex<Vec<String>>,
}

impl Project {
    /// A new namespace whose name begins as given.
    pub(crate) async fn new(name: &str) -> Self {
        Self::on(ControlPlane::shared(), name).await
    }

    pub(crate) async fn on(plane: &'static ControlPlane, name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let namespace = format!("{name}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        Self::named(plane, namespace).await
    }

    /// The namespace of exactly this name, which is made if need be.
    pub(crate) async fn named(plane: &'static ControlPlane, namespace: String) -> Self {
        let client = plane.admin().await;
        let project = Self { plane, client, namespace, settled: AtomicU32::default(), credentials: Mutex::default() };
        let metadata = json!({"name": project.namespace, "labels": {"kargo.akuity.io/project": "true"}});
        let namespaces = resource(&project.client, "Namespace", None);
        apply(&namespaces, &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})).await;
        project
    }

    pub(crate) fn api(&self, kind: &str) -> Api<DynamicObject> {
        resource(&self.client, kind, Some(&self.namespace))
    }

    /// Makes or changes a Secret with the one key `secret`.
    pub(crate) async fn secret(&self, name: &str, value: &str) {
        self.secret_under("secret", name, value).await;
    }

    /// Makes or changes a Secret with that one key.
    pub(crate) async fn secret_under(&self, key: &str, name: &str, value: &str) {
        self.secret_of(name, &[(key, value)]).await;
    }

    /// Makes or changes a Secret with these keys, and no others.
    pub(crate) async fn secret_of(&self, name: &str, pairs: &[(&str, &str)]) {
        let mut data = json!({});
        for (key, value) in pairs {
            data[key] = BASE64_STANDARD.encode(value).into();
            // A fingerprint is not a credential: the log names the one of a client that is refused.
            if !value.is_empty() && *key != "client-certificate" {
                self.keep_out_of_logs(value);
            }
        }
        apply(
            &self.api("Secret"),
            &json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}),
        )
        .await;
    }

    /// Makes or changes the ProjectConfig.
    pub(crate) async fn receivers(&self, receivers: Value) {
        self.apply("ProjectConfig", &self.namespace, json!({"webhookReceivers": receivers})).await;
    }

    /// Makes or changes a Warehouse.
    pub(crate) async fn warehouse(&self, name: &str, subscriptions: Value) {
        self.apply("Warehouse", name, json!({"subscriptions": subscriptions})).await;
    }

    pub(crate) async fn apply(&self, kind: &str, name: &str, spec: Value) {
        let object = json!({"apiVersion": api_version(kind), "kind": kind, "metadata": {"name": name}, "spec": spec});
        apply(&self.api(kind), &object).await;
    }

    /// Makes or changes a ClusterReceiver, of whose name there is one in the cluster.
    pub(crate) async fn cluster_receiver(&self, name: &str, spec: Value) {
        let kind = "ClusterReceiver";
        let object = json!({"apiVersion": api_version(kind), "kind": kind, "metadata": {"name": name}, "spec": spec});
        apply(&resource(&self.client, kind, None), &object).await;
    }

    /// Makes or changes a ClusterRegistration, of whose name there is one in the cluster.
    pub(crate) async fn cluster_registration(&self, name: &str, spec: Value) {
        let kind = "ClusterRegistration";
        let object = json!({"apiVersion": api_version(kind), "kind": kind, "metadata": {"name": name}, "spec": spec});
        apply(&resource(&self.client, kind, None), &object).await;
    }

    /// Deletes an object of the cluster.
    pub(crate) async fn delete_of_cluster(&self, kind: &str, name: &str) {
        resource(&self.client, kind, None).delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Makes a Promotion that is running and waits for that pull request.
    pub(crate) async fn promotion(&self, name: &str, pull_request: &str) {
        let steps = json!([{"uses": "git-clone"}, {"uses": "git-wait-for-pr", "as": "wait"}]);
        self.apply("Promotion", name, json!({"stage": "test", "freight": "a", "steps": steps})).await;
        let state = json!({"wait": {"pr": {"url": pull_request}}});
        let status = json!({"status": {"phase": "Running", "currentStep": 1, "state": state}});
        let promotions = self.api("Promotion");
        promotions.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    }

    pub(crate) async fn delete(&self, kind: &str, name: &str) {
        self.api(kind).delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// One Quay receiver with a long enough secret, served by that operator.
    pub(crate) async fn quay(&self, operator: &Operator) -> Hook {
        let secret = format!("a long enough secret of {}", self.namespace);
        self.secret("quay-webhook", &secret).await;
        self.receivers(json!([quay_receiver("quay", "quay-webhook")])).await;
        let hook = self.hook(operator, "quay", &secret);
        hook.served().await;
        hook
    }

    /// One receiver of any kind with a long enough secret, served by that operator. `settings` are those of its kind,
    /// but for the Secret.
    pub(crate) async fn receiver(&self, operator: &Operator, kind: &str, key: &str, settings: Value) -> Hook {
        let secret = format!("a long enough secret of {}", self.namespace);
        self.secret_under(key, "webhook", &secret).await;
        let mut settings = settings;
        settings["secretRef"] = json!({"name": "webhook"});
        self.receivers(json!([{"name": "hook", kind: settings}])).await;
        let hook = self.hook(operator, "hook", &secret).of(kind);
        hook.served().await;
        hook
    }

    /// Where a receiver of this project is served: the formula that every registered URL depends on.
    pub(crate) fn hook(&self, operator: &Operator, receiver: &str, secret: &str) -> Hook {
        let hook = Hook::derive(operator, &self.namespace, receiver, secret);
        self.keep_out_of_logs(hook.digest());
        hook
    }

    pub(crate) fn keep_out_of_logs(&self, credential: &str) {
        self.credentials.lock().unwrap().push(credential.to_owned());
    }

    /// Waits until the operator knows of every Warehouse that was written so far: changes arrive in their order.
    pub(crate) async fn settle(&self, hook: &Hook) {
        let count = self.settled.fetch_add(1, Ordering::Relaxed);
        let repository = format!("quay.io/settled/{}-{count}", self.namespace);
        self.warehouse(&format!("settled-{count}"), json!([image(&repository, "*")])).await;
        wait_until("the operator knows of all Warehouses", SOON, async || {
            let answer = hook.pretend(&repository);
            (answer.status == 200 && answer.json()["matched"] == 1).then_some(())
        })
        .await;
    }

    /// The refresh tokens of those Warehouses that have one.
    pub(crate) async fn tokens(&self) -> BTreeMap<String, String> {
        self.tokens_of("Warehouse").await
    }

    /// The refresh tokens of those objects of the kind that have one.
    pub(crate) async fn tokens_of(&self, kind: &str) -> BTreeMap<String, String> {
        let objects = self.api(kind).list(&ListParams::default()).await.unwrap();
        let annotated = objects.items.into_iter().filter_map(|object| {
            let token = object.metadata.annotations?.remove(REFRESH)?;
            Some((object.metadata.name?, token))
        });
        annotated.collect()
    }

    /// What the annotation beside the refresh of a Warehouse says; `null` without one.
    pub(crate) async fn cause(&self, warehouse: &str) -> Value {
        let found = self.api("Warehouse").get(warehouse).await.unwrap();
        found.annotations().get(CAUSE).map(|cause| serde_json::from_str(cause).unwrap()).unwrap_or_default()
    }

    /// What Quayside has written onto objects for people to read: the causes of refreshes, and Events. It blocks.
    pub(crate) fn notes(&self) -> String {
        let read = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            // A test may have stopped the API server for good.
            let read = async { tokio::time::timeout(Duration::from_secs(5), self.read_notes()).await };
            runtime.block_on(read).ok().and_then(Result::ok)
        };
        std::thread::scope(|scope| scope.spawn(read).join().unwrap()).unwrap_or_default()
    }

    async fn read_notes(&self) -> kube::Result<String> {
        // A client belongs to the runtime that made it.
        let (client, everything) = (self.plane.admin().await, ListParams::default());
        let warehouses = resource(&client, "Warehouse", Some(&self.namespace)).list_metadata(&everything).await?;
        let mut notes: Vec<String> = Vec::new();
        notes
            .extend(warehouses.items.into_iter().filter_map(|warehouse| warehouse.metadata.annotations?.remove(CAUSE)));
        // Those about objects of the cluster are in the namespace `default`.
        for namespace in [&self.namespace, "default"] {
            let events: Api<Event> = Api::namespaced(client.clone(), namespace);
            notes.extend(events.list(&everything).await?.items.into_iter().filter_map(|event| event.note));
        }
        Ok(notes.join("\n"))
    }

    /// The names of the Warehouses that were refreshed.
    pub(crate) async fn refreshed(&self) -> Vec<String> {
        self.tokens().await.into_keys().collect()
    }

    /// The status of the ProjectConfig.
    pub(crate) async fn status(&self) -> Value {
        self.status_of("ProjectConfig", &self.namespace).await
    }

    /// The status of an object of the project, or of the cluster.
    pub(crate) async fn status_of(&self, kind: &str, name: &str) -> Value {
        let namespace = (!kind.starts_with("Cluster")).then_some(self.namespace.as_str());
        let object = resource(&self.client, kind, namespace).get(name).await.unwrap();
        object.data.get("status").cloned().unwrap_or_default()
    }

    /// Waits for a condition of the ProjectConfig, such as `Ready=True`.
    pub(crate) async fn condition(&self, condition: &str) -> Value {
        self.condition_of("ProjectConfig", &self.namespace, condition).await
    }

    /// Waits for a condition of an object of the project, or of the cluster.
    pub(crate) async fn condition_of(&self, kind: &str, name: &str, condition: &str) -> Value {
        let (wanted, status) = condition.split_once('=').unwrap();
        wait_until(&format!("{kind} {name} of {} has {condition}", self.namespace), SOON, async || {
            let found = self.status_of(kind, name).await;
            let mut conditions = found["conditions"].as_array()?.iter();
            conditions.find(|c| c["type"] == wanted && c["status"] == status).cloned()
        })
        .await
    }
}

impl Drop for Project {
    /// Whatever a test does, none of its credentials is in any log, nor in an annotation or Event of Quayside.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let credentials = std::mem::take(self.credentials.get_mut().unwrap());
        if credentials.is_empty() {
            return;
        }
        let (logs, notes) = (all_logs(), self.notes());
        for (index, credential) in credentials.iter().enumerate() {
            let leaks = logs.iter().flat_map(|log| log.lines()).filter(|line| line.contains(credential)).count();
            assert_eq!(leaks, 0, "credential {index} of {} is in {leaks} log lines", self.namespace);
            assert!(!notes.contains(credential), "credential {index} of {} is in {notes}", self.namespace);
        }
    }
}

/// The right to the ClusterConfig, of which a cluster has only one. Whatever the last owner left is deleted.
pub(crate) struct ClusterTurn {
    api: Api<DynamicObject>,
    _turn: MutexGuard<'static, ()>,
}

impl ClusterTurn {
    pub(crate) async fn take() -> Self {
        static TURN: AsyncMutex<()> = AsyncMutex::const_new(());
        let turn = Self {
            _turn: TURN.lock().await,
            api: resource(&ControlPlane::shared().admin().await, "ClusterConfig", None),
        };
        turn.delete().await;
        turn
    }

    pub(crate) async fn apply(&self, receivers: Value) {
        let (kind, metadata, spec) =
            ("ClusterConfig", json!({"name": "cluster"}), json!({"webhookReceivers": receivers}));
        let object =
            json!({"apiVersion": "kargo.akuity.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec});
        apply(&self.api, &object).await;
    }

    pub(crate) async fn delete(&self) {
        if let Some(found) = self.api.get_opt("cluster").await.unwrap() {
            self.api.delete(&found.name_any(), &DeleteParams::default()).await.unwrap();
        }
    }

    /// Waits for a condition, such as `Ready=True`, and returns the status with it.
    pub(crate) async fn status_with(&self, condition: &str) -> Value {
        let (wanted, holds) = condition.split_once('=').unwrap();
        wait_until(&format!("the ClusterConfig has {condition}"), SOON, async || {
            let status = self.api.get_opt("cluster").await.unwrap()?.data.get("status")?.clone();
            let found = status["conditions"].as_array()?.iter().any(|c| c["type"] == wanted && c["status"] == holds);
            found.then_some(status)
        })
        .await
    }
}

/// A receiver's address.
#[derive(Clone)]
pub(crate) struct Hook {
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
    secret: String,
    /// How to reach an operator that has TLS.
    tls: Option<Arc<ClientConfig>>,
}

impl Hook {
    pub(crate) fn derive(operator: &Operator, project: &str, receiver: &str, secret: &str) -> Self {
        let digest = Sha256::digest(format!("{project}{receiver}{secret}"));
        let path = format!("/hooks/quay/{}", hex::encode(digest));
        Self { address: operator.hooks, path, secret: secret.to_owned(), tls: operator.tls.clone() }
    }

    /// The same receiver, were it of another kind.
    pub(crate) fn of(mut self, kind: &str) -> Self {
        self.path = format!("/hooks/{kind}/{}", self.digest());
        self
    }

    /// The same, called by a sender that knows another secret.
    pub(crate) fn signing_with(&self, secret: &str) -> Self {
        Self { secret: secret.to_owned(), ..self.clone() }
    }

    fn kind(&self) -> &str {
        self.path.rsplit('/').nth(1).unwrap()
    }

    /// The same, reached as another client.
    pub(crate) fn with_tls(&self, tls: &Arc<ClientConfig>) -> Self {
        Self { tls: Some(Arc::clone(tls)), ..self.clone() }
    }

    pub(crate) fn connect(&self) -> io::Result<Connection> {
        match &self.tls {
            Some(tls) => Connection::open_with(tls, self.address),
            None => Connection::open(self.address),
        }
    }

    pub(crate) fn digest(&self) -> &str {
        self.path.rsplit('/').next().unwrap()
    }

    /// The URL at this operator, which need not be the one that is published.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{}", self.address, self.path)
    }

    #[track_caller]
    pub(crate) fn post(&self, body: impl AsRef<[u8]>) -> Answer {
        self.post_with("", body)
    }

    /// Posts with something behind the path.
    #[track_caller]
    pub(crate) fn post_with(&self, query: &str, body: impl AsRef<[u8]>) -> Answer {
        self.try_post(query, body).unwrap()
    }

    pub(crate) fn try_post(&self, query: &str, body: impl AsRef<[u8]>) -> io::Result<Answer> {
        let request = format!("POST {}{query}", self.path);
        exchange_on(self.connect()?, &request, &["Content-Type: application/json"], body.as_ref())
    }

    /// Lets the command line play the sender of the kind, who knows the secret.
    #[track_caller]
    pub(crate) fn send(&self, arguments: &[&str]) -> Answer {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quayside"));
        command.args(["send", self.kind(), &self.url(), "--secret-file", "-"]).args(arguments);
        let ran = Ran::of(&mut command, &self.secret);
        let (head, body) = ran.out.split_once('\n').unwrap_or_else(|| panic!("{arguments:?}: {}", ran.err));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// Sends until the operator knows so much that it would refresh that many objects.
    pub(crate) async fn would_refresh(&self, count: usize, arguments: &[&str]) {
        let arguments = [arguments, &["--dry-run"]].concat();
        wait_until("the operator knows of all objects", SOON, async || {
            (self.send(&arguments).json()["matched"] == count).then_some(())
        })
        .await;
    }

    /// What a push of the tag 1.0.0 would do.
    fn pretend(&self, repository: &str) -> Answer {
        match self.kind() {
            "quay" => self.post_with("?dry-run=true", push_body(repository, &["1.0.0"])),
            _ => self.send(&["--repository", repository, "--tag", "1.0.0", "--dry-run"]),
        }
    }

    /// Says that these tags were pushed.
    #[track_caller]
    pub(crate) fn push(&self, repository: &str, tags: &[&str]) -> Answer {
        self.post(push_body(repository, tags))
    }

    /// The status of a push that no Warehouse subscribes to; a receiver of another kind refuses or ignores it.
    pub(crate) fn probe(&self) -> Option<u16> {
        Some(self.try_post("?dry-run=true", push_body("quay.io/nobody/subscribes", &["1.0.0"])).ok()?.status)
    }

    pub(crate) async fn served(&self) {
        wait_until("the receiver is served", SOON, async || (!matches!(self.probe()?, 404 | 503)).then_some(())).await;
    }

    pub(crate) async fn gone(&self) {
        wait_until("the receiver is no longer served", SOON, async || (self.probe()? == 404).then_some(())).await;
    }
}

/// An entry of `spec.webhookReceivers`.
pub(crate) fn quay_receiver(name: &str, secret: &str) -> Value {
    json!({"name": name, "quay": {"secretRef": {"name": secret}}})
}

/// A Git subscription to a branch.
pub(crate) fn git(repository: &str, branch: &str) -> Value {
    json!({"git": {"repoURL": repository, "branch": branch}})
}

/// An image subscription by semantic version.
pub(crate) fn image(repository: &str, constraint: &str) -> Value {
    json!({"image": {"repoURL": repository, "imageSelectionStrategy": "SemVer", "constraint": constraint}})
}

async fn apply(api: &Api<DynamicObject>, object: &Value) {
    let name = object["metadata"]["name"].as_str().unwrap();
    let parameters = PatchParams::apply("quayside-tests").force();
    api.patch(name, &parameters, &Patch::Apply(object)).await.unwrap();
}
