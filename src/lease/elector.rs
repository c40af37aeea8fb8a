//! Carries out what the [`election`](super::election) decides: reads and writes the Lease, each call with a time limit.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use kube::{Api, Client};
use parking_lot::Mutex;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Leadership;
use super::election::{Election, Moment, RETRY_AFTER, Step};
use super::record::{LEASE_NAME, Record};
use crate::metrics::lease::LeaseMetrics;

/// A call that takes longer counts as failed: two of them, with the pause between, fit into what is left of a claim
/// when a renewal is due.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
/// The name under which the API server notes whose fields these are.
const FIELD_MANAGER: &str = "quayside";

/// Takes part in the election.
pub struct Elector {
    leases: Api<Lease>,
    namespace: String,
    leadership: Leadership,
    metrics: LeaseMetrics,
    /// Whether this replica owes what it has acknowledged.
    owes: Owes,
    /// The object as last read or written, so that what others put into it stays.
    object: Option<Lease>,
    /// What was last logged.
    logged: Logged,
}

/// Asked before each step whether this replica owes what it has acknowledged. It must not block.
pub type Owes = Box<dyn Fn() -> bool + Send + Sync>;

#[derive(Default, PartialEq)]
struct Logged {
    leads: bool,
    other: Option<Arc<str>>,
    failing: bool,
}

/// Why a call did not succeed.
enum Failure {
    /// Another replica was faster; normal.
    Conflict,
    /// Anything else, in words.
    Error(String),
}

impl Elector {
    /// Takes part on behalf of this handle, by the Lease in that namespace.
    #[must_use]
    pub fn new(client: Client, namespace: String, leadership: Leadership, metrics: LeaseMetrics, owes: Owes) -> Self {
        let leases = Api::namespaced(client, &namespace);
        Self { leases, namespace, leadership, metrics, owes, object: None, logged: Logged::default() }
    }

    /// Takes part until `stop` is cancelled, then releases the Lease if this process holds it.
    pub async fn run(mut self, stop: CancellationToken) {
        let leadership = self.leadership.clone();
        let Some(election) = leadership.0.election.as_ref() else {
            return;
        };
        while !stop.is_cancelled() {
            let owes = (self.owes)();
            let step = {
                let mut election = election.lock();
                election.owes(owes);
                election.step(leadership.now())
            };
            match step {
                Step::Wait(pause) => {
                    // Not for long, so that a change of what is owed is noted soon.
                    tokio::select! {
                        () = sleep(pause.min(RETRY_AFTER)) => {}
                        () = leadership.0.hurry.notified() => {}
                        () = stop.cancelled() => {}
                    }
                }
                Step::Read => self.read(election).await,
                Step::Write(record) => self.write(election, &record).await,
                Step::Note(record) => self.note(election, &record).await,
            }
            self.log(election);
        }
        self.release(election).await;
    }

    async fn read(&mut self, election: &Mutex<Election>) {
        let result = call(self.leases.get_opt(LEASE_NAME)).await;
        let now = self.leadership.now();
        let mut election = election.lock();
        match result {
            Ok(found) => {
                election.read(now, found.as_ref().map(Record::read));
                self.object = found;
                drop(election);
                self.leadership.0.looked.notify_waiters();
                self.recovered();
            }
            Err(failure) => {
                election.failed(now);
                drop(election);
                self.failed(failure);
            }
        }
    }

    async fn write(&mut self, election: &Mutex<Election>, record: &Record) {
        let sent = self.leadership.now();
        let result = self.send(record).await;
        let now = self.leadership.now();
        match result {
            Ok(lease) => {
                let record = Record::read(&lease);
                self.object = Some(lease);
                election.lock().written(sent, now, record);
                self.leadership.0.looked.notify_waiters();
                self.recovered();
            }
            Err(failure) => self.not_written(election, now, failure),
        }
    }

