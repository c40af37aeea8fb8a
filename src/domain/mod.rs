//! The vocabulary of the product: names, kinds, paths, secrets, repository URLs, selectors and events.
//!
//! Everything here is pure. It imports nothing else of this crate and knows no Kubernetes client, runtime or
//! HTTP server, so every rule of the contract with Kargo can be tested by calling a function.

pub(crate) mod alias;
pub(crate) mod artifact;
pub(crate) mod client_cert;
pub(crate) mod criterion;
pub(crate) mod event;
pub mod go_regex;
pub mod kind;
pub(crate) mod label;
pub(crate) mod message;
pub(crate) mod owner;
pub mod path;
pub(crate) mod path_pattern;
pub(crate) mod percent;
pub(crate) mod project_filter;
pub(crate) mod promotion;
pub mod repo;
pub mod scope;
pub mod secret;
pub(crate) mod selector;
pub mod semver;
pub(crate) mod shard;
pub(crate) mod small_map;
pub(crate) mod subscription;
pub(crate) mod target;
#[cfg(test)]
pub(crate) mod vectors;
pub mod work;
