//! Every change that is made to an index's files.
//!
//! What is written to a file is durable when the file was synced, and a file that was made or removed is so when its folder was. All of it goes through
//! here, so that the tests can know at every instant what a power loss would leave, and open exactly that.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread::{Builder, JoinHandle};

use brain_core::{Error, Result};

#[cfg(test)]
use crate::power_loss_tests::{Event, tell};
use crate::segment::REMEDY;

/// A file that is written at its published end.
pub(crate) struct AppendFile {
    path: PathBuf,
    file: File,
    /// Bytes that nobody has asked the medium to take yet.
    waiting: usize,
    /// Take the bytes before those to the medium, while more are appended.
    syncing: VecDeque<JoinHandle<io::Result<()>>>,
}

/// So many bytes are worth a thread that takes them to the medium while more are appended.
const AHEAD: usize = 8 << 20;

/// So many threads do so for one file: while one hears from the medium that all is there, it has the next one's bytes to write.
const AHEAD_AT_ONCE: usize = 2;

impl AppendFile {
    /// Opens the file at `path`, of which `published` bytes count; what a killed writer left behind them is cut off.
    ///
    /// # Errors
    /// [`Corrupt`](brain_core::ErrorKind::Corrupt) when it is shorter; those of the file system.
    pub(crate) fn open(path: PathBuf, published: u64) -> Result<Self> {
        #[cfg(test)]
        if published == 0 {
            tell(Event::Make(&path));
        }
        let opened = OpenOptions::new().write(true).create(published == 0).truncate(false).open(&path).and_then(|mut file| {
            let length = file.metadata()?.len();
            if length > published {
                #[cfg(test)]
                tell(Event::Cut(&path, published));
                file.set_len(published)?;
            }
            file.seek(SeekFrom::Start(published))?;
            Ok((file, length))
        });
        match opened {
            Ok((_, length)) if length < published => {
                let message = format!("{} is cut short: {length} bytes where {published} were published", path.display());
                Err(Error::corrupt(message).with_hint(REMEDY))
            }
            Ok((file, _)) => Ok(Self { path, file, waiting: 0, syncing: VecDeque::new() }),
            Err(source) => Err(Error::io("append to", &path, source)),
        }
    }

    /// Appends bytes, which are durable after [`sync`](Self::sync).
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        #[cfg(test)]
        tell(Event::Append(&self.path, bytes));
        self.file.write_all(bytes).map_err(|source| Error::io("append to", &self.path, source))?;
        self.waiting += bytes.len();
        if self.waiting >= AHEAD {
            self.join(JoinHandle::is_finished)?;
            if self.syncing.len() < AHEAD_AT_ONCE {
                let file = self.file.try_clone().map_err(|source| Error::io("append to", &self.path, source))?;
                // Without a thread to spare, the sync at the end does it all.
                self.syncing.extend(Builder::new().name("brain-sync".to_owned()).spawn(move || file.sync_data()));
                self.waiting = 0;
            }
        }
        Ok(())
    }

    /// Hears what came of that which was begun ahead, from the first on, as far as `ready` says. The system tells a failure to write once, so it must be heard.
    fn join(&mut self, ready: impl Fn(&JoinHandle<io::Result<()>>) -> bool) -> Result<()> {
        while let Some(syncing) = self.syncing.pop_front_if(|syncing| ready(syncing)) {
            let synced = syncing.join().unwrap_or_else(|_| Err(io::Error::other("the thread that syncs ended early")));
            synced.map_err(|source| Error::io("write", &self.path, source))?;
        }
        Ok(())
    }

    /// Makes what was appended durable.
    pub(crate) fn sync(mut self) -> Result<()> {
        self.join(|_| true)?;
        self.file.sync_data().map_err(|source| Error::io("write", &self.path, source))?;
        #[cfg(test)]
        tell(Event::Sync(&self.path));
        Ok(())
    }
}

/// What is on its way to the medium: files that are complete, each synced by a thread of its own while others are still written, for the medium is waited
/// for and not the processor.
#[derive(Default)]
#[must_use = "nothing of it is durable before it is finished"]
pub(crate) struct Syncing {
    files: Vec<JoinHandle<Result<()>>>,
    folder: Option<PathBuf>,
}

impl Syncing {
    /// Begins to make what was appended to a file durable.
    ///
    /// # Errors
    /// When no thread can be had.
    pub(crate) fn begin(&mut self, file: AppendFile) -> Result<()> {
        let path = file.path.clone();
        let begun = Builder::new().name("brain-sync".to_owned()).spawn(move || file.sync());
        self.files.push(begun.map_err(|source| Error::io("write", &path, source))?);
        Ok(())
    }

    /// Remembers that files were made in a folder, whose entries there are to be durable too.
    pub(crate) fn made_files(&mut self, folder: &Path) {
        self.folder = Some(folder.to_owned());
    }

    /// Waits until everything is durable.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn finish(mut self) -> Result<()> {
        let folder = self.folder.take().map_or(Ok(()), |folder| sync_folder(&folder));
        self.join().and(folder)
    }

    fn join(&mut self) -> Result<()> {
        let ended = |_| Err(Error::unexpected("a thread that syncs files ended early"));
        self.files.drain(..).map(|sync| sync.join().unwrap_or_else(ended)).fold(Ok(()), Result::and)
    }
}

impl Drop for Syncing {
    /// Given up: whoever tidies up now is alone with the files.
    fn drop(&mut self) {
        let _ = self.join();
    }
}

/// Cuts a file to its first `length` bytes.
pub(crate) fn cut(path: &Path, length: u64) -> io::Result<()> {
    #[cfg(test)]
    tell(Event::Cut(path, length));
    OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(length))
}

/// Removes a file.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    #[cfg(test)]
    tell(Event::Remove(path));
    std::fs::remove_file(path)
}

/// Makes an index's folder and the folder of the indexes around it, durably.
pub(crate) fn make_folder(folder: &Path) -> Result<()> {
    #[cfg(test)]
    folder.parent().into_iter().chain([folder]).for_each(|folder| tell(Event::Make(folder)));
    std::fs::create_dir_all(folder).map_err(|source| Error::io("make", folder, source))?;
    folder.ancestors().skip(1).take(2).try_for_each(sync_folder)
}

/// Makes the entries of a folder durable: files that were made in it are still there after a power loss.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    // Only Unix lets a folder be opened and synced; elsewhere the file system sees to it.
    if cfg!(unix) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|source| Error::io("write", folder, source))?;
    }
    #[cfg(test)]
    tell(Event::SyncFolder(folder));
    Ok(())
}
