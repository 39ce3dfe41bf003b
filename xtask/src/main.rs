//! The developer's one door: `cargo xtask <command>`, from anywhere in the repository.
//!
//! Each command is one module with one `run`:
//!
//! | command | what it does |
//! |---|---|
//! | `tidy` | the house rules that no compiler checks: layers, forbidden dependencies, names, lengths, README in step |
//! | `test` | tidy, then every test of the workspace against real servers, closed by one line: `N passed, N failed` |
//! | `bench` | the product's benchmarks, in the release profile |
//! | `services` | the real servers that tests talk to: up, down, restarted |
//! | `fuzz` | one fuzz target, guided by coverage |
//! | `ci` | everything a change has to pass: format, clippy, docs, tests, features alone, the README's commands |
//!
//! A rule is a pure function from text to findings wherever it can be, so that it is tested without a file system;
//! [`workspace`] is the only place that asks cargo and git what the repository holds.
//!
//! ```console
//! $ cargo xtask tidy
//! tidy: 0 findings
//! ```
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal: what it prints is its result")]

mod bench;
mod ci;
mod fuzz;
mod process;
mod readme;
mod services;
mod tally;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;

use crate::workspace::Workspace;

/// The commands of this door, for the usage text and for the README check.
pub(crate) const COMMANDS: [&str; 7] = ["tidy", "test", "services", "bench", "fuzz", "ci", "help"];

const USAGE: &str = "\
The developer's one door.

Usage: cargo xtask <command>

  tidy [--bless]    check the house rules; --bless rewrites the README's help section (as does --fix)
  test [ARGS…]      tidy, then `cargo test --workspace ARGS…` against real servers (with -p CRATE: that crate's tests only)
  services up [NAME…] [--provider auto|docker|native|external]
  services down|status|env, services start|stop|restart NAME
                    the real servers that tests talk to: PostgreSQL with pgvector, Redis Stack
  bench [ARGS…]     the benchmarks in the release profile, for example: cargo xtask bench local
  fuzz TARGET [--seconds N]
                    a fuzz target of tests/fuzz for a minute, or N seconds
  ci                format, clippy, docs, tidy and tests, features alone, README commands, licences
  help              this text
";

/// How long a target is fuzzed when nobody says.
const FUZZ_SECONDS: u64 = 60;

const BAD_USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    match dispatch(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<ExitCode> {
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("", arguments),
    };
    match command {
        "tidy" => match rest.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] => tidy::run(&Workspace::load()?, false),
            ["--bless" | "--fix"] => tidy::run(&Workspace::load()?, true),
            _ => Ok(bad_usage(&format!("`tidy` takes nothing but `--bless`, not `{}`", rest.join(" ")))),
        },
        "test" => test::run(&Workspace::load()?, rest),
        "services" => Ok(services::run(rest)?.unwrap_or_else(|wrong| bad_usage(&wrong))),
        "bench" => bench::run(&Workspace::load()?, rest),
        "fuzz" => match rest.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [target] => fuzz::run(&Workspace::load()?, target, FUZZ_SECONDS),
            [target, "--seconds", seconds] => match seconds.parse() {
                Ok(seconds) => fuzz::run(&Workspace::load()?, target, seconds),
                Err(_) => Ok(bad_usage(&format!("`--seconds` takes a whole number, not `{seconds}`"))),
            },
            _ => Ok(bad_usage("`fuzz` takes a target, and perhaps `--seconds N`")),
        },
        "ci" if rest.is_empty() => ci::run(&Workspace::load()?),
        "ci" => Ok(bad_usage(&format!("`ci` takes no arguments, not `{}`", rest.join(" ")))),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        "" => Ok(bad_usage("no command given")),
        unknown => Ok(bad_usage(&format!("there is no command `{unknown}`"))),
    }
}

fn bad_usage(what: &str) -> ExitCode {
    eprintln!("error: {what}\n\n{USAGE}");
    ExitCode::from(BAD_USAGE)
}
