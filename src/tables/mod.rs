//! The tables in memory, in which configuration and delivery meet.

pub mod notes;
pub mod notifications;
pub mod problems;
pub mod promotions;
pub mod retired;
pub mod routes;
pub mod warehouses;

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::alias::HostAliases;
use crate::domain::path::{BaseUrl, ReceiverPath};
use crate::domain::shard::Shard;
use notifications::NotificationTable;
use problems::ProblemTable;
use promotions::PromotionIndex;
use retired::{Meant, RetiredUrls};
use routes::RouteTable;
use warehouses::SubscriptionIndex;

/// All of them; a clone is another handle to the same tables.
#[derive(Clone)]
pub struct Tables {
    /// Path → route.
    pub routes: Arc<RouteTable>,
    /// Repository → subscribers.
    pub index: Arc<SubscriptionIndex>,
    /// Pull request → Promotions.
    pub promotions: Arc<PromotionIndex>,
    /// Other names of registries.
    pub aliases: Arc<HostAliases>,
    /// Paths that were routes until recently.
    pub retired: Arc<RetiredUrls>,
    /// What is wrong with receivers.
    pub problems: Arc<ProblemTable>,
    /// How the notifications of registrations stand.
    pub notifications: Arc<NotificationTable>,
    /// The part of the cluster that they hold.
    pub shard: Arc<Shard>,
}

impl Tables {
    /// Empty tables below a base URL.
    #[must_use]
    pub fn new(base: BaseUrl, aliases: HostAliases) -> Self {
        Self {
            routes: Arc::new(RouteTable::new(base)),
            index: Arc::default(),
            promotions: Arc::default(),
            aliases: Arc::new(aliases),
            retired: Arc::default(),
            problems: Arc::default(),
            notifications: Arc::default(),
            shard: Arc::default(),
        }
    }

    /// The same tables, for that part of the cluster.
    #[must_use]
    pub fn of(self, shard: Shard) -> Self {
        Self { shard: Arc::new(shard), ..self }
    }

    /// The receiver that a request meant whose path is not served at this time: the path of a previous secret whose
    /// time is over, or one that was served within the last day. None is meant where the path has been served since.
    #[must_use]
    pub fn meant_by(&self, path: &ReceiverPath, now: Timestamp) -> Option<Meant> {
        match self.routes.find(path) {
            Some(route) => (!route.is_in_force(now)).then(|| Meant::by(&route)),
            None => self.retired.meant_by(path, now),
        }
    }
}
