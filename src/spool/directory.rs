//! The spool's directory: private, and one process's at a time.
//!
//! ```text
//! <--spool-dir>/spool/            mode 0700
//!   lock                          locked while a process has the spool
//!   spool.redb                    the store
//!   spool.redb.new                a store being made; renamed once it is whole
//!   spool.redb.corrupt-<time>     the last damaged store, for a person to look at
//! ```
//!
//! The directory below the given one is always our own, because a mounted volume often is neither private nor ours to
//! make so.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::error::OpenError;

const PRIVATE_DIRECTORY: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;
const STORE: &str = "spool.redb";
const DAMAGED: &str = "spool.redb.corrupt-";

/// The directory, locked for this process until it is dropped.
pub(super) struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Makes the directory if it is missing, makes it private, and locks it.
    pub(super) fn prepare(parent: &Path) -> Result<Self, OpenError> {
        let path = parent.join("spool");
        let unusable = |source| OpenError::Directory { path: path.clone(), source };
        make_private(&path).map_err(unusable)?;
        let lock = create_private(&path.join("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path }),
            Err(TryLockError::Error(source)) => Err(unusable(source)),
        }
    }

    /// Where the store is, or will be.
    pub(super) fn store(&self) -> PathBuf {
        self.path.join(STORE)
    }

    /// Bytes that can still be written on its disk.
    pub(super) fn available(&self) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(&self.path)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// An empty private file in which a store can be made.
    pub(super) fn begin_store(&self) -> io::Result<PathBuf> {
        let path = self.path.join(format!("{STORE}.new"));
        create_private(&path)?.set_len(0)?;
        Ok(path)
    }

    /// Puts a store that was made in its place, so that it is there after a loss of power too.
    pub(super) fn place_store(&self, made: &Path) -> io::Result<()> {
        fs::rename(made, self.store())?;
        File::open(&self.path)?.sync_all()
    }

    /// Renames a damaged store, and removes those set aside before, so that they do not fill the disk. Returns the new
    /// name.
    pub(super) fn set_aside(&self, now: Timestamp) -> io::Result<String> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(DAMAGED) {
                fs::remove_file(entry.path())?;
            }
        }
        let name = format!("{DAMAGED}{}", now.strftime("%Y%m%dT%H%M%SZ"));
        fs::rename(self.store(), self.path.join(&name))?;
        Ok(name)
    }
}

fn make_private(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(PRIVATE_DIRECTORY).create(path)?;
    if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(PRIVATE_DIRECTORY))?;
    }
    Ok(())
}

fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(PRIVATE_FILE).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_missing_directory_is_made_and_private() {
        let parent = tempfile::tempdir().unwrap();
        let directory = Directory::prepare(&parent.path().join("deep/er")).unwrap();
        assert_eq!(mode(&directory.path), 0o700);
        assert_eq!(mode(&directory.path.join("lock")), 0o600);
        assert_eq!(mode(&directory.begin_store().unwrap()), 0o600);
    }

    #[test]
    fn a_directory_that_others_may_read_is_made_private() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("spool");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o2775)).unwrap();
        let _directory = Directory::prepare(parent.path()).unwrap();
        assert_eq!(mode(&path), 0o700);
    }

    #[test]
    fn a_path_that_is_no_directory_is_refused_with_its_name() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Directory::prepare(&file).err().unwrap();
        assert!(matches!(error, OpenError::Directory { .. }));
        assert!(error.to_string().contains(&*file.to_string_lossy()), "{error}");
    }

    #[test]
    fn a_directory_belongs_to_one_holder_until_it_is_dropped() {
        let parent = tempfile::tempdir().unwrap();
        let first = Directory::prepare(parent.path()).unwrap();
        let error = Directory::prepare(parent.path()).err().unwrap();
        assert!(matches!(error, OpenError::Locked { .. }));
        assert!(error.to_string().contains("in use by another process"), "{error}");
        drop(first);
        Directory::prepare(parent.path()).unwrap();
    }

    #[test]
    fn only_the_last_damaged_store_is_kept() {
        let parent = tempfile::tempdir().unwrap();
        let directory = Directory::prepare(parent.path()).unwrap();
        for second in 1..=3 {
            fs::write(directory.store(), "damaged").unwrap();
            directory.set_aside(Timestamp::from_second(second).unwrap()).unwrap();
        }
        let mut names: Vec<_> = fs::read_dir(&directory.path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["lock", "spool.redb.corrupt-19700101T000003Z"]);
    }
}
