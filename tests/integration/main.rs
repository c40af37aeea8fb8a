//! The real `quayside` binary against a real etcd and kube-apiserver with RBAC, under the
//! ServiceAccount and rights that the chart gives it.
//!
//! All tests share one control plane and most of them one operator; each has a namespace of its own. A test that stops
//! the API server or wants CRDs that validate nothing has the control plane of [`harness::ControlPlane::lawless`].

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::large_futures,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "test code"
)]

mod harness;

mod answers;
mod api_trouble;
mod bad_objects;
mod bad_requests;
mod burst;
mod catch_up;
mod chaos;
mod cluster_scope;
mod command_line;
mod crd_diff;
mod credentials;
mod credentials_demanded;
mod drain;
mod end_to_end;
mod examples;
mod fairness;
mod generic;
mod git_hosts;
mod gitea_hooks;
mod hostile_connections;
mod hostile_hosts;
mod hostile_requests;
mod leadership;
mod manifests;
mod misconfigurations;
mod object_events;
mod outages;
mod own_kinds;
mod page;
mod proxies;
mod pursuit;
mod quay_command;
mod quay_events;
mod quay_stand_in;
mod readiness;
mod real_gitea;
mod real_registry;
mod receivers;
mod refresh_cause;
mod registration;
mod registries;
mod registry_aliases;
mod rights;
mod secrets;
mod shards;
mod slow_senders;
mod spool;
mod status;
mod tls;
mod views;
