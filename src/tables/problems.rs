//! What is wrong with receivers, as their conditions say it, for whoever asks this process.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

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
#[derive(Default)]
pub struct ProblemTable(RwLock<BTreeMap<Owner, Arc<[Remark]>>>);

impl ProblemTable {
    /// Replaces the remarks about one object.
    pub fn replace(&self, owner: &Owner, remarks: Vec<Remark>) {
        let mut table = self.0.write();
        if remarks.is_empty() {
            table.remove(owner);
        } else {
            table.insert(owner.clone(), remarks.into());
        }
    }

    /// Every remark, by object.
    #[must_use]
    pub fn all(&self) -> Vec<(Owner, Arc<[Remark]>)> {
        self.0.read().iter().map(|(owner, remarks)| (owner.clone(), Arc::clone(remarks))).collect()
    }
}
