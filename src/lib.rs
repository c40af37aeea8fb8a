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
//! Two flows, each one way, that meet only in the tables. The modules and who may use whom:
//!
//! * [`domain`]: names, paths, URLs, selectors, events; pure, uses nothing of this crate.
//! * [`expr`]: the expression language of Kargo's generic receiver; uses `domain`.
//! * [`receiver`]: one file per sender; uses `domain`.
//! * [`tables`]: routes, subscriptions of Warehouses, Promotions that wait; use `receiver` and `domain`.
//! * [`delivery`]: judges one request against the tables; uses `tables`, `receiver` and `domain`.
//! * [`refresh`]: coalescing and the PATCH; uses `domain`.
//! * [`spool`]: what must survive the process; uses `domain`.
//! * [`controller`]: watches and status; uses the tables, `receiver` and [`api`].
//! * [`http`], [`admin`]: the two ports; use the tables, `receiver` and `refresh`, never `controller`.
//! * [`lease`]: which replica writes statuses, and when one last lived; [`recovery`]: refreshes after something was down.
//! * [`process`]: clock, readiness, logging; [`metrics`].
//! * [`app`] and [`cli`] put everything together.

pub mod admin;
pub mod api;
pub mod app;
pub mod cli;
pub mod controller;
pub mod delivery;
pub mod domain;
pub mod expr;
pub mod http;
pub mod lease;
pub mod metrics;
pub mod process;
pub mod receiver;
pub mod recovery;
pub mod refresh;
pub mod spool;
pub mod tables;
