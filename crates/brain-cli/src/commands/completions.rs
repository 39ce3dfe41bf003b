//! `brain completions`: a script for a shell.

use clap::CommandFactory as _;

use crate::args::{Cli, CompletionsArgs};
use crate::failure::Result;
use crate::session::Session;

pub(super) fn run(session: &mut Session<'_>, args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "brain", &mut script);
    Ok(session.output.line(String::from_utf8_lossy(&script).trim_end())?)
}
