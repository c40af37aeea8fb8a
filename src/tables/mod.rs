//! The tables in memory, in which configuration and delivery meet.

pub mod promotions;
pub mod routes;
pub mod warehouses;
