//! How the notifications stand that registrations keep at senders, as far as there is anything to say.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::notes::Notes;
use crate::domain::scope::ObjectKey;

/// The notification of one repository that is, or was, in trouble; or what concerns a registration as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Who calls, such as `Quay`.
    pub sender: &'static str,
    /// The repository, as the sender has it; empty for all of the registration.
    pub repository: String,
    /// How it stands, as the registration's status says it.
    pub state: &'static str,
    /// Whether pushes are notified at present.
    pub works: bool,
    /// What is wrong and what to do about it, as the status says it; never a credential.
    pub message: String,
    /// When it was last seen switched off.
    pub disabled: Option<Timestamp>,
    /// When it was last switched on again.
    pub healed: Option<Timestamp>,
    /// The Warehouses that are concerned.
    pub warehouses: BTreeSet<ObjectKey>,
}

/// The notifications of every registration that has any to tell of. Only the leader fills it.
pub type NotificationTable = Notes<ObjectKey, Notification>;
