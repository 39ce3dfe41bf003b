//! How soon the program answers.

use std::process::{Command, Stdio};

use crate::Flags;
use crate::measure::{against, median_ms};

pub(crate) fn run(flags: &Flags) {
    let times = flags.number("times", 20);
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let built = Command::new(cargo).args(["build", "--release", "--quiet", "-p", "brain-cli"]).status().unwrap();
    assert!(built.success());
    let mut brain = std::env::current_exe().unwrap();
    while brain.file_name().is_some_and(|name| name != "release") {
        brain.pop();
    }
    brain.push("brain");
    let home = tempfile::tempdir().unwrap();
    let answer = |program: &std::path::Path, arguments: &[&str]| {
        let command = || Command::new(program).args(arguments).env("FIFTYONE_BRAIN_HOME", home.path()).stdout(Stdio::null()).status().unwrap();
        median_ms(times, || assert!(command().success()))
    };
    let floor = answer("true".as_ref(), &[]);
    for arguments in [&["--help"][..], &["runs", "list"], &["dataset", "list"]] {
        against(&format!("brain {}", arguments.join(" ")), answer(&brain, arguments), "a program that does nothing", floor);
    }
}
