//! Configuration flow: watch → resolve → tables → status.
//!
//! ```text
//! ProjectConfig ─┐
//! ClusterConfig ─┼─▶ configs ─▶ resolve (pure) ─▶ RouteTable
//! Secret ────────┘                    └─────────▶ status writer
//! Warehouse ───────▶ warehouses ─────────────────▶ SubscriptionIndex
//! Promotion ───────▶ promotions ─────────────────▶ PromotionIndex
//! ```

pub mod configs;
pub mod feeds;
pub mod namespaces;
pub mod queue;
pub mod resolve;
pub mod secrets;
pub mod status;
