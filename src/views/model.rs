//! What the views say, in JSON. One set of types serves the page, the command line and scripts; `docs/views.md`
//! documents it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::shard::Shard;
use crate::journal::record::Record;

/// `GET /api/v1/deliveries`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Deliveries {
    /// The replica that answers.
    pub replica: String,
    /// Since when this replica has kept records.
    pub since: Timestamp,
    /// The newest first.
    pub deliveries: Vec<Record>,
}

/// `GET /api/v1/receivers`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Receivers {
    /// The replica that answers.
    pub replica: String,
    /// Since when this replica has kept records.
    pub since: Timestamp,
    /// Sorted by project and name.
    pub receivers: Vec<Receiver>,
    /// What is wrong with receivers, served or not, in the words of their conditions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<Remark>,
    /// Notifications of registrations that are, or were, in trouble. Only the leader knows them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notifications: Vec<Notification>,
}

/// What is wrong with one receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Remark {
    /// The project; empty for a receiver of the cluster.
    pub project: String,
    /// Its name.
    pub name: String,
    /// The kind of object that declares it.
    pub declared_in: String,
    /// The reason of its condition.
    pub reason: String,
    /// The message of its condition.
    pub message: String,
    /// Whether it is served all the same.
    pub served: bool,
}

/// A receiver that is served. Its URL is a credential and appears in its object's status only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Receiver {
    /// The project; empty for a receiver of the cluster.
    pub project: String,
    /// Its name.
    pub name: String,
    /// Its kind, such as `quay`.
    pub kind: String,
    /// The kind of object that declares it.
    pub declared_in: String,
    /// Warehouses that it can reach and that subscribe to anything.
    pub warehouses: usize,
    /// The URL of the secret before the current one is served as well.
    pub previous_url: bool,
    /// The time of its last delivery; absent when none is remembered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// Its remembered deliveries, oldest first.
    pub past: Vec<Past>,
}

/// A delivery of a receiver, in short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Past {
    /// When it arrived.
    pub time: Timestamp,
    /// How it ended.
    pub outcome: String,
}

/// `GET /api/v1/warehouses/NAMESPACE/NAME`: everything about one Warehouse.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Warehouse {
    /// The replica that answers.
    pub replica: String,
    /// Since when this replica has kept records.
    pub since: Timestamp,
    /// Its namespace, which is its project.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether the replica knows a Warehouse of this name.
    pub found: bool,
    /// The namespace is served by another installation.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub elsewhere: bool,
    /// One sentence that answers "why did nothing happen?".
    pub answer: String,
    /// What it subscribes to.
    pub subscriptions: Vec<Subscription>,
    /// The receivers of the cluster and of its project, and whether they can reach it.
    pub receivers: Vec<Reach>,
    /// The notifications at senders for what it subscribes to, those that are, or were, in trouble.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notifications: Vec<Notification>,
    /// The remembered deliveries that concern it or nearly do, the newest first.
    pub deliveries: Vec<About>,
}

/// A notification that a registration keeps at a sender.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Notification {
    /// The registration: its namespace and name, or the name alone of a ClusterRegistration.
    pub registration: String,
    /// Who calls, such as `Quay`.
    pub sender: String,
    /// The repository, as the sender has it; empty for all of the registration.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub repository: String,
    /// How it stands, as in `status.repositories` of the registration, or the reason of its condition.
    pub state: String,
    /// Whether pushes are notified at present, as far as is known.
    pub works: bool,
    /// What is wrong and what to do about it; empty when nothing is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// When it was last seen switched off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Timestamp>,
    /// When it was last switched on again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healed: Option<Timestamp>,
}

/// A subscription as it is compared with events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Subscription {
    /// `image`, `chart` or `git`; empty for an entry that cannot be read.
    pub kind: String,
    /// The repository, normalised.
    pub repository: String,
    /// Why it accepts nothing; absent when it can accept something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A receiver as seen from a Warehouse.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Reach {
    /// The project; empty for a receiver of the cluster.
    pub project: String,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Whether a push to it can refresh the Warehouse.
    pub reaches: bool,
    /// Why it cannot; empty when it can.
    pub because: String,
    /// What deserves attention although it is served; empty when there is nothing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remark: String,
    /// The last requests to it, whatever they were about.
    pub calls: Calls,
}

/// The last requests to a receiver, by what came of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Calls {
    /// One that said what was pushed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub useful: Option<Call>,
    /// One that asked for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<Call>,
    /// One that was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Call>,
    /// One to a URL that is no longer served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retired: Option<Call>,
}

/// A request, in short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Call {
    /// When it arrived.
    pub time: Timestamp,
    /// How it ended.
    pub outcome: String,
    /// What was said about it.
    pub message: String,
}

/// A delivery as seen from a Warehouse.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct About {
    /// The delivery.
    pub delivery: Record,
    /// Whether its receiver can reach the Warehouse.
    pub within_reach: bool,
    /// Whether it refreshes the Warehouse.
    pub refreshes: bool,
    /// Why it does or does not.
    pub because: String,
}

/// `GET /api/v1/checks`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Checks {
    /// In the order of their groups.
    pub checks: Vec<Check>,
}

/// One thing that was checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Check {
    /// Under which heading it stands.
    pub group: Group,
    /// What was checked: a word that scripts can rely on.
    pub check: String,
    /// How it ended.
    pub verdict: Verdict,
    /// What was found.
    pub message: String,
    /// What to do about it; absent where nothing is to be done.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remedy: String,
}

/// The headings of checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// The replicas and what they run on.
    #[default]
    Cluster,
    /// The way from a sender to the receivers.
    WayIn,
    /// The receivers and what came to them.
    Receivers,
    /// The Warehouses, and what Kargo does with their refreshes.
    Warehouses,
}

/// How a check ended. The worst decides the exit code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing to say.
    #[default]
    Passed,
    /// Could not be looked at; the message says what is missing.
    Skipped,
    /// Works, but not as one would wish.
    Warning,
    /// Pushes are lost or refused because of it.
    Failed,
}

/// `GET /api/v1/health`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Replicas {
    /// The replicas that answered; one, unless several were asked.
    pub replicas: Vec<Health>,
    /// Replicas that did not answer, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// How one replica is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Health {
    /// The replica that answers.
    pub replica: String,
    /// The version of the program.
    pub version: String,
    /// Since when it has run.
    pub since: Timestamp,
    /// Its time, by which clocks are compared.
    pub now: Timestamp,
    /// Every gate is open.
    pub ready: bool,
    /// The replica is about to end.
    pub draining: bool,
    /// It writes the statuses.
    pub leader: bool,
    /// The address below which its receivers are published.
    pub base_url: String,
    /// The part of the cluster that it serves; absent when that is all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// The gates, and whether each is open.
    pub gates: Vec<Gate>,
    /// Refreshes that are owed.
    pub owed: usize,
    /// What is on disk; absent without a spool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spool: Option<Spool>,
    /// Receivers that are served.
    pub receivers: usize,
    /// Warehouses that are known.
    pub warehouses: usize,
    /// Bytes that the journal occupies.
    pub journal_bytes: usize,
}

/// A readiness gate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// Its name.
    pub name: String,
    /// Whether it has opened.
    pub open: bool,
}

/// What is on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Spool {
    /// Refreshes that are owed.
    pub owed: usize,
    /// Requests that were taken in and have not run yet.
    pub taken_in: usize,
}
