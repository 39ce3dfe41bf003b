//! `bench`: the product's benchmarks. They live with the whole-product tests; this only finds them.

use std::process::ExitCode;

use anyhow::Result;

use crate::process;
use crate::services;
use crate::workspace::Workspace;

/// Runs the benchmark binary in the release profile with the arguments as they are; its exit status is ours.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let mut command = process::cargo(&workspace.root, &["bench", "--package", "brain-tests", "--bench", "bench", "--"]);
    services::tell_onnxruntime(&mut command);
    let status = process::status(command.args(arguments))?;
    Ok(process::exit_code(status))
}
