//! The webhook port: accept loop, limits, the one handler and its answers.
//!
//! Nothing here calls the API server to read, compiles a selector or takes a lock across an await; a request meets the
//! controller only in the tables.

pub mod answer;
mod body;
mod connection;
mod crowd;
pub mod entrance;
pub mod handler;
mod heads;
pub mod intake;
mod judging;
mod limits;
mod log;
pub mod memory;
mod pool;
mod record;
pub mod server;
pub mod state;
pub mod tls;
mod waits;
