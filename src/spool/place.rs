//! Where the spool is to be.

use std::path::PathBuf;

/// Where the spool is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nowhere: what is owed lives in memory only.
    Nowhere,
    /// In this directory, or the process does not start.
    At(PathBuf),
    /// In the first of these that can be used, else in a temporary one.
    FirstOf(Vec<PathBuf>),
}
