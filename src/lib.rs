//! Quayside receives webhooks from registries and Git hosts on behalf of Kargo.
//!
//! ```text
//!  watches                      tables in memory                 request path
//!  ProjectConfig ─┐
//!  ClusterConfig ─┼─▶ controller ─▶ tables ───────────────────▶ http ◀── sender
//!  Secret ────────┘       │                                       │
//!                         ▼ status                                │ receiver: verify, parse
//!  Warehouse ─────▶ controller ─▶ tables ────────────────────────▶│ match
//!                                                                 ▼
//!                                                               refresh ─▶ annotation on the Warehouse
//! ```
//!
//! Two flows, each one way, that meet only in the tables. `docs/architecture.md` lists the modules and which of them
//! may use which others. Public is what the tests, benchmarks and fuzz targets need; everything else is private to the
//! crate, so that the compiler finds what nothing uses.

mod admin;
pub mod api;
mod app;
pub mod cli;
mod controller;
mod delivery;
pub mod domain;
mod events;
pub mod expr;
pub mod hooks;
mod http;
mod journal;
mod lease;
mod metrics;
mod process;
mod pursuit;
pub mod receiver;
mod recovery;
mod refresh;
mod registration;
mod spool;
mod tables;
mod views;

/// What only benchmarks and fuzz targets reach.
pub mod workbench {
    pub use crate::api::generic_config::GenericConfig;
    pub use crate::domain::client_cert::passed_on::certificates as certificates_passed_on;
    pub use crate::domain::client_cert::{ClientIdentity, Fingerprint, permits};
    pub use crate::domain::criterion::Labels;
    pub use crate::domain::event::{ChangedFiles, PushEvent};
    pub use crate::domain::path_pattern::{PathFilter, PathPattern};
    pub use crate::receiver::kinds::generic::{Action, CompileBudget};
    pub use crate::spool::TakenIn;
    pub use crate::tables::warehouses::{Pushes, SubscriptionIndex, Warehouse};
}
