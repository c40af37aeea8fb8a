//! A stand-in for Quay's API for notifications and for the worker that sends them, with the oddities that were measured
//! on a real Quay, quay/quay `ffba0c70`.
//!
//! Its time is compressed: the worker looks every quarter of a beat, and tries again a whole beat after a failure. On a
//! real Quay a beat is 40 s. One user owns all namespaces; the rights on each repository can be changed.

mod api;
mod store;
mod worker;

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

pub(crate) use store::{Call, Delivered, Notification, Right};

use super::push_body;
use store::{Repository, Scope, Store};

/// A beat that is long against an answer on a busy machine, and short for whoever waits for five of them.
const BEAT: Duration = Duration::from_millis(400);

pub(crate) struct QuayStandIn {
    shared: Arc<Shared>,
    address: SocketAddr,
}

struct Shared {
    store: Mutex<Store>,
    /// Whether connections are taken.
    is_reachable: AtomicBool,
    /// Ends the worker with the stand-in.
    has_ended: AtomicBool,
}

impl Shared {
    fn store(&self) -> MutexGuard<'_, Store> {
        // A test that failed while it held the lock has said why.
        self.store.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl QuayStandIn {
    /// Starts one with a beat of 0.4 s and no repositories.
    pub(crate) fn start() -> Self {
        Self::with_beat(BEAT)
    }

    /// Starts one with another beat: what takes a real Quay 40 s.
    pub(crate) fn with_beat(beat: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            store: Mutex::new(Store::new(address.to_string())),
            is_reachable: AtomicBool::new(true),
            has_ended: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        // A runtime of its own, since a test blocks its own while it waits for an answer.
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { serve(tokio::net::TcpListener::from_std(listener).unwrap(), serving).await });
        });
        let working = Arc::clone(&shared);
        thread::spawn(move || worker::run(&working, beat / 4));
        Self { shared, address }
    }

    /// What a client is given as the endpoint.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its `SERVER_HOSTNAME`, with which the names of images begin.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// The name of an image in it.
    pub(crate) fn image(&self, repository: &str) -> String {
        format!("{}/{repository}", self.address)
    }

    /// Makes a repository, and its namespace if need be, of which the user is admin.
    pub(crate) fn repository(&self, name: &str) {
        let mut store = self.shared.store();
        let (namespace, _) = name.split_once('/').unwrap();
        store.namespaces.insert(namespace.to_owned());
        store.repositories.push(Repository::new(name));
    }

    /// Deletes a repository with its hooks and what waits for them.
    pub(crate) fn delete_repository(&self, name: &str) {
        let mut store = self.shared.store();
        store.repositories.retain(|repository| repository.name != name);
        store.rows.retain(|row| row.repository != name);
    }

    /// What the user may do with a repository from now on.
    pub(crate) fn right(&self, repository: &str, right: Right) {
        self.shared.store().found(repository).right = right;
    }

    /// A token of the user with the scope `repo:admin`.
    pub(crate) fn token(&self) -> String {
        self.shared.store().token(Scope::RepoAdmin)
    }

    /// A token of the user with a scope that does not suffice, such as `repo:write`.
    pub(crate) fn token_of_less(&self) -> String {
        self.shared.store().token(Scope::Less)
    }

    pub(crate) fn revoke(&self, token: &str) {
        self.shared.store().tokens.remove(token);
    }

    /// Begins or ends the read-only mode.
    pub(crate) fn read_only(&self, is_read_only: bool) {
        self.shared.store().is_read_only = is_read_only;
    }

    /// Whether its API can be reached. Its worker goes on.
    pub(crate) fn reachable(&self, is_reachable: bool) {
        self.shared.is_reachable.store(is_reachable, Ordering::SeqCst);
    }

    /// Answers that many calls with 429 of nginx.
    pub(crate) fn throttle(&self, calls: usize) {
        self.shared.store().throttled = calls;
    }

    /// Repositories in a page; a real Quay has 100.
    pub(crate) fn page_size(&self, size: usize) {
        self.shared.store().page_size = size;
    }

    /// Whatever the host in the URL of a hook is, it is at this address.
    pub(crate) fn deliver_to(&self, address: SocketAddr) {
        self.shared.store().resolved = Some(address);
    }

    /// Adds a hook for pushes as a person would, and returns its id.
    pub(crate) fn add(&self, repository: &str, title: Option<&str>, url: &str) -> String {
        self.shared.store().add(repository, title, url, "repo_push", "webhook")
    }

    /// Sets the failures of a hook.
    pub(crate) fn fail(&self, repository: &str, id: &str, failures: u32) {
        let mut store = self.shared.store();
        let hooks = &mut store.found(repository).hooks;
        hooks.iter_mut().find(|hook| hook.uuid == id).unwrap().number_of_failures = failures;
    }

    /// The hooks of a repository.
    pub(crate) fn hooks(&self, repository: &str) -> Vec<Notification> {
        self.shared.store().found(repository).hooks.clone()
    }

    /// An image is pushed: an event for each hook that asks for it and is not switched off.
    pub(crate) fn push(&self, repository: &str, tag: &str) {
        let body = push_body(&self.image(repository), &[tag]);
        self.shared.store().announce(repository, "repo_push", &body);
    }

    /// A mirrored repository was brought in step.
    pub(crate) fn mirrored(&self, repository: &str) {
        let mut body: Value = serde_json::from_str(&push_body(&self.image(repository), &[])).unwrap();
        body.as_object_mut().unwrap().remove("updated_tags");
        body["message"] = json!("Mirror of somewhere finished");
        self.shared.store().announce(repository, "repo_mirror_sync_success", &body.to_string());
    }

    /// How many events wait to be sent, or sent again.
    pub(crate) fn waiting(&self) -> usize {
        let store = self.shared.store();
        store.rows.len() + store.in_hand
    }

    /// What was posted, in order.
    pub(crate) fn delivered(&self) -> Vec<Delivered> {
        self.shared.store().delivered.clone()
    }

    /// The calls of its API so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.shared.store().calls.clone()
    }

    /// How often something was called: `inspect`, `list`, `create`, `get`, `reset`, `test`, `delete`, `repositories`.
    pub(crate) fn count(&self, what: &str) -> usize {
        self.shared.store().calls.iter().filter(|call| call.what == what).count()
    }

    /// The audit log: what was done, such as `add_repo_notification`, and to which repository.
    pub(crate) fn audit(&self) -> Vec<(&'static str, String)> {
        self.shared.store().audit.clone()
    }
}

impl Drop for QuayStandIn {
    fn drop(&mut self) {
        self.shared.has_ended.store(true, Ordering::SeqCst);
    }
}

async fn serve(listener: tokio::net::TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        if shared.has_ended.load(Ordering::SeqCst) {
            return;
        }
        if !shared.is_reachable.load(Ordering::SeqCst) {
            continue;
        }
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let answer = service_fn(|request: http::Request<hyper::body::Incoming>| {
                let shared = Arc::clone(&shared);
                async move {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await?.to_bytes();
                    let (status, kind, text) = api::answer(&mut shared.store(), &head, &body);
                    let mut answer = http::Response::builder().status(status).header("content-type", kind);
                    if status == 308 {
                        answer = answer.header("location", format!("{}/", head.uri.path()));
                    }
                    Ok::<_, hyper::Error>(answer.body(Full::<bytes::Bytes>::from(text)).unwrap())
                }
            });
            // Connections are closed after each call.
            drop(http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), answer).await);
        });
    }
}
