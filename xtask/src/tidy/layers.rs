//! Which crate may see which: kernels → core → store → (dataset, runs, local, …) → brain → (app, cli).
//!
//! A crate sees the layers before its own, never its siblings. Three packages stand beside the layers: the testkit sees
//! the vocabulary and is seen by tests only, the whole-product tests see what a user sees (and
//! the kernels, to read what they read), and xtask sees nothing.

use cargo_metadata::DependencyKind;

use crate::workspace::Workspace;

/// The layers, lowest first. A new crate is placed here before it is used.
const LAYERS: [&[&str]; 6] = [
    &["brain-kernels"],
    &["brain-core"],
    &["brain-store"],
    &["brain-dataset", "brain-runs", "brain-local", "brain-pgvector", "brain-redis", "brain-models"],
    &["brain"],
    &["brain-app", "brain-cli"],
];

const TESTKIT: &str = "brain-testkit";

/// What the packages beside the layers see, for any kind of dependency.
const BESIDE: [(&str, &[&str]); 3] =
    [(TESTKIT, &["brain-core", "brain-kernels"]), ("brain-tests", &["brain", "brain-kernels", TESTKIT]), ("xtask", &[])];

/// What any crate may use in its tests, beyond what it sees anyway.
const IN_TESTS: [&str; 2] = [TESTKIT, "brain-store"];

/// Checks the declared dependencies of every member, optional ones included, whatever features are on.
pub(crate) fn check(workspace: &Workspace) -> Vec<String> {
    let members: Vec<&str> = workspace.packages.iter().map(|package| package.name.as_str()).collect();
    let mut findings = Vec::new();
    for package in &workspace.packages {
        if !is_placed(&package.name) {
            findings.push(format!("{}: no layer has this crate; give it its place in xtask/src/tidy/layers.rs", package.name));
            continue;
        }
        for dependency in package.dependencies.iter().filter(|dependency| members.contains(&dependency.name.as_str())) {
            findings.extend(arrow(&package.name, &dependency.name, dependency.kind == DependencyKind::Development));
        }
    }
    findings
}

fn is_placed(name: &str) -> bool {
    layer(name).is_some() || beside(name).is_some()
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|crates| crates.contains(&name))
}

fn beside(name: &str) -> Option<&'static [&'static str]> {
    BESIDE.iter().find(|(package, _)| *package == name).map(|(_, sees)| *sees)
}

/// What is wrong with `from` depending on `to`, if anything.
fn arrow(from: &str, to: &str, in_tests: bool) -> Option<String> {
    if let Some(sees) = beside(from) {
        let list = if sees.is_empty() { "no crate of the product".to_owned() } else { sees.join(" and ") };
        return (!sees.contains(&to)).then(|| format!("{from} → {to}: {from} sees {list} only; remove the dependency"));
    }
    if in_tests && IN_TESTS.contains(&to) {
        return None;
    }
    if to == TESTKIT {
        return Some(format!("{from} → {to}: the testkit is for tests; move the line to [dev-dependencies]"));
    }
    match (layer(from)?, layer(to)) {
        (from_layer, Some(to_layer)) if to_layer < from_layer => None,
        (from_layer, Some(to_layer)) if to_layer == from_layer => {
            Some(format!("{from} → {to}: siblings never see each other; move what both need to brain-core or brain-store"))
        }
        (_, Some(_)) => Some(format!("{from} → {to}: the arrow points up; {to} may see {from}, not the other way round")),
        (_, None) => Some(format!("{from} → {to}: no crate of the product sees {to}; remove the dependency")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_of_the_design_are_right() {
        for (from, to) in [
            ("brain-core", "brain-kernels"),
            ("brain-store", "brain-core"),
            ("brain-local", "brain-kernels"),
            ("brain-dataset", "brain-store"),
            ("brain", "brain-models"),
            ("brain-cli", "brain"),
            ("brain-testkit", "brain-core"),
            ("brain-tests", "brain"),
        ] {
            assert_eq!(arrow(from, to, false), None, "{from} → {to}");
        }
    }

    #[test]
    fn wrong_arrows_say_why() {
        for (from, to, why) in [
            ("brain-core", "brain-store", "points up"),
            ("brain-kernels", "brain-core", "points up"),
            ("brain-models", "brain-cli", "points up"),
            ("brain-runs", "brain-dataset", "siblings"),
            ("brain-cli", "brain-app", "siblings"),
            ("brain-local", "brain-testkit", "[dev-dependencies]"),
            ("brain-testkit", "brain-local", "brain-core and brain-kernels only"),
            ("brain-tests", "brain-core", "brain and brain-kernels and brain-testkit only"),
            ("xtask", "brain-core", "no crate of the product"),
            ("brain-cli", "xtask", "no crate of the product sees xtask"),
        ] {
            let finding = arrow(from, to, false).unwrap_or_default();
            assert!(finding.starts_with(&format!("{from} → {to}")) && finding.contains(why), "{from} → {to}: {finding:?}");
        }
    }

    #[test]
    fn tests_may_use_the_testkit_and_the_store_but_keep_the_layers() {
        assert_eq!(arrow("brain-local", "brain-testkit", true), None);
        assert_eq!(arrow("brain-core", "brain-testkit", true), None);
        assert_eq!(arrow("brain-core", "brain-store", true), None);
        assert!(arrow("brain-local", "brain-dataset", true).is_some());
        assert!(arrow("xtask", "brain-testkit", true).is_some());
    }

    #[test]
    fn a_crate_nobody_placed_is_unknown() {
        assert!(is_placed("brain-redis") && is_placed("xtask"));
        assert!(!is_placed("brain-milvus"));
    }
}
