//! What is wrong with receivers, as their conditions say it, for whoever asks this process.

use super::notes::Notes;
use crate::domain::owner::Owner;

/// What is wrong with one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The receiver's name.
    pub receiver: String,
    /// The reason of its condition.
    pub reason: &'static str,
    /// The message of its condition, which never holds a credential.
    pub cause: String,
    /// Whether it is served all the same.
    pub served: bool,
}

/// The remarks about the receivers of every object that has any.
pub type ProblemTable = Notes<Owner, Remark>;
