//! The members' manifests: they name no version, and they take the workspace's lints.

/// Checks one member's `Cargo.toml`.
pub(crate) fn check(path: &str, manifest: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let mut lints = false;
    let mut section = "";
    // The open `[dependencies.name]` table, with its line, until a line of it refers to the workspace.
    let mut open_table: Option<(usize, &str)> = None;
    for (number, line) in numbered(manifest) {
        if let Some(header) = line.strip_prefix('[') {
            findings.extend(open_table.take().map(|(number, name)| own_version(path, number, name)));
            section = header.trim_end_matches(']');
            open_table = section.rsplit_once('.').filter(|(kind, _)| holds_dependencies(kind)).map(|(_, name)| (number, name));
        } else if section == "lints" {
            lints |= line == "workspace = true";
        } else if open_table.is_some() {
            open_table = open_table.filter(|_| line != "workspace = true");
        } else if holds_dependencies(section)
            && let Some((name, value)) = line.split_once('=')
            && !refers_to_workspace(name.trim(), value)
        {
            findings.push(own_version(path, number, name.trim()));
        }
    }
    findings.extend(open_table.map(|(number, name)| own_version(path, number, name)));
    if !lints {
        findings.push(format!("{path}: it does not take the workspace's lints; add `[lints]` with `workspace = true`"));
    }
    findings
}

fn numbered(manifest: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(manifest.lines().map(str::trim)).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// Whether a table's name is one of `dependencies`, `dev-dependencies`, `build-dependencies`, or one of these for a target.
fn holds_dependencies(section: &str) -> bool {
    section.rsplit('.').next().is_some_and(|last| matches!(last, "dependencies" | "dev-dependencies" | "build-dependencies"))
}

fn refers_to_workspace(name: &str, value: &str) -> bool {
    // A line inside a feature list that spans several lines has no `=` of its own and never comes here.
    name.ends_with(".workspace") || value.replace(' ', "").contains("workspace=true")
}

fn own_version(path: &str, number: usize, name: &str) -> String {
    format!("{path}:{number}: {name} has its own version or path; put that into the root's [workspace.dependencies] and write `workspace = true`")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINTS: &str = "[lints]\nworkspace = true\n";

    #[test]
    fn every_way_to_refer_to_the_workspace_is_right() {
        let manifest = format!(
            "{LINTS}[dependencies]\nserde.workspace = true\nhalf = {{ workspace = true, optional = true }}\n\n[dependencies.rayon]\nworkspace = true\n\
             [target.'cfg(unix)'.dependencies]\n# why\nrustix.workspace = true\n[features]\ndefault = [\"local\"]\n"
        );
        assert_eq!(check("crates/x/Cargo.toml", &manifest), Vec::<String>::new());
    }

    #[test]
    fn a_version_of_its_own_is_found_in_every_kind_of_table() {
        for table in [
            "[dependencies]\nserde = \"1\"\n",
            "[dev-dependencies]\nserde = { version = \"1\", features = [\"derive\"] }\n",
            "[build-dependencies]\nserde = { path = \"../serde\" }\n",
            "[target.'cfg(unix)'.dependencies]\nserde = \"1\"\n",
            "[dependencies.serde]\nversion = \"1\"\n[features]\n",
            "[dependencies.serde]\nversion = \"1\"\n",
        ] {
            let findings = check("crates/x/Cargo.toml", &format!("{LINTS}{table}"));
            assert!(findings.len() == 1 && findings[0].contains("serde has its own version"), "{table}: {findings:?}");
        }
    }

    #[test]
    fn missing_lints_are_found() {
        assert!(check("crates/x/Cargo.toml", "[package]\nname = \"x\"\n")[0].contains("[lints]"));
        assert!(check("crates/x/Cargo.toml", "[lints]\n[dependencies.rayon]\nworkspace = true\n")[0].contains("[lints]"));
    }
}
