//! What can be looked at: in this process, or in all replicas.

use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt};
use jiff::Timestamp;
use tokio::sync::broadcast::{self, error::RecvError};

use super::model::{
    Calls, Checks, Deliveries, Gate, Health, Notification, Past, Receiver, Receivers, Remark, Replicas, Spool,
    Warehouse,
};
use super::{Filter, checks, why};
use crate::domain::owner::Owner;
use crate::domain::scope::ObjectKey;
use crate::domain::shard::Shard;
use crate::journal::record::Record;
use crate::journal::{Journal, Url};
use crate::lease::Leadership;
use crate::process::clock::Clock;
use crate::process::readiness::{self, Readiness};
use crate::refresh::Refresher;
use crate::spool::Spool as Disk;
use crate::tables::Tables;
use crate::tables::notifications::Notification as Known;
use crate::tables::problems::Remark as Told;
use crate::tables::routes::{Route, Standing};

/// A delivery that is new or has come further.
pub enum News {
    /// The delivery as it is now.
    Delivery(Arc<Record>),
    /// So many were missed, because the reader was too slow.
    Missed(u64),
}

/// Where the views come from.
pub trait Look: Send + Sync + 'static {
    /// The deliveries that pass, the newest first.
    fn deliveries(&self, filter: &Filter) -> impl Future<Output = Deliveries> + Send;
    /// One delivery.
    fn delivery(&self, id: &str) -> impl Future<Output = Option<Record>> + Send;
    /// The receivers that are served.
    fn receivers(&self) -> impl Future<Output = Receivers> + Send;
    /// One Warehouse.
    fn warehouse(&self, namespace: &str, name: &str) -> impl Future<Output = Warehouse> + Send;
    /// How the replicas are.
    fn health(&self) -> impl Future<Output = Replicas> + Send;
    /// What can be judged from what the replicas know.
    fn checks(&self) -> impl Future<Output = Checks> + Send {
        async {
            let everything = Filter { limit: Some(usize::MAX), ..Filter::default() };
            let (health, receivers) = (self.health().await, self.receivers().await);
            let deliveries = self.deliveries(&everything).await;
            checks::of(&health, &receivers, &deliveries.deliveries, Clock::system().now())
        }
    }
    /// What happens from now on.
    fn news(&self) -> BoxStream<'static, News>;
}

/// What this process can be asked for.
pub struct Views {
    /// What this replica is called.
    pub replica: String,
    /// When it started.
    pub since: Timestamp,
    /// The deliveries.
    pub journal: Journal,
    /// The receivers and the Warehouses.
    pub tables: Tables,
    /// The gates.
    pub readiness: Arc<Readiness>,
    /// What is owed.
    pub refresher: Refresher,
    /// Who leads.
    pub leadership: Leadership,
    /// What is on disk.
    pub spool: Option<Disk>,
    /// For comparing clocks.
    pub clock: Clock,
}

impl Views {
    fn records(&self, route: &Route, url: Url) -> Vec<Record> {
        self.journal.of(&(route.owner.clone(), Arc::clone(&route.receiver), url))
    }

    fn calls(&self, route: &Route) -> Calls {
        why::calls(&self.records(route, Url::Served), &self.records(route, Url::Retired))
    }

    /// What there is to say about the notifications at senders: all of them, or those that concern one Warehouse.
    fn notifications(&self, of: Option<&ObjectKey>) -> Vec<Notification> {
        let of_registration = |(registration, notes): (ObjectKey, Arc<[Known]>)| {
            let concerned = notes.iter().filter(|note| of.is_none_or(|of| note.warehouses.contains(of)));
            let notification = |note: &Known| Notification {
                registration: registration.to_string(),
                sender: note.sender.to_owned(),
                repository: note.repository.clone(),
                state: note.state.to_owned(),
                works: note.works,
                message: note.message.clone(),
                disabled: note.disabled,
                healed: note.healed,
            };
            concerned.map(notification).collect::<Vec<_>>()
        };
        self.tables.notifications.all().into_iter().flat_map(of_registration).collect()
    }

    /// What is wrong with receivers.
    fn remarks(&self) -> Vec<Remark> {
        let of_owner = |(owner, remarks): (Owner, Arc<[Told]>)| {
            let remark = |told: &Told| Remark {
                project: owner.project().to_owned(),
                name: told.receiver.clone(),
                declared_in: owner.kind().to_owned(),
                reason: told.reason.to_owned(),
                message: told.cause.clone(),
                served: told.served,
            };
            remarks.iter().map(remark).collect::<Vec<_>>()
        };
        self.tables.problems.all().into_iter().flat_map(of_owner).collect()
    }
}

