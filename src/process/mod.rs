//! What every part of the process shares: the clock, readiness, logging, panics.

pub mod clock;
pub mod memory;
mod panics;
pub mod readiness;
pub mod supervisor;
pub mod telemetry;
