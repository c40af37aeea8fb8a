//! What can go wrong with the spool.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

/// Why the spool did not do what was asked of it. Nothing that was acknowledged before is lost by it, unless it says
/// [`SpoolError::Corrupt`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SpoolError {
    /// No space on the disk, or within a quota. Every later call tries again.
    #[error("the disk of the spool is full")]
    DiskFull,
    /// The disk cannot be read or written. Every later call tries again.
    #[error("the spool cannot be read or written: {0}")]
    Io(Arc<str>),
    /// The file is damaged. It is set aside by the next call, which begins a fresh one.
    #[error("the file of the spool is damaged: {0}")]
    Corrupt(Arc<str>),
    /// As many requests are taken in as there may be.
    #[error("the intake of the spool is full")]
    IntakeFull,
    /// Too many callers wait for the disk already.
    #[error("too many requests wait for the spool")]
    Busy,
    /// The disk did not answer in time. What was to be written may be written yet.
    #[error("the disk of the spool did not answer in time")]
    TimedOut,
    /// The spool was closed, because the process ends.
    #[error("the spool is closed")]
    Closed,
}

impl SpoolError {
    /// Every value of the metric label `reason`.
    pub(super) const REASONS: [&'static str; 7] = ["full", "io", "corrupt", "intake_full", "busy", "timeout", "closed"];

    /// The value of the metric label `reason`.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::DiskFull => "full",
            Self::Io(_) => "io",
            Self::Corrupt(_) => "corrupt",
            Self::IntakeFull => "intake_full",
            Self::Busy => "busy",
            Self::TimedOut => "timeout",
            Self::Closed => "closed",
        }
    }
}

impl From<io::Error> for SpoolError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Self::DiskFull,
            // What the store says of a file that is not one of its own, or that ends too early.
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Self::Corrupt(error.to_string().into()),
            _ => Self::Io(error.to_string().into()),
        }
    }
}

impl From<redb::Error> for SpoolError {
    fn from(error: redb::Error) -> Self {
        use redb::Error;
        match error {
            Error::Io(error) => error.into(),
            Error::Corrupted(_)
            | Error::UpgradeRequired(_)
            | Error::TableTypeMismatch { .. }
            | Error::TableIsMultimap(_)
            | Error::TypeDefinitionChanged { .. } => Self::Corrupt(error.to_string().into()),
            _ => Self::Io(error.to_string().into()),
        }
    }
}

/// Why there is no spool. A full disk or a damaged file is no reason.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The directory cannot be made, or not be made private.
    #[error("the spool directory {} cannot be used: it must be writable and, if it exists, one's own: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process has it.
    #[error("the spool directory {} is in use by another process: give each replica a directory of its own", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// No thread could be started.
    #[error("the thread of the spool cannot be started: {0}")]
    Thread(io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_listed() {
        let text: Arc<str> = "".into();
        let all = [
            SpoolError::DiskFull,
            SpoolError::Io(Arc::clone(&text)),
            SpoolError::Corrupt(text),
            SpoolError::IntakeFull,
            SpoolError::Busy,
            SpoolError::TimedOut,
            SpoolError::Closed,
        ];
        assert_eq!(all.map(|error| error.reason()), SpoolError::REASONS);
    }
}
