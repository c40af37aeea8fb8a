//! The tables in memory, in which configuration and delivery meet.

pub mod promotions;
pub mod routes;
pub mod warehouses;

use std::sync::Arc;

use crate::domain::alias::HostAliases;
use crate::domain::path::BaseUrl;
use promotions::PromotionIndex;
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
        }
    }
}
