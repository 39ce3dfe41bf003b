//! What the repository holds: the packages cargo knows and the files git knows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use cargo_metadata::{MetadataCommand, Package};

use crate::process;

/// The repository as the checks see it.
pub(crate) struct Workspace {
    /// The folder of the root manifest.
    pub(crate) root: PathBuf,
    /// Where cargo puts what it builds.
    pub(crate) target: PathBuf,
    /// The members, with their declared dependencies of every kind and feature.
    pub(crate) packages: Vec<Package>,
}

impl Workspace {
    /// Asks cargo, without a network and without resolving dependencies: some 30 ms.
    pub(crate) fn load() -> Result<Self> {
        let metadata = MetadataCommand::new().no_deps().exec().context("cargo could not read the workspace")?;
        Ok(Self {
            root: metadata.workspace_root.into_std_path_buf(),
            target: metadata.target_directory.into_std_path_buf(),
            packages: metadata.packages,
        })
    }

    /// The member of that name.
    pub(crate) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    /// A path as the findings show it: relative to the root, with forward slashes.
    pub(crate) fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().replace('\\', "/")
    }

    /// Every file of the tree, relative to the root and sorted: what git tracks, and what is new and not ignored.
    ///
    /// In a source archive there is no git; then it is every file that is not in a hidden folder or the target folder.
    pub(crate) fn files(&self) -> Result<Vec<String>> {
        let mut git = Command::new("git");
        git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(&self.root);
        let mut files: Vec<String> = match process::stdout(&mut git) {
            Ok(listing) => listing.split_terminator('\0').map(str::to_owned).filter(|file| self.root.join(file).is_file()).collect(),
            Err(_) => self.walk(&self.root)?,
        };
        files.sort();
        files.dedup();
        Ok(files)
    }

    fn walk(&self, folder: &Path) -> Result<Vec<String>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be listed", folder.display()))? {
            let path = entry?.path();
            if path.is_file() {
                files.push(self.relative(&path));
            } else if path != self.target && !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
                files.extend(self.walk(&path)?);
            }
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_listings_find_this_file_and_nothing_built() {
        let workspace = Workspace::load().unwrap();
        for files in [workspace.files().unwrap(), workspace.walk(&workspace.root).unwrap()] {
            assert!(files.iter().any(|file| file == "xtask/src/workspace.rs"));
            assert!(!files.iter().any(|file| file.starts_with("target/")));
        }
    }
}