impl Look for Views {
    async fn deliveries(&self, filter: &Filter) -> Deliveries {
        let deliveries = self.journal.select(filter.limit(), |record| filter.passes(record));
        Deliveries { replica: self.replica.clone(), since: self.since, deliveries }
    }

    async fn delivery(&self, id: &str) -> Option<Record> {
        self.journal.select(1, |record| record.id == id).pop()
    }

    async fn receivers(&self) -> Receivers {
        let routes = self.tables.routes.served();
        let mut receivers: Vec<Receiver> = Vec::new();
        for route in routes.iter().filter(|route| route.standing == Standing::Current) {
            let has_previous = |other: &&Arc<Route>| {
                other.standing != Standing::Current
                    && (&other.owner, &other.receiver) == (&route.owner, &route.receiver)
            };
            let records = self.records(route, Url::Served);
            receivers.push(Receiver {
                project: route.scope.project().to_owned(),
                name: route.receiver.to_string(),
                kind: route.kind().to_string(),
                declared_in: route.owner.kind().to_owned(),
                warehouses: self.tables.index.within(&route.scope),
                previous_url: routes.iter().any(|other| has_previous(&other)),
                last: records.last().map(|record| record.time),
                past: records.into_iter().map(|record| Past { time: record.time, outcome: record.outcome }).collect(),
            });
        }
        receivers.sort_by(|a, b| (&a.project, &a.name, &a.declared_in).cmp(&(&b.project, &b.name, &b.declared_in)));
        Receivers {
            replica: self.replica.clone(),
            since: self.since,
            receivers,
            remarks: self.remarks(),
            notifications: self.notifications(None),
        }
    }

    async fn warehouse(&self, namespace: &str, name: &str) -> Warehouse {
        let mut view = Warehouse {
            replica: self.replica.clone(),
            since: self.since,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            elsewhere: !self.tables.shard.serves(namespace),
            ..Warehouse::default()
        };
        let key = ObjectKey::new(namespace, name);
        if let Some(known) = self.tables.index.get(&key) {
            let routes = self.tables.routes.served();
            let records = self
                .journal
                .select(usize::MAX, |record| !record.repositories.first.is_empty() || record.concerns(namespace, name));
            view.found = true;
            view.subscriptions = why::subscriptions(&known);
            view.notifications = self.notifications(Some(&key));
            view.receivers = why::reaches(&routes, &self.remarks(), namespace, |route| self.calls(route));
            view.deliveries =
                why::most_telling(records.iter().filter_map(|record| why::about(record, &known, &routes)).collect());
        }
        view.answer = why::answer(&view);
        view
    }

    async fn health(&self) -> Replicas {
        let gates = readiness::Gate::ALL.iter();
        let gates = gates.map(|gate| Gate { name: gate.as_str().to_owned(), open: self.readiness.is_open(*gate) });
        let spool = self.spool.as_ref().map(|spool| {
            let counts = spool.counts();
            let number = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
            Spool { owed: number(counts.owed), taken_in: number(counts.intake.requests) }
        });
        let health = Health {
            replica: self.replica.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            since: self.since,
            now: self.clock.now(),
            ready: self.readiness.is_ready(),
            draining: self.readiness.is_draining(),
            leader: self.leadership.is_leader(),
            base_url: self.tables.routes.base().to_string(),
            shard: Some(Shard::clone(&self.tables.shard)).filter(|shard| *shard != Shard::default()),
            gates: gates.collect(),
            owed: self.refresher.owed(),
            spool,
            receivers: self.tables.routes.counts().values().sum(),
            warehouses: self.tables.index.totals().warehouses,
            journal_bytes: self.journal.bytes(),
        };
        Replicas { replicas: vec![health], problems: Vec::new() }
    }

    fn news(&self) -> BoxStream<'static, News> {
        let news = self.journal.follow();
        let next = async |mut news: broadcast::Receiver<Arc<Record>>| {
            let next = match news.recv().await {
                Ok(record) => News::Delivery(record),
                Err(RecvError::Lagged(missed)) => News::Missed(missed),
                Err(RecvError::Closed) => return None,
            };
            Some((next, news))
        };
        stream::unfold(news, next).boxed()
    }
}
