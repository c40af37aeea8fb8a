//! The webhook port: accept loop, limits, the one handler and its answers.
//!
//! Nothing here calls the API server to read, compiles a selector or takes a lock across an await; a request meets the
//! controller only in the tables.

pub mod answer;
pub mod body;
pub mod connection;
pub mod crowd;
pub mod handler;
pub mod intake;
pub mod limits;
pub mod server;
pub mod tls;
