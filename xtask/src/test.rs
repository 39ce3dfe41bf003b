//! `test`: the house rules, then every test of the workspace against real servers, closed by one line that sums them up.

use std::io::{BufRead, BufReader};
use std::process::{ExitCode, ExitStatus, Stdio};

use anyhow::{Context, Result};

use crate::services::{self, ForTests};
use crate::tally::Tally;
use crate::workspace::Workspace;
use crate::{process, tidy};

/// What came of a run.
pub(crate) struct Outcome {
    /// Whether `tidy` found nothing.
    tidy: bool,
    /// The exit status of `cargo test`, or of the build before it where that failed.
    tests: ExitStatus,
    tally: Tally,
}

impl Outcome {
    /// Whether there is nothing to mend.
    pub(crate) fn is_good(&self) -> bool {
        self.tidy && self.tests.success()
    }

    /// Says what failed besides counted tests, then prints the closing line: `N passed, N failed`.
    pub(crate) fn close(&self) {
        if !self.tidy {
            println!("tidy has findings; they stand above the tests");
        }
        if !self.tests.success() {
            println!("the tests did not all build and pass ({})", self.tests);
        }
        println!("{}", self.tally);
    }
}

/// Runs tidy and the tests; the exit status is that of cargo, or a failure where tidy alone has findings.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let outcome = outcome(workspace, arguments)?;
    outcome.close();
    Ok(match outcome.is_good() {
        true => ExitCode::SUCCESS,
        false if outcome.tests.success() => ExitCode::FAILURE,
        false => process::exit_code(outcome.tests),
    })
}

/// Runs everything even where a part fails, so that one run shows all there is to mend.
pub(crate) fn outcome(workspace: &Workspace, arguments: &[String]) -> Result<Outcome> {
    let mut findings = tidy::house(workspace)?;
    // One build for the tests, the program they drive and the README check: the features of all members are unified once.
    let build = process::status(&mut process::cargo(&workspace.root, &["build", "--workspace", "--tests", "--bin", "brain"]))?;
    if build.success() {
        findings.extend(tidy::readme(workspace)?);
    }
    let tidy = tidy::report(&findings);
    if !build.success() {
        return Ok(Outcome { tidy, tests: build, tally: Tally::default() });
    }
    let servers = ForTests::up(workspace)?;
    let mut command = process::cargo(&workspace.root, &["test", "--no-fail-fast"]);
    servers.tell(&mut command);
    // Built above with the features of all members; to build it alone would be to build half of it twice.
    command.env("BRAIN_PROGRAM", workspace.target.join("debug").join(format!("brain{}", std::env::consts::EXE_SUFFIX)));
    services::tell_onnxruntime(&mut command);
    if !names_packages(arguments) {
        command.arg("--workspace");
    }
    let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().context("`cargo test` could not be started")?;
    let mut tally = Tally::default();
    if let Some(stdout) = child.stdout.take() {
        // Bytes, not text: a test may print what is no UTF-8.
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.context("the output of `cargo test` broke off")?;
            let line = String::from_utf8_lossy(&line);
            tally.count(&line);
            println!("{line}");
        }
    }
    let tests = child.wait().context("`cargo test` was lost")?;
    Ok(Outcome { tidy, tests, tally })
}

/// Whether the arguments choose the packages themselves.
fn names_packages(arguments: &[String]) -> bool {
    let own = arguments.iter().take_while(|argument| *argument != "--");
    own.into_iter().any(|argument| argument.starts_with("-p") || argument.starts_with("--package") || argument == "--workspace")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tested_unless_packages_are_named() {
        let named = |line: &str| names_packages(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert!(named("-p brain-core") && named("-pbrain-core") && named("--package=brain"));
        assert!(!named("") && !named("view -- -p"));
    }
}
