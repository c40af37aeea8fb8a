//! What every part of the process shares: the clock, readiness, logging.

pub mod clock;
pub mod memory;
pub mod readiness;
pub mod supervisor;
pub mod telemetry;
