//! Configuration flow: watch → resolve → tables → status.
//!
//! ```text
//! ProjectConfig, ClusterConfig ┐
//! Receiver, ClusterReceiver    ├─▶ feeds ─▶ configs ─▶ resolve (pure) ─▶ RouteTable
//! Secret, Namespace            ┘                           └───────────▶ status
//! Warehouse ─────────────────────▶ feeds ──────────────────────────────▶ SubscriptionIndex
//! Promotion ─────────────────────▶ feeds ──────────────────────────────▶ PromotionIndex
//! ```

pub mod configs;
pub mod feeds;
mod memory;
pub mod namespaces;
mod news;
pub mod queue;
pub mod resolve;
pub mod secrets;
pub mod status;
mod unseen;
