//! The servers of one test run: those that are up already, else servers of its own, which go down with it.

use std::path::PathBuf;

use anyhow::Result;

use super::daemon::Process;
use super::instance::INSTANCES;
use super::run::{Run, VARIABLE};
use super::{current, down, sweep, up};
use crate::workspace::Workspace;

/// Servers that stay up until this is dropped, if it was for this that they came up.
pub(crate) struct ForTests {
    file: PathBuf,
    own: Option<Run>,
}

impl ForTests {
    /// Makes sure of all servers. What cannot be had is said here, and again by each test that needs it: the others can still run.
    pub(crate) fn up(workspace: &Workspace) -> Result<Self> {
        let shared = current(&workspace.target);
        let _lock = shared.lock()?;
        sweep(&workspace.target)?;
        let up = |run: &Run, owner| {
            up(run, &workspace.root, &INSTANCES.each_ref(), None, owner).map(drop).unwrap_or_else(|error| eprintln!("services: {error:#}"));
        };
        if shared.description()?.is_some() {
            up(&shared, None);
            return Ok(Self { file: shared.file(), own: None });
        }
        // A run that is ended by Ctrl-C leaves its servers; the next command finds that their owner is gone.
        let number = std::process::id();
        let own = Run::named(&workspace.target, &format!("test-{number}"));
        let tests = Self { file: own.file(), own: Some(Run::named(&workspace.target, &format!("test-{number}"))) };
        up(&own, Some(Process::of(number)?));
        Ok(tests)
    }

    /// Tells a command where the servers are.
    pub(crate) fn tell(&self, command: &mut std::process::Command) {
        command.env(VARIABLE, &self.file);
    }
}

impl Drop for ForTests {
    fn drop(&mut self) {
        let Some(own) = &self.own else { return };
        if let Err(error) = own.lock().and_then(|_lock| down(own)) {
            eprintln!("services: {error:#}");
        }
    }
}
