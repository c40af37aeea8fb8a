//! The watches and what each feeds.

pub mod configs;
pub mod promotions;
pub mod warehouses;
pub mod watch;
pub mod watched;
