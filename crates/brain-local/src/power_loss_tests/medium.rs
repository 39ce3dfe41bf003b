//! What lies on the medium, and what of it is only in memory yet.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use brain_testkit::random::Random;

/// A change to a file or folder, which is about to be made; a sync, which was made.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event<'a> {
    /// A file or a folder is made, unless it is there.
    Make(&'a Path),
    Append(&'a Path, &'a [u8]),
    Cut(&'a Path, u64),
    Remove(&'a Path),
    Sync(&'a Path),
    SyncFolder(&'a Path),
}

impl<'a> Event<'a> {
    pub(super) fn path(self) -> &'a Path {
        match self {
            Self::Make(path) | Self::Append(path, _) | Self::Cut(path, _) | Self::Remove(path) | Self::Sync(path) | Self::SyncFolder(path) => path,
        }
    }
}

/// Files and folders, as programs see them and as they are durable. Both maps lead to numbers of [`Contents`].
#[derive(Clone, Debug, Default)]
pub(super) struct Medium {
    seen: BTreeMap<PathBuf, usize>,
    durable: BTreeMap<PathBuf, usize>,
    contents: Vec<Contents>,
}

/// The bytes of a file; a folder has none.
#[derive(Clone, Debug, Default)]
struct Contents {
    durable: Vec<u8>,
    /// What was done to it since, in order.
    unsynced: Vec<Unsynced>,
    length: usize,
}

#[derive(Clone, Debug)]
enum Unsynced {
    Write(usize, Vec<u8>),
    Cut(usize),
}

/// How a power loss treats what is not durable.
pub(super) enum Fate<'a> {
    /// All of it is lost.
    Lost,
    /// Any part of it is kept, writes out of their order and torn.
    Any(&'a mut Random),
}

impl Medium {
    pub(super) fn apply(&mut self, event: Event<'_>) {
        match event {
            Event::Make(path) => {
                if !self.seen.contains_key(path) {
                    self.seen.insert(path.to_owned(), self.contents.len());
                    self.contents.push(Contents::default());
                }
            }
            Event::Append(path, bytes) => {
                let contents = self.contents(path);
                contents.unsynced.push(Unsynced::Write(contents.length, bytes.to_vec()));
                contents.length += bytes.len();
            }
            Event::Cut(path, length) => {
                let contents = self.contents(path);
                contents.length = length as usize;
                contents.unsynced.push(Unsynced::Cut(contents.length));
            }
            Event::Remove(path) => drop(self.seen.remove(path)),
            Event::Sync(path) => {
                let contents = self.contents(path);
                for change in std::mem::take(&mut contents.unsynced) {
                    change.apply(&mut contents.durable, usize::MAX);
                }
            }
            Event::SyncFolder(folder) => {
                self.durable.retain(|path, _| path.parent() != Some(folder));
                let inside = self.seen.iter().filter(|(path, _)| path.parent() == Some(folder));
                self.durable.extend(inside.map(|(path, number)| (path.clone(), *number)));
            }
        }
    }

    #[track_caller]
    fn contents(&mut self, path: &Path) -> &mut Contents {
        let number = self.seen.get(path).unwrap_or_else(|| panic!("{} was never made", path.display()));
        &mut self.contents[*number]
    }

    /// What is there after a power loss: paths and bytes, a folder before what is in it.
    pub(super) fn after_power_loss(&self, mut fate: Fate<'_>) -> Vec<(PathBuf, Vec<u8>)> {
        let mut there: Vec<(PathBuf, Vec<u8>)> = Vec::new();
        for path in self.seen.keys().chain(self.durable.keys()).collect::<BTreeSet<_>>() {
            let (seen, durable) = (self.seen.get(path), self.durable.get(path));
            let entry_is_kept = match &mut fate {
                Fate::Any(random) => random.below(2) == 0,
                Fate::Lost => false,
            };
            let number = if entry_is_kept { seen } else { durable };
            // A file in a folder that is not there is not there; what is around the home is.
            let tracked = |parent: &Path| self.seen.contains_key(parent) || self.durable.contains_key(parent);
            let has_folder = path.parent().is_none_or(|parent| !tracked(parent) || there.iter().any(|(path, _)| path == parent));
            if let Some(number) = number.filter(|_| has_folder) {
                there.push((path.clone(), self.contents[*number].after_power_loss(&mut fate)));
            }
        }
        there
    }
}

impl Contents {
    fn after_power_loss(&self, fate: &mut Fate<'_>) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        if let Fate::Any(random) = fate {
            for change in &self.unsynced {
                match random.below(3) {
                    0 => {}
                    1 => change.apply(&mut bytes, usize::MAX),
                    _ => change.apply(&mut bytes, random.below(200)),
                }
            }
        }
        bytes
    }
}

impl Unsynced {
    /// Applies the change, of a write at most its first bytes; the rest of it is zeros, as of a file whose length was kept and whose bytes were not.
    fn apply(&self, bytes: &mut Vec<u8>, most: usize) {
        match self {
            Self::Write(at, written) => {
                bytes.resize(bytes.len().max(at + written.len()), 0);
                let kept = written.len().min(most);
                bytes[*at..at + kept].copy_from_slice(&written[..kept]);
            }
            Self::Cut(length) => bytes.resize(*length, 0),
        }
    }
}
