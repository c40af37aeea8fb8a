//! Refreshing after something was down: what is owed, what was taken in before the tables were filled, what was missed.

pub mod catch_up;
pub mod known;
pub mod owed;
pub mod silence;
mod walk;
