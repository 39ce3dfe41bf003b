//! What went wrong, as a terminal or a program reads it, and with which exit code.

use std::error::Error as _;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::process::ExitCode;

use brain::core::Error;
use serde_json::{Value, json};

use crate::args::Global;
use crate::output::wants_colour;

/// Why a command did not do what it should.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library refused or failed.
    Library(Error),
    /// The standard output could not be written to.
    Output(io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// The result of every command.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// Runs a command, tells of its failure, and gives the exit code: 0, or 1 for any failure.
pub(crate) fn exit_code(global: &Global, command: impl FnOnce() -> Result<()>) -> ExitCode {
    let Ok(done) = catch_unwind(AssertUnwindSafe(command)) else {
        // The hook has told of it.
        return ExitCode::FAILURE;
    };
    let error = match done {
        Ok(()) => return ExitCode::SUCCESS,
        // `brain … | head` has read enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
        Err(Failure::Output(error)) => Error::io("write to", std::path::Path::new("the standard output"), error),
        Err(Failure::Library(error)) => error,
    };
    let text =
        if global.json { format!("{}\n", document(&error)) } else { rendered(&error, global.verbose > 0, wants_colour(io::stderr().is_terminal())) };
    tell(&text);
    ExitCode::FAILURE
}

/// Tells of a command line that does not parse; also prints help and version, which clap reports in the same way.
pub(crate) fn refuse_usage(usage: &clap::Error) -> ExitCode {
    let asked_for_json = std::env::args_os().skip(1).take_while(|word| word != "--").any(|word| word == "--json");
    if !usage.use_stderr() || !asked_for_json {
        // Nothing is left to do when the terminal is gone.
        let _ = usage.print();
        return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
    }
    let error = Error::invalid(first_paragraph(&usage.to_string()))
        .with_operation("read the command line")
        .with_hint("`brain help COMMAND` shows how it is used");
    tell(&format!("{}\n", document(&error)));
    ExitCode::from(2)
}

/// What clap says is wrong, on one line; the usage that follows it is left out.
fn first_paragraph(text: &str) -> String {
    let lines = text.trim_start_matches("error: ").lines().map(str::trim).take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

/// A panic is a bug: the user reads one plain line instead of a backtrace.
pub(crate) fn speak_plainly_on_panic() {
    std::panic::set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        let place = panic.location().map_or_else(String::new, |location| format!(" ({}:{})", location.file(), location.line()));
        let message = panic.payload_as_str().unwrap_or("no reason given");
        tell(&format!("error: this is a bug in brain, please report it: {message}{place}\n"));
    }));
}

fn tell(text: &str) {
    // Where the standard error is closed there is nobody to tell.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// The error for people: message, context, hint; with `verbose` also kind, operation and causes.
fn rendered(error: &Error, verbose: bool, colour: bool) -> String {
    let paint = |code: &str, text: &str| if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
    let mut text = format!("{} {}\n", paint("1;31", "error:"), error.message());
    // Writing to a String cannot fail.
    if verbose {
        let _ = writeln!(text, "  kind: {}", error.kind());
        if let Some(operation) = error.operation() {
            let _ = writeln!(text, "  operation: {operation}");
        }
    }
    for (name, value) in error.context() {
        let _ = writeln!(text, "  {name}: {value}");
    }
    if verbose {
        for cause in causes(error) {
            let _ = writeln!(text, "  because: {cause}");
        }
    }
    if let Some(hint) = error.hint() {
        let _ = writeln!(text, "{} {hint}", paint("1;36", "hint:"));
    }
    text
}

fn causes(error: &Error) -> Vec<String> {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    causes
}

/// The error for programs.
fn document(error: &Error) -> Value {
    let context: serde_json::Map<String, Value> = error.context().iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    json!({
        "error": {
            "kind": error.kind().as_str(),
            "message": error.message(),
            "hint": error.hint(),
            "operation": error.operation(),
            "context": context,
            "causes": causes(error),
            "retryable": error.is_retryable(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error() -> Error {
        Error::not_found("dataset \"brids\" does not exist")
            .with_operation("open dataset")
            .with_context("home", "/data")
            .with_hint("did you mean \"birds\"?")
            .with_source(io::Error::other("the cause"))
    }

    #[test]
    fn people_read_message_context_and_hint() {
        assert_eq!(rendered(&error(), false, false), "error: dataset \"brids\" does not exist\n  home: /data\nhint: did you mean \"birds\"?\n");
        assert!(rendered(&error(), true, false).contains("  kind: NotFound\n  operation: open dataset\n  home: /data\n  because: the cause\n"));
        assert!(rendered(&error(), false, true).starts_with("\x1b[1;31merror:\x1b[0m dataset"));
    }

    #[test]
    fn bad_usage_is_told_on_one_line() {
        assert_eq!(first_paragraph("error: these are missing:\n  --id <ID>\n\nUsage: brain"), "these are missing: --id <ID>");
    }

    #[test]
    fn programs_read_every_part_by_name() {
        let document = document(&error());
        assert_eq!(document["error"]["kind"], "NotFound");
        assert_eq!(document["error"]["context"]["home"], "/data");
        assert_eq!(document["error"]["hint"], "did you mean \"birds\"?");
        assert_eq!(document["error"]["causes"][0], "the cause");
    }
}
