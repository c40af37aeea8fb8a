//! The vocabulary of the product: names, kinds, paths, secrets, repository URLs, selectors and events.
//!
//! Everything here is pure. It imports nothing else of this crate and knows no Kubernetes client, runtime or
//! HTTP server, so every rule of the contract with Kargo can be tested by calling a function.

pub mod alias;
pub mod client_cert;
pub mod criterion;
pub mod event;
pub mod go_regex;
pub mod kind;
pub mod label;
pub mod owner;
pub mod path;
pub mod path_pattern;
pub mod project_filter;
pub mod promotion;
pub mod repo;
pub mod scope;
pub mod secret;
pub mod selector;
pub mod semver;
pub mod subscription;
pub mod target;
#[cfg(test)]
pub(crate) mod vectors;
