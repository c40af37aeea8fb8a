//! What can be asked to refresh: an object of one of two kinds.

use std::fmt;

use super::scope::ObjectKey;

/// The kind of an object that reads the refresh annotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TargetKind {
    /// A Warehouse looks for new versions.
    Warehouse,
    /// A Promotion that waits for a pull request looks at it.
    Promotion,
}

impl TargetKind {
    /// Its name in lower case: the metric label and the word in messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warehouse => "warehouse",
            Self::Promotion => "promotion",
        }
    }

    /// Its plural in the API's paths.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Warehouse => "warehouses",
            Self::Promotion => "promotions",
        }
    }
}

/// An object to refresh.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// Its kind.
    pub kind: TargetKind,
    /// Its namespace and name.
    pub key: ObjectKey,
}

impl Target {
    /// A Warehouse.
    #[must_use]
    pub const fn warehouse(key: ObjectKey) -> Self {
        Self { kind: TargetKind::Warehouse, key }
    }

    /// A Promotion.
    #[must_use]
    pub const fn promotion(key: ObjectKey) -> Self {
        Self { kind: TargetKind::Promotion, key }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)
    }
}
