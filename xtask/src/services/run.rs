//! Where a run keeps its things, and which run a command is about.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::description::Description;

/// Names the description of the run that a command, or a test, is about.
pub(crate) const VARIABLE: &str = "BRAIN_SERVICES";

const FILE: &str = "services.json";

/// A run: servers that come up and go down together.
pub(crate) struct Run {
    folder: PathBuf,
}

impl Run {
    /// The run of this name under a target folder: each checkout has its own, and each name there.
    pub(crate) fn named(target: &Path, name: &str) -> Self {
        Self { folder: target.join("services").join(name) }
    }

    /// The run that [`VARIABLE`] names, if it does.
    pub(crate) fn from_environment() -> Option<Self> {
        let file = PathBuf::from(std::env::var_os(VARIABLE)?);
        Some(Self { folder: file.parent()?.to_owned() })
    }

    /// Every run under a target folder.
    pub(crate) fn all(target: &Path) -> Vec<Self> {
        let entries = fs::read_dir(target.join("services")).into_iter().flatten();
        entries.filter_map(|entry| Some(Self { folder: entry.ok()?.path() })).filter(|run| run.file().exists()).collect()
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The description's file.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    pub(crate) fn description(&self) -> Result<Option<Description>> {
        Description::load(&self.file())
    }

    /// Keeps other commands off all runs of this target folder until the lock is dropped.
    pub(crate) fn lock(&self) -> Result<File> {
        let folder = self.folder.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let lock = File::create(folder.join("lock")).context("the runs cannot be locked")?;
        lock.lock().context("the runs cannot be locked")?;
        Ok(lock)
    }
}
