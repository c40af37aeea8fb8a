//! The spool's directory: private, and one process's at a time.
//!
//! ```text
//! <--spool-dir>/spool/            mode 0700
//!   lock                          locked while a process has the spool
//!   spool.redb                    the store
//!   spool.redb.new                a store being made; renamed once it is whole
//!   spool.redb.corrupt-<time>     the last damaged store, for a person to look at
//!   key                           names the directory, and hides the paths in the next
//!   known                         the receiver paths that were served last, as keyed hashes
//! ```
//!
//! The directory below the given one is always our own, because a mounted volume often is neither private nor ours to
//! make so. Nothing in it is followed elsewhere: a symbolic link, a directory of another user or one that all may write
//! is refused, because its content, or where that goes, would be in somebody else's hands.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::error::OpenError;
use super::key::{KEY_BYTES, Key};

const PRIVATE_DIRECTORY: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;
const STORE: &str = "spool.redb";
const KEY: &str = "key";
const KNOWN: &str = "known";
/// A million receivers.
const MOST_KNOWN: u64 = 16 * 1024 * 1024;
const ALL_MAY_WRITE: u32 = 0o002;
const DAMAGED: &str = "spool.redb.corrupt-";

/// The directory, locked for this process until it is dropped.
pub(super) struct Directory {
    path: PathBuf,
    _lock: File,
}

/// The same directory without the lock: for small files that are replaced whole.
pub(super) struct Folder(PathBuf);

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

    /// The directory without its lock.
    pub(super) fn folder(&self) -> Folder {
        Folder(self.path.clone())
    }

    /// The file of the store, to be overwritten.
    pub(super) fn store_to_overwrite(&self) -> io::Result<File> {
        open_private(OpenOptions::new().write(true), &self.store())
    }

    /// Where the store is, or will be.
    pub(super) fn store(&self) -> PathBuf {
        self.path.join(STORE)
    }

    /// Whether the store is there. Anything but a plain file in its place is an error.
    pub(super) fn has_store(&self) -> io::Result<bool> {
        match fs::symlink_metadata(self.store()) {
            Ok(metadata) if metadata.is_file() => Ok(true),
            Ok(_) => Err(io::Error::new(io::ErrorKind::PermissionDenied, "the store is not a plain file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
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

impl Folder {
    /// The key, which is made if there is none; and whether it is new.
    pub(super) fn key(&self) -> io::Result<(Key, bool)> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        let path = self.0.join(KEY);
        let read = open_private(OpenOptions::new().read(true), &path).and_then(|mut file| file.read_exact(&mut *bytes));
        if read.is_ok() {
            return Ok((Key::new(&bytes), false));
        }
        let random = Key::random()?;
        self.write_whole(KEY, &*random)?;
        Ok((Key::new(&random), true))
    }

    /// The marks of the paths that were served last, if any were.
    pub(super) fn read_known(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = open_private(OpenOptions::new().read(true), &self.0.join(KNOWN)).ok()?;
        file.take(MOST_KNOWN).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Writes the marks of the paths that are served.
    pub(super) fn write_known(&self, marks: &[u8]) -> io::Result<()> {
        self.write_whole(KNOWN, marks)
    }

    /// Writes a file that is always whole, also after a loss of power.
    fn write_whole(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let made = self.0.join(format!("{name}.new"));
        let mut file = create_private(&made)?;
        file.set_len(0)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&made, self.0.join(name))?;
        File::open(&self.0)?.sync_all()
    }
}

fn make_private(path: &Path) -> io::Result<()> {
    let refused = |why: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(PRIVATE_DIRECTORY).create(path)?;
        }
        Err(error) => return Err(error),
        Ok(metadata) if metadata.is_symlink() => return refused("it is a symbolic link"),
        Ok(metadata) if !metadata.is_dir() => return refused("it is not a directory"),
        Ok(metadata) if metadata.uid() != rustix::process::geteuid().as_raw() => {
            return refused("it belongs to another user");
        }
        Ok(metadata) if metadata.mode() & ALL_MAY_WRITE != 0 => return refused("everybody may write to it"),
        Ok(_) => {}
    }
    if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(PRIVATE_DIRECTORY))?;
    }
    Ok(())
}

fn create_private(path: &Path) -> io::Result<File> {
    open_private(OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(PRIVATE_FILE), path)
}

/// Opens a file, but no symbolic link.
fn open_private(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path)
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
    fn a_symbolic_link_or_a_directory_that_all_may_write_is_refused() {
        let (parent, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = parent.path().join("spool");
        let refused = |why: &str| {
            let error = Directory::prepare(parent.path()).err().unwrap().to_string();
            assert!(error.contains(why), "{error}");
        };
        std::os::unix::fs::symlink(elsewhere.path(), &path).unwrap();
        refused("it is a symbolic link");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
        refused("everybody may write to it");
        fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        std::os::unix::fs::symlink(elsewhere.path().join("file"), path.join("lock")).unwrap();
        assert!(Directory::prepare(parent.path()).is_err());
        fs::remove_file(path.join("lock")).unwrap();
        let directory = Directory::prepare(parent.path()).unwrap();
        std::os::unix::fs::symlink(elsewhere.path().join("file"), directory.store()).unwrap();
        assert!(directory.has_store().is_err());
        std::os::unix::fs::symlink(elsewhere.path().join("file"), path.join("key.new")).unwrap();
        assert!(directory.folder().key().is_err());
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0, "nothing is written elsewhere");
    }

    #[test]
    fn the_key_stays_as_long_as_the_directory() {
        let parent = tempfile::tempdir().unwrap();
        let directory = Directory::prepare(parent.path()).unwrap();
        let ((first, was_new), (second, is_new)) =
            (directory.folder().key().unwrap(), directory.folder().key().unwrap());
        assert!(was_new && !is_new);
        assert_eq!((first.id(), first.mark_of(b"a")), (second.id(), second.mark_of(b"a")));
        assert_ne!(first.mark_of(b"a"), first.mark_of(b"b"));
        assert_eq!(mode(&directory.path.join("key")), 0o600);
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
