//! How a crate's root file begins: with the crate's story, an example, and its stand on `unsafe`.

use std::fs;

use anyhow::{Context, Result};
use cargo_metadata::{Package, Target};

use crate::workspace::Workspace;

/// The one crate that holds unsafe code; its modules opt in one by one.
const UNSAFE_HOME: &str = "brain-kernels";

/// A story is more than a headline.
const STORY_LINES: usize = 5;

/// Checks the root of every library and program; of the whole-product tests, every test and benchmark.
pub(crate) fn check(workspace: &Workspace) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for package in &workspace.packages {
        for target in roots(package) {
            let file = workspace.relative(target.src_path.as_std_path());
            let root = fs::read_to_string(&target.src_path).with_context(|| format!("{file} cannot be read"))?;
            findings.extend(unsafe_stand(&file, &root, package.name == UNSAFE_HOME));
            if target.is_lib() {
                findings.extend(story(&file, &root));
            }
        }
    }
    Ok(findings)
}

fn roots(package: &Package) -> Vec<&Target> {
    let products: Vec<&Target> = package.targets.iter().filter(|target| target.is_lib() || target.is_bin()).collect();
    if products.is_empty() { package.targets.iter().collect() } else { products }
}

fn unsafe_stand(file: &str, root: &str, unsafe_home: bool) -> Option<String> {
    let attribute = if unsafe_home { "#![deny(unsafe_code)]" } else { "#![forbid(unsafe_code)]" };
    let absent = !root.lines().any(|line| line.trim() == attribute);
    absent.then(|| format!("{file}: the crate's root does not say `{attribute}`; add it below the crate's docs"))
}

fn story(file: &str, root: &str) -> Vec<String> {
    let docs: Vec<&str> = root.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim).collect();
    let mut findings = Vec::new();
    if docs.iter().filter(|line| !line.is_empty()).count() < STORY_LINES {
        findings.push(format!("{file}: the crate's docs tell no story; say what it is for, its main types and how they meet"));
    }
    // Fences come in pairs; only those that open a block say what is in it.
    let mut openings = docs.iter().filter_map(|line| line.strip_prefix("```")).step_by(2);
    if !openings.any(|language| matches!(language, "" | "rust" | "no_run" | "rust,no_run")) {
        findings.push(format!("{file}: the crate's docs have no example; add one that compiles as a doc test"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORY: &str = "//! One.\n//!\n//! Two.\n//! Three.\n//! ```\n//! let four = 4;\n//! ```\n#![forbid(unsafe_code)]\n";

    #[test]
    fn a_root_with_a_story_and_an_example_is_right() {
        assert_eq!(story("lib.rs", STORY), Vec::<String>::new());
        assert_eq!(unsafe_stand("lib.rs", STORY, false), None);
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(story("lib.rs", "//! .\n")[0].contains("tell no story"));
        let without_example = STORY.replacen("```", "```text", 1);
        assert!(story("lib.rs", &without_example)[0].contains("no example"), "the closing fence opens nothing");
        assert!(unsafe_stand("lib.rs", "", false).is_some_and(|finding| finding.contains("forbid(unsafe_code)")));
        assert!(unsafe_stand("lib.rs", STORY, true).is_some_and(|finding| finding.contains("deny(unsafe_code)")));
    }
}
