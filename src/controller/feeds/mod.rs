//! The watches and what each feeds.

pub mod configs;
mod discovery;
pub mod namespaces;
pub mod promotions;
pub mod secrets;
pub mod warehouses;
pub mod watch;
pub mod watched;