    async fn note(&mut self, election: &Mutex<Election>, record: &Record) {
        let sent = self.leadership.now();
        let result = self.send(record).await;
        let now = self.leadership.now();
        match result {
            Ok(lease) => {
                election.lock().noted(sent, now, Record::read(&lease));
                self.object = Some(lease);
                self.recovered();
            }
            Err(failure) => self.not_written(election, now, failure),
        }
    }

    fn not_written(&mut self, election: &Mutex<Election>, now: Moment, failure: Failure) {
        match failure {
            Failure::Conflict => election.lock().conflicted(now),
            Failure::Error(_) => election.lock().failed(now),
        }
        self.failed(failure);
    }

    /// Creates or replaces the Lease, on condition that it still has the version in the record.
    async fn send(&self, record: &Record) -> Result<Lease, Failure> {
        let parameters = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let lease = record.write(self.object.as_ref());
        if record.version.is_some() {
            call(self.leases.replace(LEASE_NAME, &parameters, &lease)).await
        } else {
            call(self.leases.create(&parameters, &lease)).await
        }
    }

    async fn release(&mut self, election: &Mutex<Election>) {
        let owes = (self.owes)();
        let record = {
            let mut election = election.lock();
            election.owes(owes);
            election.release(self.leadership.now())
        };
        let Some(record) = record else {
            return;
        };
        match self.send(&record).await {
            Ok(_) if record.holder.is_none() => tracing::info!("lease released"),
            Ok(_) => tracing::debug!("the note in the lease is removed or final"),
            Err(Failure::Conflict) => {}
            Err(failure) => self.failed(failure),
        }
    }

    fn recovered(&mut self) {
        if std::mem::take(&mut self.logged.failing) {
            tracing::info!("the lease can be read and written again");
        }
    }

    /// Counts a failure, and logs the first of several in a row.
    fn failed(&mut self, failure: Failure) {
        let Failure::Error(reason) = failure else {
            tracing::debug!("another replica wrote the lease first");
            return;
        };
        self.metrics.failed();
        let namespace = &*self.namespace;
        if std::mem::replace(&mut self.logged.failing, true) {
            tracing::debug!(namespace, reason, "the lease can still not be read or written");
        } else {
            tracing::warn!(
                namespace,
                reason,
                "the lease cannot be read or written, will be repeated; without it no replica writes statuses"
            );
        }
    }

    /// Logs who leads, when that changes.
    fn log(&mut self, election: &Mutex<Election>) {
        let election = election.lock();
        let (leads, other) = (election.leads(self.leadership.now()), election.other_holder());
        let (identity, gap) = (election.identity(), election.gap().map(|gap| gap.as_secs()));
        if leads && !self.logged.leads {
            let since = election.catch_up().map(|catch_up| catch_up.since.to_string());
            tracing::info!(identity, catch_up_since = since, "leading: this replica writes statuses");
        } else if !leads && self.logged.leads {
            tracing::warn!(identity, "no longer leading");
        } else if !leads && other.is_some() && other != self.logged.other {
            tracing::info!(identity, leader = other.as_deref(), gap_seconds = gap, "another replica leads");
        }
        (self.logged.leads, self.logged.other) = (leads, other);
    }
}

/// Makes a call with a time limit and classifies how it failed.
async fn call<T>(calling: impl Future<Output = kube::Result<T>>) -> Result<T, Failure> {
    match timeout(CALL_TIMEOUT, calling).await {
        Ok(Ok(value)) => Ok(value),
        // Another version, or another replica created it first.
        Ok(Err(kube::Error::Api(status))) if status.code == 409 => Err(Failure::Conflict),
        Ok(Err(kube::Error::Api(status))) => Err(Failure::Error(format!("{} ({})", status.message, status.code))),
        Ok(Err(kube::Error::SerdeError(_))) => Err(Failure::Error("an answer could not be decoded".to_owned())),
        Ok(Err(error)) => Err(Failure::Error(error.to_string())),
        Err(_) => Err(Failure::Error("no answer in time".to_owned())),
    }
}
