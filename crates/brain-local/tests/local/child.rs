//! Other processes: this test binary, started again to run one test in another role.
//!
//! A test that has a second role begins with a look at [`role`]: in the process that the test itself started, it does what that role is.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

const HOME: &str = "BRAIN_LOCAL_TEST_HOME";
const ROLE: &str = "BRAIN_LOCAL_TEST_ROLE";

/// What this process is to do, and in which home; `None` in the process that the tests run in.
pub(crate) fn role() -> Option<(PathBuf, String)> {
    Some((std::env::var_os(HOME)?.into(), std::env::var(ROLE).ok()?))
}

/// Tells the process that started this one. The line is in the pipe when this returns.
#[expect(clippy::print_stdout, reason = "standard output is the pipe to the process that started this one")]
pub(crate) fn tell(line: &str) {
    println!("{MARK}{line}");
}

/// Tells our lines from those of the test harness.
const MARK: &str = "tells: ";

/// A process that was started by a test. It is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    /// Starts the test of this path (`module::name`) in another role. With a `limit`, no file that it writes may grow beyond so many KiB.
    pub(crate) fn start(test: &str, home: &Path, role: &str, limit: Option<u32>) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut command = match limit {
            None => Command::new(&program),
            Some(kib) => {
                let mut shell = Command::new("sh");
                // In blocks of 512 bytes, as POSIX has it. Writes beyond the limit fail, for the signal is ignored.
                shell.args(["-c", &format!("ulimit -f {} && trap '' XFSZ && exec \"$@\"", kib * 2), "sh"]).arg(&program);
                shell
            }
        };
        command.args([test, "--exact", "--nocapture"]).env(HOME, home).env(ROLE, OsStr::new(role)).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            let told = output.lines().map_while(Result::ok).filter_map(|line| Some(line.split_once(MARK)?.1.to_owned()));
            // The receiver goes when nobody listens any more.
            told.map_while(|line| sender.send(line).ok()).for_each(drop);
        });
        Self { child, lines }
    }

    /// The next line; `None` when the process has ended.
    pub(crate) fn line(&self) -> Option<String> {
        self.lines.recv().ok()
    }

    /// The lines until the process ends or `time` has passed.
    pub(crate) fn lines_for(&self, time: Duration) -> Vec<String> {
        let end = Instant::now() + time;
        let mut lines = Vec::new();
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return lines,
            }
        }
    }

    /// Kills it (SIGKILL) and gives the lines that were in the pipe.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.lines.iter().collect()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> (ExitStatus, Vec<String>) {
        let lines = self.lines.iter().collect();
        (self.child.wait().unwrap(), lines)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Ended already, unless a test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
