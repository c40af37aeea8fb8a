//! Quayside receives webhooks from registries and Git hosts on behalf of Kargo.
//!
//! ```text
//!  watches                      tables in memory                 request path
//!  ProjectConfig ─┐
//!  ClusterConfig ─┼─▶ controller ─▶ routing ──────────────────▶ http ◀── sender
//!  Secret ────────┘       │                                       │
//!                         ▼ status                                │ receiver: verify, parse
//!  Warehouse ─────▶ controller ─▶ subscription ──────────────────▶│ match
//!                                                                 ▼
//!                                                               refresh ─▶ annotation on the Warehouse
//! ```
//!
//! Two flows, each one way, that meet only in the tables. The modules and who may use whom:
//!
//! * [`domain`]: names, paths, URLs, selectors, events; pure, uses nothing of this crate.
//! * [`expr`]: the expression language of Kargo's generic receiver; uses `domain`.
//! * [`receiver`]: one file per sender; uses `domain`.
//! * [`routing`], [`subscription`], [`promotions`]: the tables; use `receiver` and `domain`.
//! * [`refresh`]: coalescing and the PATCH; uses `domain`.
//! * [`spool`]: what must survive the process; uses `domain`.
//! * [`controller`]: watches and status; uses the tables, `receiver` and [`api`].
//! * [`http`], [`admin`]: the two ports; use the tables, `receiver` and `refresh`, never `controller`.
//! * [`lease`]: which replica writes statuses, and when one last lived; [`catch_up`]: what was missed while none did.
//! * [`lanes`]: the threads that serve senders.
//! * [`app`] and [`cli`] put everything together.

pub mod admin;
pub mod api;
pub mod app;
pub mod catch_up;
pub mod cli;
pub mod clock;
pub mod controller;
pub mod domain;
pub mod expr;
pub mod http;
pub mod lanes;
pub mod lease;
pub mod metrics;
pub mod promotions;
pub mod readiness;
pub mod receiver;
pub mod recovery;
pub mod refresh;
pub mod routing;
pub mod spool;
pub mod subscription;
pub mod telemetry;
