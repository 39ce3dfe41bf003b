//! What must not be depended on: by one crate, by any but a few, or by the whole product.

use std::fs;

use anyhow::{Context, Result};

use crate::process;
use crate::workspace::Workspace;

/// Packages that occur nowhere, on no platform and with no feature.
const NOWHERE: [&str; 3] = ["native-tls", "openssl", "openssl-sys"];

/// A build of one crate, and what must not be in it however deep.
struct Build {
    name: &'static str,
    /// The arguments of `cargo tree` that choose the build.
    selection: &'static [&'static str],
    without: &'static [&'static str],
    reason: &'static str,
}

const BUILDS: [Build; 2] = [
    Build {
        name: "brain-core",
        selection: &["--package", "brain-core"],
        without: &["rusqlite", "tokio", "rustls", "openssl", "clap", "image", "rten"],
        reason: "the contracts know no driver, no TLS, no picture format and no command line",
    },
    Build {
        name: "brain with `local` alone",
        selection: &["--package", "brain", "--no-default-features", "--features", "local"],
        without: &["ort", "rten", "rten-tensor", "image", "tokio-postgres", "fred", "rustls"],
        reason: "the small build carries no model runtime and talks to no server",
    },
];

/// The only direct dependencies of a crate, in any kind of build but tests.
const ONLY: [(&str, &[&str]); 1] = [("brain-kernels", &["memmap2", "libc", "serde", "half"])];

/// Dependencies that only these crates declare.
const ONLY_IN: [(&str, &[&str]); 1] = [("anyhow", &["brain-cli", "xtask"])];

/// Checks the lock file, the resolved builds and the declared dependencies.
///
/// Cargo wants a network only for crates it has not downloaded yet, as on the first run in a fresh clone.
pub(crate) fn check(workspace: &Workspace) -> Result<Vec<String>> {
    let lock = fs::read_to_string(workspace.root.join("Cargo.lock")).context("Cargo.lock cannot be read; `cargo check` writes it")?;
    let mut findings = nowhere(&lock);
    for build in &BUILDS {
        let arguments = [&["tree", "--edges", "normal", "--prefix", "none"], build.selection].concat();
        let tree = process::stdout(&mut process::cargo(&workspace.root, &arguments))?;
        findings.extend(inside(build, &tree));
    }
    for package in &workspace.packages {
        for dependency in &package.dependencies {
            let in_tests = dependency.kind == cargo_metadata::DependencyKind::Development;
            findings.extend(declared(&package.name, &dependency.name, in_tests));
        }
    }
    Ok(findings)
}

fn nowhere(lock: &str) -> Vec<String> {
    let locked = |name: &&&str| lock.lines().any(|line| line == format!("name = \"{name}\""));
    let finding =
        |name: &&str| format!("Cargo.lock: {name} is in the tree; choose rustls features (`cargo tree --invert {name}` says who asks for it)");
    NOWHERE.iter().filter(locked).map(finding).collect()
}

fn inside(build: &Build, tree: &str) -> Vec<String> {
    let packages: Vec<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let present = build.without.iter().filter(|name| packages.contains(name));
    present.map(|name| format!("{}: {name} is in its tree, but {}; remove what brings it in", build.name, build.reason)).collect()
}

fn declared(package: &str, dependency: &str, in_tests: bool) -> Vec<String> {
    let mut findings = Vec::new();
    if let Some((_, only)) = ONLY.iter().find(|(name, _)| *name == package)
        && !in_tests
        && !only.contains(&dependency)
    {
        findings.push(format!("{package}: it depends on {dependency}; it may depend on nothing but {}", only.join(", ")));
    }
    if let Some((_, homes)) = ONLY_IN.iter().find(|(name, _)| *name == dependency)
        && !homes.contains(&package)
    {
        findings.push(format!("{package}: {dependency} belongs to {} only; use the library's own error", homes.join(" and ")));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_banned_package_is_found_in_the_lock_file_by_its_whole_name() {
        assert_eq!(nowhere("[[package]]\nname = \"openssl-probe\"\n"), Vec::<String>::new());
        assert!(nowhere("[[package]]\nname = \"openssl\"\nversion = \"0.10.0\"\n")[0].contains("openssl is in the tree"));
    }

    #[test]
    fn a_tree_is_searched_by_package_name() {
        let tree = "brain-core v0.1.0 (/somewhere/image)\nserde v1.0.0\nimage-webp v0.2.0\n";
        assert!(inside(&BUILDS[0], tree).is_empty());
        let findings = inside(&BUILDS[0], &format!("{tree}image v0.25.0 (*)\n"));
        assert!(findings.len() == 1 && findings[0].contains("image is in its tree"), "{findings:?}");
    }

    #[test]
    fn declared_dependencies_keep_to_their_crates() {
        assert!(declared("brain-kernels", "memmap2", false).is_empty());
        assert!(declared("brain-kernels", "proptest", true).is_empty());
        assert!(declared("brain-kernels", "rayon", false)[0].contains("nothing but memmap2"));
        assert!(declared("brain-cli", "anyhow", false).is_empty());
        assert!(declared("brain-runs", "anyhow", true)[0].contains("brain-cli and xtask only"));
    }
}
