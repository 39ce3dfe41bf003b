//! The shape of the tree: what stands at the top, how folders and modules are named, how long a file is.

use std::fs;

use anyhow::Result;

use crate::workspace::Workspace;

const TOP_LEVEL: [&str; 11] =
    ["Cargo.toml", "Cargo.lock", "LICENSE", "README.md", "clippy.toml", "crates", "deny.toml", "deploy", "rustfmt.toml", "tests", "xtask"];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 6] = ["util", "utils", "common", "helper", "helpers", "misc"];

const LINES: usize = 400;

/// Files that may be longer than [`LINES`]: path, limit, and why. An entry that is no longer needed is a finding.
const LONGER: [(&str, usize, &str); 0] = [];

/// Checks the names of all files and the lengths of those in Rust.
pub(crate) fn check(workspace: &Workspace, files: &[String]) -> Result<Vec<String>> {
    let mut findings = top_level(files);
    for package in &workspace.packages {
        let folder = package.manifest_path.parent().map(|folder| workspace.relative(folder.as_std_path())).unwrap_or_default();
        findings.extend(folder_name(&folder, &package.name));
    }
    for file in files.iter().filter(|file| file.ends_with(".rs")) {
        findings.extend(empty_name(file));
        findings.extend(length(file, fs::read_to_string(workspace.root.join(file))?.lines().count()));
    }
    let gone = LONGER.iter().filter(|(path, ..)| !files.iter().any(|file| file == path));
    findings.extend(gone.map(|(path, ..)| format!("{path}: it is gone; remove its entry from LONGER in xtask/src/tidy/tree.rs")));
    Ok(findings)
}

fn top_level(files: &[String]) -> Vec<String> {
    let mut names: Vec<&str> = files.iter().map(|file| file.split('/').next().unwrap_or(file)).collect();
    names.dedup();
    let stray = names.into_iter().filter(|name| !name.starts_with('.') && !TOP_LEVEL.contains(name));
    stray.map(|name| format!("{name}: it does not belong at the top level; put it into the crate or folder it is for")).collect()
}

fn folder_name(folder: &str, package: &str) -> Option<String> {
    let name = folder.strip_prefix("crates/")?;
    (name != package).then(|| format!("{folder}: the crate inside is called {package}; give folder and crate one name"))
}

fn empty_name(file: &str) -> Option<String> {
    let name = file.trim_end_matches(".rs").split('/').find(|part| EMPTY_NAMES.contains(part))?;
    Some(format!("{file}: `{name}` says nothing; name the module for its idea"))
}

fn length(file: &str, lines: usize) -> Option<String> {
    match LONGER.iter().find(|(path, ..)| *path == file) {
        Some((_, limit, _)) if lines > *limit => Some(format!("{file}: {lines} lines, and even its exception ends at {limit}; split it by idea")),
        Some(_) if lines <= LINES => Some(format!("{file}: {lines} lines need no exception; remove its entry from LONGER in xtask/src/tidy/tree.rs")),
        None if lines > LINES => Some(format!("{file}: {lines} lines, the limit is {LINES}; split it by idea")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_level_is_closed_but_for_dotfiles() {
        let files = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert!(top_level(&files(&[".ci/run", ".gitignore", "Cargo.toml", "crates/brain/src/lib.rs"])).is_empty());
        assert_eq!(top_level(&files(&["docs/a.md", "docs/b.md", "notes.txt"])).len(), 2);
    }

    #[test]
    fn folders_are_named_like_their_crates() {
        assert_eq!(folder_name("crates/brain-core", "brain-core"), None);
        assert_eq!(folder_name("tests", "brain-tests"), None, "only crates/ has the rule");
        assert!(folder_name("crates/core", "brain-core").is_some());
    }

    #[test]
    fn empty_names_are_found_as_file_and_as_folder() {
        assert!(empty_name("crates/x/src/utils.rs").is_some());
        assert!(empty_name("tests/common/mod.rs").is_some());
        assert_eq!(empty_name("crates/x/src/commonality.rs"), None);
    }

    #[test]
    fn a_file_ends_at_its_limit() {
        assert_eq!(length("crates/x/src/lib.rs", LINES), None);
        assert!(length("crates/x/src/lib.rs", LINES + 1).is_some_and(|finding| finding.contains("401 lines")));
    }
}
