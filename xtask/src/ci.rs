//! `ci`: everything a change has to pass, in one run that shows all there is to mend.

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::{env, fs};

use anyhow::{Context, Result};

use crate::readme;
use crate::workspace::Workspace;
use crate::{process, services, test};

/// Runs every step, even after one failed; the closing lines say which did, and sum up the tests.
pub(crate) fn run(workspace: &Workspace) -> Result<ExitCode> {
    let mut failed = Vec::new();
    let mut step = |name: &str, command: &mut Command| -> Result<()> {
        println!("\n== {name}: {}", process::shown(command));
        if !process::status(command)?.success() {
            failed.push(name.to_owned());
        }
        Ok(())
    };
    let cargo = |arguments: &[&str]| process::cargo(&workspace.root, arguments);

    step("format", &mut cargo(&["fmt", "--all", "--check"]))?;
    step("clippy", &mut cargo(&["clippy", "--locked", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    step("docs", cargo(&["doc", "--locked", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "--deny warnings"))?;
    for (package, feature) in features_alone(workspace) {
        let arguments = ["check", "--locked", "--package", &package, "--no-default-features", "--features", &feature];
        step(&format!("{package} with `{feature}` alone"), &mut cargo(&arguments))?;
    }
    // What only this feature has; the workspace's tests are built without it, for it takes a C++ compiler.
    let graphs = ["test", "--locked", "--package", "brain-local", "--features", "hnsw", "--lib", "--test", "conformance"];
    step("graph search", &mut cargo(&graphs))?;
    if process::stdout(&mut cargo(&["deny", "--version"])).is_ok() {
        step("licences, advisories, sources", &mut cargo(&["deny", "--locked", "check"]))?;
    } else {
        println!("\n== licences, advisories, sources: not run, cargo-deny is not installed");
    }

    println!("\n== tidy and tests");
    let tests = test::outcome(workspace, &[])?;
    println!("\n== README commands");
    if !readme_commands(workspace)? {
        failed.push("README commands".to_owned());
    }

    println!();
    for name in &failed {
        println!("failed: {name}");
    }
    tests.close();
    Ok(if failed.is_empty() && tests.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Each feature of the facade by itself, and the command line at its smallest.
fn features_alone(workspace: &Workspace) -> Vec<(String, String)> {
    let facade = workspace.package("brain").into_iter().flat_map(|package| package.features.keys());
    let facade = facade.filter(|feature| *feature != "default").map(|feature| ("brain".to_owned(), feature.clone()));
    facade.chain([("brain-cli".to_owned(), "local".to_owned())]).collect()
}

/// Runs the README's commands in order, as a user with an empty home would; false where one fails.
fn readme_commands(workspace: &Workspace) -> Result<bool> {
    let Ok(markdown) = fs::read_to_string(workspace.root.join("README.md")) else {
        println!("there is no README.md");
        return Ok(false);
    };
    let home = tempfile::tempdir().context("no temporary folder could be made")?;
    let installed = home.path().join("installed");
    let mut path = vec![installed.join("bin"), workspace.target.join("debug")];
    path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));

    let mut bash = Command::new("bash");
    bash.args(["-c", &script(&readme::commands(&markdown))]).current_dir(&workspace.root);
    // A developer's own settings would make the README true on one machine only.
    for (variable, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("FIFTYONE_BRAIN_")) {
        bash.env_remove(variable);
    }
    // The toolchain and the crates it has downloaded stay where they are; only the user's own data begins empty.
    for (variable, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        if let (None, Some(folder)) = (env::var_os(variable), in_users_home(folder)) {
            bash.env(variable, folder);
        }
    }
    // So do the packages that pip has fetched: models come out of some.
    if let (None, Some(folder)) = (env::var_os("PIP_CACHE_DIR"), in_users_home(".cache/pip")) {
        bash.env("PIP_CACHE_DIR", folder);
    }
    bash.env("HOME", home.path()).env("FIFTYONE_BRAIN_HOME", home.path().join("brain"));
    services::keep_cache(&mut bash)?;
    bash.env("CARGO_INSTALL_ROOT", &installed).env("CARGO_TARGET_DIR", &workspace.target);
    bash.env("PATH", env::join_paths(path).context("PATH holds a folder that cannot be put there")?);
    Ok(process::status(&mut bash)?.success())
}

fn in_users_home(folder: &str) -> Option<PathBuf> {
    env::home_dir().map(|home| home.join(folder)).filter(|path| path.exists())
}

/// One bash script of the commands that run, each shown before it starts; the one that fails is named with its line.
fn script(commands: &[readme::Command]) -> String {
    let mut script = "\
set -euo pipefail
at=
trap 'status=$?; [ $status = 0 ] || echo \"README.md:$at: this command failed with status $status\" >&2' EXIT
"
    .to_owned();
    for readme::Command { line, text, .. } in commands.iter().filter(|command| command.runs) {
        let quoted = text.replace('\'', r"'\''");
        script.push_str(&format!("at={line}\nprintf '\\n$ %s\\n' '{quoted}'\n{text}\n"));
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bash(readme: &str) -> std::process::Output {
        Command::new("bash").args(["-c", &script(&readme::commands(readme))]).output().unwrap()
    }

    #[test]
    fn commands_run_in_one_shell_and_are_shown() {
        let output = bash("```console\n$ name='a b'\n$ echo \"<$name>\"\n```\n```console,norun\n$ exit 1\n```\n");
        assert!(output.status.success());
        assert_eq!(String::from_utf8_lossy(&output.stdout), "\n$ name='a b'\n\n$ echo \"<$name>\"\n<a b>\n");
    }

    #[test]
    fn the_first_failure_ends_it_and_is_named() {
        let output = bash("text\n```console\n$ false | true\n$ echo not reached\n```\n");
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("README.md:3: this command failed with status 1"));
        assert!(!String::from_utf8_lossy(&output.stdout).contains("\nnot reached"));
    }
}
