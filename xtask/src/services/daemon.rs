//! Processes that outlive the command that started them, known by more than a number.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::process;

/// How often a state is asked for while we wait for it to change.
const POLL: Duration = Duration::from_millis(10);

/// A process of this machine. A number is used again after its process ended, so the time it started at belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pid: u32,
    /// Clock ticks after the machine started.
    started: u64,
}

impl Process {
    /// The process that has this number now.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("there is no process {pid}"))?;
        let (_state, started) = state_and_start(&stat).with_context(|| format!("/proc/{pid}/stat is not understood"))?;
        Ok(Self { pid, started })
    }

    /// The process that a file names.
    pub(crate) fn read(file: &Path) -> Option<Self> {
        serde_json::from_str(&fs::read_to_string(file).ok()?).ok()
    }

    /// Whether it still runs. One that ended and was not waited for does not.
    pub(crate) fn is_alive(self) -> bool {
        self.state().is_some_and(|state| !matches!(state, 'Z' | 'X'))
    }

    /// Whether nothing is left of it, its number included.
    pub(crate) fn is_gone(self) -> bool {
        self.state().is_none()
    }

    fn state(self) -> Option<char> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        state_and_start(&stat).filter(|(_, started)| *started == self.started).map(|(state, _)| state)
    }

    /// Sends a signal and waits for the end, with SIGKILL as the last word.
    pub(crate) fn end(self, signal: Signal, patience: Duration) -> Result<()> {
        for signal in [signal, Signal::KILL] {
            if !self.is_alive() {
                return Ok(());
            }
            let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).context("a process has an impossible number")?;
            match kill_process(pid, signal) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => {}
                Err(error) => return Err(error).with_context(|| format!("process {} cannot be ended", self.pid)),
            }
            if until(patience, || !self.is_alive()) {
                return Ok(());
            }
        }
        bail!("process {} does not end, even when killed", self.pid)
    }
}

/// The state and the start time in `/proc/PID/stat`. The program's name, in brackets, may hold anything, brackets and spaces too.
fn state_and_start(stat: &str) -> Option<(char, u64)> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?.chars().next()?;
    // The state is field 3, the start field 22 (`man 5 proc_pid_stat`).
    Some((state, fields.nth(18)?.parse().ok()?))
}

/// Starts a program that stays when we end, its output in a file, its number in another.
pub(crate) fn spawn(command: &mut Command, log: &Path, pid_file: &Path) -> Result<Child> {
    let log = File::options().create(true).append(true).open(log).with_context(|| format!("{} cannot be written", log.display()))?;
    // A group of its own: Ctrl-C in the terminal is for us alone.
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
    let child = command.spawn().with_context(|| format!("`{}` could not be started", process::shown(command)))?;
    let started = serde_json::to_string(&Process::of(child.id())?)?;
    fs::write(pid_file, started).with_context(|| format!("{} cannot be written", pid_file.display()))?;
    Ok(child)
}

/// Waits until something holds; false where it does not within the time given.
pub(crate) fn until(patience: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        if holds() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_number_and_its_start() {
        let own = Process::of(std::process::id()).unwrap();
        assert!(own.is_alive());
        assert!(!Process { started: own.started + 1, ..own }.is_alive(), "another process of the same number");
        assert_eq!(serde_json::from_str::<Process>(&serde_json::to_string(&own).unwrap()).unwrap(), own);
    }

    #[test]
    fn a_name_with_brackets_and_spaces_is_no_trap() {
        let rest = "1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 9 9";
        assert_eq!(state_and_start(&format!("7 (a) Z (b) S {rest}")), Some(('S', 4242)));
        assert_eq!(state_and_start(""), None);
    }

    #[test]
    fn a_child_is_started_ended_and_seen_to_be_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (log, pid) = (folder.path().join("log"), folder.path().join("pid"));
        let mut child = spawn(Command::new("sh").args(["-c", "echo started; exec tail -f /dev/null"]), &log, &pid).unwrap();
        let process = Process::read(&pid).unwrap();
        assert!(process.is_alive());
        assert!(until(Duration::from_secs(10), || fs::read_to_string(&log).unwrap().contains("started")));
        process.end(Signal::TERM, Duration::from_secs(10)).unwrap();
        assert!(!process.is_alive() && !process.is_gone(), "it was not waited for");
        child.wait().unwrap();
        assert!(process.is_gone());
    }
}
