//! The receiver paths that were served before, as marks that only this disk's key can make: whether an early request
//! may be a receiver's can then be told before the API server answers.

use std::collections::HashSet;
use std::io;

use parking_lot::Mutex;
use zeroize::Zeroizing;

use super::directory::Folder;
use super::key::{Key, MARK_BYTES, Mark};

/// What becomes of the paths that were known before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// They are known no longer.
    Nothing,
    /// They stay known, because some of them may only be missing for the moment.
    Old,
}

/// The marks. Written by one task, read by every early request.
pub(super) struct KnownPaths {
    folder: Folder,
    key: Key,
    /// `None` before the first start that came so far.
    marks: Mutex<Option<HashSet<Mark>>>,
}

impl KnownPaths {
    /// As the directory has them. What cannot be read counts as nothing known, which refuses nobody.
    pub(super) fn load(folder: Folder) -> io::Result<Self> {
        let (key, is_new) = folder.key()?;
        let marks = folder.read_known().filter(|bytes| !is_new && bytes.len().is_multiple_of(MARK_BYTES));
        let marks = marks.map(|bytes| bytes.chunks_exact(MARK_BYTES).filter_map(|mark| mark.try_into().ok()).collect());
        Ok(Self { folder, key, marks: Mutex::new(marks) })
    }

    pub(super) const fn key(&self) -> &Key {
        &self.key
    }

    /// Whether the path was served before; `None` when nothing is known of that.
    pub(super) fn knows(&self, path: &str) -> Option<bool> {
        let mark = self.key.mark_of(path.as_bytes());
        self.marks.lock().as_ref().map(|marks| marks.contains(&mark))
    }

    /// From now on these are known, also after a restart.
    pub(super) fn remember(&self, paths: &[Zeroizing<String>], keep: Keep) -> io::Result<()> {
        let mut now: HashSet<Mark> = paths.iter().map(|path| self.key.mark_of(path.as_bytes())).collect();
        if keep == Keep::Old {
            match &*self.marks.lock() {
                Some(old) => now.extend(old),
                // Nothing was known, so nobody could tell what is missing.
                None => return Ok(()),
            }
        }
        if self.marks.lock().as_ref() == Some(&now) {
            return Ok(());
        }
        // In an order that gives nothing away.
        let mut sorted: Vec<_> = now.iter().copied().collect();
        sorted.sort_unstable();
        self.folder.write_known(&sorted.concat())?;
        *self.marks.lock() = Some(now);
        Ok(())
    }
}
