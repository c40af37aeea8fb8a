//! Configuration flow: watch → resolve → tables → status.
//!
//! ```text
//! ProjectConfig ─┐
//! ClusterConfig ─┼─▶ configs ─▶ resolve (pure) ─▶ RouteTable
//! Secret ────────┘                    └─────────▶ status writer
//! Warehouse ───────▶ warehouses ─────────────────▶ SubscriptionIndex
//! Promotion ───────▶ promotions ─────────────────▶ PromotionIndex
//! ```

pub mod config_feed;
pub mod configs;
mod credentials;
mod generic;
pub mod namespaces;
pub mod promotions;
pub mod queue;
pub mod resolve;
pub mod secrets;
pub mod status;
pub mod warehouses;
pub mod watch;
pub mod watched;
