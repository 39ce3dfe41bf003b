//! Whether an index was changed since: told by eight bytes beside its rows.
//!
//! What counts is in the manifests, but asking SQLite for the newest generation takes longer than comparing a small view when its code and pages have left the
//! caches. So whoever publishes counts on in a file: to an odd number before the transaction, and to the next even one after it. A reader that finds the
//! even number that it found before its last look at the manifest knows that nothing was published since. Whatever else it finds (another number, an odd
//! one, no file), it looks at the manifest. So what a killed writer leaves makes readers slow until the next one, and never wrong. Nothing of it has to
//! outlive a power loss, as no reader does.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use brain_core::{Error, Result};

const NAME: &str = "changes";

/// How often an index was changed, for its readers.
pub(crate) struct Changes {
    path: PathBuf,
    /// Opened when there is one.
    file: OnceLock<File>,
}

impl Changes {
    pub(crate) fn of(folder: &Path) -> Self {
        Self { path: folder.join(NAME), file: OnceLock::new() }
    }

    /// The number that stands until something is published; `None` while something is, or where nobody knows.
    pub(crate) fn settled(&self) -> Option<u64> {
        let file = match self.file.get() {
            Some(file) => file,
            None => {
                let file = File::open(&self.path).ok()?;
                self.file.get_or_init(|| file)
            }
        };
        read(file).ok().filter(|count| count % 2 == 0)
    }
}

/// A change under way: from before its transaction until it is dropped. Nothing is published without one.
pub(crate) struct Change {
    file: File,
    count: u64,
}

impl Change {
    /// Tells readers of the index in `folder` that it is being changed.
    ///
    /// # Errors
    /// Those of the file system; then it must not be changed.
    pub(crate) fn begin(folder: &Path) -> Result<Self> {
        let path = folder.join(NAME);
        let begun = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).and_then(|file| {
            // After what a killed writer left, or beside one that no lock holds off, to the next odd number.
            let count = read(&file).unwrap_or_default().wrapping_add(1) | 1;
            write(&file, count)?;
            Ok(Self { file, count })
        });
        begun.map_err(|source| Error::io("write", &path, source))
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        // Where it cannot be told, readers go on looking at the manifest.
        let _ = write(&self.file, self.count.wrapping_add(1));
    }
}

fn read(file: &File) -> io::Result<u64> {
    let mut bytes = [0; 8];
    match at_start::read(file, &mut bytes)? {
        8 => Ok(u64::from_le_bytes(bytes)),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn write(file: &File, count: u64) -> io::Result<()> {
    match at_start::write(file, &count.to_le_bytes())? {
        8 => Ok(()),
        _ => Err(io::ErrorKind::WriteZero.into()),
    }
}

/// Reading and writing the first bytes of a file that several threads share: without moving where it stands.
#[cfg(unix)]
mod at_start {
    use std::os::unix::fs::FileExt;

    use super::{File, io};

    pub(super) fn read(file: &File, bytes: &mut [u8]) -> io::Result<usize> {
        file.read_at(bytes, 0)
    }

    pub(super) fn write(file: &File, bytes: &[u8]) -> io::Result<usize> {
        file.write_at(bytes, 0)
    }
}

#[cfg(windows)]
mod at_start {
    use std::os::windows::fs::FileExt;

    use super::{File, io};

    pub(super) fn read(file: &File, bytes: &mut [u8]) -> io::Result<usize> {
        file.seek_read(bytes, 0)
    }

    pub(super) fn write(file: &File, bytes: &[u8]) -> io::Result<usize> {
        file.seek_write(bytes, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_knows_when_nothing_changed_and_only_then() {
        let folder = tempfile::tempdir().unwrap();
        let changes = Changes::of(folder.path());
        assert_eq!(changes.settled(), None);
        let change = Change::begin(folder.path()).unwrap();
        assert_eq!(changes.settled(), None);
        drop(change);
        let before = changes.settled();
        assert!(before.is_some() && before == changes.settled() && before == Changes::of(folder.path()).settled());
        // One that was killed, and one after it.
        std::mem::forget(Change::begin(folder.path()).unwrap());
        assert_eq!(changes.settled(), None);
        drop(Change::begin(folder.path()).unwrap());
        assert!(changes.settled() > before);
        // What a power loss left of it.
        for left in [&[1, 2, 3][..], &[0xff; 8]] {
            std::fs::write(folder.path().join(NAME), left).unwrap();
            assert_eq!(changes.settled(), None);
            drop(Change::begin(folder.path()).unwrap());
            assert!(changes.settled().is_some());
        }
    }

    #[test]
    fn an_index_whose_folder_is_gone_cannot_be_changed() {
        let folder = tempfile::tempdir().unwrap();
        let error = Change::begin(&folder.path().join("none")).err().unwrap();
        assert_eq!(error.kind(), brain_core::ErrorKind::NotFound);
    }
}
